"""A closing pass: ours beside one `nnUNetv2_predict` for each iteration, files in between.

Both sides run the same randomly initialised network of nnU-Net's default plan for 512×512 on the
same contours. A pass of theirs is all that a user of the command has to do for an iteration of a
stack: write the slices, run the command once for all of them with probabilities saved, and read
these back as the next input. A pass of ours is an iteration of `steps.closing.close` on a network
that is loaded once; loading is given beside.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.figure import Figure, machine_name
from napari_copnet.errors import CopnetError
from napari_copnet.networks.nnunet import Network, build_network
from napari_copnet.networks.plan import NetworkPlan
from napari_copnet.params import ClosingParams, DegradeParams, DeviceParams, TissueParams
from napari_copnet.progress import finish
from napari_copnet.steps.closing import close
from napari_copnet.synthetic import make_tissue
from napari_copnet.training.degrade import degrade
from napari_copnet.types import Iteration, is_contour

_SIZE = 512
_STAGES = 8
_RATIO = 8.0
_DIFFERENT = 0.001
_DATASET = "Dataset001_Closing"


def default_plan() -> NetworkPlan:
    """Return what nnU-Net plans by default for 512×512 slices: 8 stages of 32 to 512 features."""
    return NetworkPlan(
        architecture="PlainConvUNet",
        dimensions=2,
        in_channels=1,
        classes=2,
        patch_size=(_SIZE, _SIZE),
        features_per_stage=tuple(min(32 * 2**stage, 512) for stage in range(_STAGES)),
        kernel_sizes=((3, 3),) * _STAGES,
        strides=((1, 1),) + ((2, 2),) * (_STAGES - 1),
        n_conv_per_stage=(2,) * _STAGES,
        n_conv_per_stage_decoder=(2,) * (_STAGES - 1),
        normalisation=("none",),
    )


def run(slices: int = 8, quick: bool = False) -> list[Figure]:
    """Measure speed and masks of closing passes on the CPU.

    Parameters
    ----------
    slices : int
        Slices of 512×512.
    quick : bool
        Fewer repeats of ours.

    Returns
    -------
    list of Figure
        Speed without and with mirroring, share of pixels that differ, and both for bfloat16.

    Raises
    ------
    CopnetError
        The command `nnUNetv2_predict` is missing or fails.
    """
    import torch

    plan = default_plan()
    torch.manual_seed(0)
    module = build_network(plan)
    weights = {name: value.detach().numpy() for name, value in module.named_parameters()}
    stack = _contours(slices)
    # Theirs lies between two measurements of ours, so that a change of load shows in both.
    repeats = 1 if quick else 2
    exact = _Ours(plan, weights, stack, "float32")
    rough = _Ours(plan, weights, stack, "bfloat16")
    with tempfile.TemporaryDirectory() as folder:
        theirs = _Theirs(Path(folder), plan, module, stack)
        for _ in range(repeats):
            exact.measure(mirror=False)
            rough.measure(mirror=False)
        their_time, their_mask = theirs.measure(mirror=False)
        for _ in range(repeats):
            exact.measure(mirror=False)
            rough.measure(mirror=False)
        exact.measure(mirror=True)
        mirrored_time, mirrored_mask = theirs.measure(mirror=True)
        exact.measure(mirror=True)
    command = "nnUNetv2_predict -device cpu --save_probabilities, files read and written"
    return [
        *_compare("closing", exact, False, their_time, their_mask, f"{command}, --disable_tta"),
        # Like for like on both sides; the goals are set without mirroring and in float32, and the
        # masks of a random network lie so near to 0.5 that bfloat16 flips far more than a trained
        # one's.
        *_compare(
            "closing, mirroring on both sides",
            exact,
            True,
            mirrored_time,
            mirrored_mask,
            command,
            False,
        ),
        *_compare(
            "closing, bfloat16",
            rough,
            False,
            their_time,
            their_mask,
            f"{command}, --disable_tta",
            False,
        ),
    ]


def _contours(slices: int) -> np.ndarray:
    """Return degraded contours of synthetic tissue, never quite 0: nnU-Net would crop margins."""
    tissue = make_tissue(TissueParams(slices=slices, size=_SIZE, vessel=False), seed=2)
    maps = [
        degrade(contour.astype(np.float32), DegradeParams(), np.random.default_rng(number))
        for number, contour in enumerate(tissue.contours)
    ]
    return np.clip(np.stack(maps), 0.01, 1).astype(np.float32)


class _Ours:
    """One iteration of `close`, timed."""

    def __init__(
        self, plan: NetworkPlan, weights: dict[str, np.ndarray], stack: np.ndarray, precision: str
    ) -> None:
        self.precision, self._stack = precision, stack
        start = time.perf_counter()
        self._network = Network(plan, weights, DeviceParams(device="cpu", precision=precision))
        self.load_time = time.perf_counter() - start
        self.times: dict[bool, list[float]] = {False: [], True: []}
        self.masks: dict[bool, np.ndarray] = {}
        finish(close(stack[:1], self._network, ClosingParams(max_iterations=1, likely_gaps=False)))

    def measure(self, mirror: bool) -> None:
        # The command has the network's own output and nothing held.
        params = ClosingParams(max_iterations=1, mirror=mirror, hold=False, likely_gaps=False)
        start = time.perf_counter()
        work = close(self._stack, self._network, params)
        last = [step.partial for step in work if isinstance(step.partial, Iteration)][-1]
        self.times[mirror].append((time.perf_counter() - start) / len(self._stack))
        self.masks[mirror] = is_contour(last.probability)


class _Theirs:
    """One command of nnU-Net on files, timed."""

    def __init__(self, folder: Path, plan: NetworkPlan, module: Any, stack: np.ndarray) -> None:
        self._folder, self._stack = folder, stack
        for name in ("raw", "preprocessed", "results"):
            (folder / name).mkdir()
        _write_result_folder(
            folder / "results" / _DATASET / "nnUNetTrainer__nnUNetPlans__2d", plan, module
        )
        beside = Path(sys.executable).with_name("nnUNetv2_predict")
        found = str(beside) if beside.exists() else shutil.which("nnUNetv2_predict")
        if not found:
            raise CopnetError("The command nnUNetv2_predict is missing.", "Install nnunetv2.")
        self._command = found

    def measure(self, mirror: bool) -> tuple[float, np.ndarray]:
        """Return seconds a slice, and the masks."""
        given, made = self._folder / f"in{mirror}", self._folder / f"out{mirror}"
        arguments = ["-i", str(given), "-o", str(made), "-d", "1", "-c", "2d", "-f", "0"]
        arguments += ["-device", "cpu", "--save_probabilities", "--disable_progress_bar"]
        arguments += [] if mirror else ["--disable_tta"]
        places = {
            f"nnUNet_{name}": str(self._folder / name)
            for name in ("raw", "preprocessed", "results")
        }
        start = time.perf_counter()
        _write_slices(given, self._stack)
        done = subprocess.run(
            [self._command, *arguments],
            env={**os.environ, **places},
            capture_output=True,
            text=True,
            check=False,
        )
        outputs = sorted(made.glob("*.npz"))
        if done.returncode or len(outputs) != len(self._stack):
            raise CopnetError(
                "nnUNetv2_predict has failed.", (done.stderr or done.stdout)[-500:].strip()
            )
        masks = []
        for path in outputs:
            with np.load(path) as file:
                masks.append(is_contour(file["probabilities"][1, 0]))
        return (time.perf_counter() - start) / len(self._stack), np.stack(masks)


def _write_slices(folder: Path, stack: np.ndarray) -> None:
    import SimpleITK

    folder.mkdir()
    for number, values in enumerate(stack):
        path = folder / f"slice{number:04d}_0000.nii.gz"
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values[None]), str(path))


def _write_result_folder(folder: Path, plan: NetworkPlan, module: Any) -> None:
    """Write what nnU-Net's trainer would have left."""
    import torch

    resample = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
    name = "resample_data_or_seg_to_shape"
    values = plan.as_dict()
    same = ["features_per_stage", "kernel_sizes", "strides"]
    same += ["n_conv_per_stage", "n_conv_per_stage_decoder"]
    configuration = {
        "data_identifier": "nnUNetPlans_2d",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 5,
        "patch_size": values["patch_size"],
        "median_image_size_in_voxels": values["patch_size"],
        "spacing": [1.0, 1.0],
        "normalization_schemes": ["NoNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": name,
        "resampling_fn_data_kwargs": {**resample, "order": 3},
        "resampling_fn_seg": name,
        "resampling_fn_seg_kwargs": {**resample, "is_seg": True},
        "resampling_fn_probabilities": name,
        "resampling_fn_probabilities_kwargs": resample,
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": {
                "n_stages": _STAGES,
                **{key: values[key] for key in same},
                "conv_op": "torch.nn.modules.conv.Conv2d",
                "conv_bias": True,
                "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
        "batch_dice": True,
    }
    plans = {
        "dataset_name": _DATASET,
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [1.0, 1.0, 1.0],
        "original_median_shape_after_transp": [1, _SIZE, _SIZE],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {}},
        "configurations": {"2d": configuration},
    }
    dataset = {
        "channel_names": {"0": "noNorm"},
        "labels": {"background": 0, "contour": 1},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    checkpoint = {
        "network_weights": module.state_dict(),
        "init_args": {"configuration": "2d", "fold": 0},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1),
    }
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")


