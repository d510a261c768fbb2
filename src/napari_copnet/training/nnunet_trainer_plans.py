"""nnU-Net's planner run in this process, and the same planner with a small network in mind."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import (
    DatasetFingerprintExtractor,
)
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import (
    ExperimentPlanner,
)
from nnunetv2.imageio.tif_reader_writer import Tiff3DIO

from napari_copnet.files import whole_file
from napari_copnet.networks.plan import NetworkPlan
from napari_copnet.params import TrainParams
from napari_copnet.training.dataset import read_cases

# nnU-Net takes 10e7 for the whole dataset; the figures serve CT only, which this is not
INTENSITY_SAMPLES = 100_000


class SmallPlanner(ExperimentPlanner):
    """nnU-Net's planner for a network that trains in minutes on two CPU cores.

    16 features at the top and at most 192, five stages, patches of at most 256×256 (2D) or
    32×128×128 (3D), batches of at most 4 or 2.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.UNet_base_num_features = 16
        self.UNet_max_features_2d = 192
        self.UNet_max_features_3d = 128

    def get_plans_for_configuration(
        self,
        spacing: Any,
        median_shape: Any,
        data_identifier: str,
        approximate_n_voxels_dataset: float,
        _cache: dict,
    ) -> dict:
        """Plan as nnU-Net does for images no larger than a small patch."""
        flat = len(spacing) == 2
        largest = (256, 256) if flat else (32, 128, 128)
        self.UNet_featuremap_min_edge_length = 16 if flat else 8
        shape = [min(a, b) for a, b in zip(median_shape, largest, strict=False)]
        plan = super().get_plans_for_configuration(
            spacing, shape, data_identifier, approximate_n_voxels_dataset, _cache
        )
        plan["batch_size"] = min(plan["batch_size"], 4 if flat else 2)
        return plan


def plan(folder: Path, params: TrainParams) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let nnU-Net plan for the dataset in `folder`.

    Parameters
    ----------
    folder : Path
        As `dataset.prepare` writes it.
    params : TrainParams
        `size`, `dimensions`, `patch` and `batch` are used.

    Returns
    -------
    plans, dataset : dict
        nnU-Net's plans and dataset description. The configuration is ``"2d"`` or
        ``"3d_fullres"``.
    """
    name = read_cases(folder)["dataset"]
    _point_at(folder)
    preprocessed = folder / "nnUNet_preprocessed" / name
    # the compute_conv_feature_map_size estimate sets torch threads from this
    os.environ.setdefault("nnUNet_n_proc_DA", "1")
    _write(preprocessed / "dataset_fingerprint.json", _fingerprint(folder, name))
    planner = (SmallPlanner if params.size == "small" else ExperimentPlanner)(
        name, suppress_transpose=True
    )
    # no cascades here, and planning the first network of one takes long
    planner.lowres_creation_threshold = 0.0
    plans = planner.plan_experiment()
    dataset = json.loads((folder / "nnUNet_raw" / name / "dataset.json").read_text())
    chosen = plans["configurations"]["2d" if params.dimensions == 2 else "3d_fullres"]
    if params.batch:
        chosen["batch_size"] = params.batch
    if params.patch:
        strides = np.prod(chosen["architecture"]["arch_kwargs"]["strides"], axis=0)
        chosen["patch_size"] = [int(size) for size in chosen["patch_size"]]
        for axis in (-2, -1):
            step = int(strides[axis])
            chosen["patch_size"][axis] = max(step, round(params.patch / step) * step)
    _write(preprocessed / "nnUNetPlans.json", plans)
    return plans, dataset


def plan_like(
    folder: Path, start: NetworkPlan, params: TrainParams
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return plans for going on with a network, without looking at the data.

    What nnU-Net's planner would find out is known: patch, batch and strides are the network's.

    Parameters
    ----------
    folder : Path
        As `dataset.prepare` writes it.
    start : NetworkPlan
        Of the network to go on with.
    params : TrainParams
        `patch` and `batch` are used.

    Returns
    -------
    plans, dataset : dict
        As from `plan`, but only of what training asks for.
    """
    name = read_cases(folder)["dataset"]
    _point_at(folder)
    patch = list(start.patch_size)
    if params.patch:
        for axis in (-2, -1):
            step = start.total_stride[axis]
            patch[axis] = max(step, round(params.patch / step) * step)
    dataset = json.loads((folder / "nnUNet_raw" / name / "dataset.json").read_text())
    # nnU-Net's smallest batch is 2; larger patches leave no room for more on small devices
    batch = params.batch or (4 if np.prod(patch) <= 256**2 else 2)
    configuration = {
        "data_identifier": "nnUNetPlans",
        "batch_size": batch,
        "patch_size": patch,
        "spacing": list(start.spacing or (1.0,) * start.dimensions),
        "normalization_schemes": ["NoNormalization"] * start.in_channels,
        "use_mask_for_norm": [False] * start.in_channels,
        "batch_dice": start.dimensions == 2,
        "architecture": {"arch_kwargs": {"strides": [list(step) for step in start.strides]}},
    }
    plans = {
        "dataset_name": name,
        "plans_name": "nnUNetPlans",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"2d" if start.dimensions == 2 else "3d_fullres": configuration},
    }
    _write(folder / "nnUNet_preprocessed" / name / "nnUNetPlans.json", plans)
    return plans, dataset


def _point_at(folder: Path) -> None:
    """Tell nnU-Net where its folders are."""
    for part in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{part}"] = str(folder / f"nnUNet_{part}")


def _fingerprint(folder: Path, name: str) -> dict[str, Any]:
    """Return nnU-Net's dataset fingerprint, computed case by case without its process pool."""
    raw = folder / "nnUNet_raw" / name
    cases = sorted(read_cases(folder)["cases"])
    results = [
        DatasetFingerprintExtractor.analyze_case(
            [str(raw / "imagesTr" / f"{case}_0000.tif")],
            str(raw / "labelsTr" / f"{case}.tif"),
            Tiff3DIO,
            INTENSITY_SAMPLES // len(cases) + 1,
        )
        for case in cases
    ]
    values = np.concatenate([np.asarray(result[2][0], np.float64) for result in results])
    if not len(values):
        values = np.zeros(1)
    return {
        "spacings": [[float(v) for v in result[1]] for result in results],
        "shapes_after_crop": [[int(v) for v in result[0]] for result in results],
        "foreground_intensity_properties_per_channel": {
            "0": {
                "mean": float(values.mean()),
                "median": float(np.median(values)),
                "std": float(values.std()),
                "min": float(values.min()),
                "max": float(values.max()),
                "percentile_99_5": float(np.percentile(values, 99.5)),
                "percentile_00_5": float(np.percentile(values, 0.5)),
            }
        },
        "median_relative_size_after_cropping": float(np.median([result[4] for result in results])),
    }


def _write(path: Path, value: Any) -> None:
    with whole_file(path) as beside:
        beside.write_text(json.dumps(value, indent=1))