def _compare(
    name: str,
    ours: _Ours,
    mirror: bool,
    their_time: float,
    their_mask: np.ndarray,
    theirs: str,
    judged: bool = True,
) -> list[Figure]:
    our_time = median(ours.times[mirror])
    ratio = their_time / our_time
    different = float((ours.masks[mirror] != their_mask).mean())
    mirrored = " with mirroring" if mirror else ""
    our_text = (
        f"steps.closing.close{mirrored}, {ours.precision}: {1e3 * our_time:.0f} ms a slice and "
        f"pass, and {ours.load_time:.1f} s once to load"
    )
    their_text = f"{theirs}, {len(their_mask)} slices a command: {1e3 * their_time:.0f} ms a slice"
    speed = Figure(
        f"{name}, speed",
        ratio,
        "x",
        f">= {_RATIO:g}" if judged else "reported",
        ratio >= _RATIO or not judged,
        our_text,
        their_text,
        machine_name(),
    )
    return [
        speed,
        replace(
            speed,
            name=f"{name}, pixels different",
            value=different,
            unit="share",
            goal=f"<= {_DIFFERENT:g}" if judged else "reported",
            holds=different <= _DIFFERENT or not judged,
            ours=f"{our_text}; contour on {ours.masks[mirror].mean():.1%} of pixels",
            theirs=f"{their_text}; contour on {their_mask.mean():.1%} of pixels",
        ),
    ]
