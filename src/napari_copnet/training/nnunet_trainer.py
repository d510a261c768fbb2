"""nnU-Net's trainer in one process: stopped, resumed and timed as asked, nothing found by name."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from napari_copnet.networks.device import uses_bfloat16
from napari_copnet.networks.nnunet import build_network
from napari_copnet.networks.plan import NetworkPlan
from napari_copnet.params import DegradeParams, DeviceParams, TrainParams
from napari_copnet.training.dataset import read_cases
from napari_copnet.training.nnunet_trainer_data import (
    FreshDegradation,
    FreshGaps,
    MiddleTruth,
    SeededLoader,
    StackDataset,
)

VALIDATION_BATCHES = 8
# own outputs are worth learning from once the network does something like its task
OWN_OUTPUTS_RAMP = 0.1


class StackTrainer(nnUNetTrainer):
    """nnU-Net's trainer on cases of `dataset.prepare`.

    Loss, optimiser, augmentation, sampling and validation score are nnU-Net's. Different are the
    learning rate, run down by step and by time, the batches, seeded one by one, and the absence
    of process pools, compilation and checkpoints of its own.

    Construct it as nnU-Net's (plans, configuration, fold, dataset_json, device), with a key
    ``continue_training`` in the plans, then call `use`.
    """

    degrades_anew = False

    def use(
        self, folder: Path, network_plan: NetworkPlan, params: TrainParams, device: DeviceParams
    ) -> None:
        """Say what to train on and how.

        Parameters
        ----------
        folder : Path
            As `dataset.prepare` writes it.
        network_plan : NetworkPlan
            How to build the network.
        params : TrainParams
            Settings.
        device : DeviceParams
            Which precision to take.
        """
        self.folder = folder
        self.network_plan = network_plan
        self.params = params
        self.initial_lr = params.learning_rate
        self.num_epochs = params.epochs
        self.num_iterations_per_epoch = params.iterations_per_epoch
        self.num_val_iterations_per_epoch = VALIDATION_BATCHES
        self.step = 0
        self.seconds = 0.0
        # of the epoch at work, and the step up to which epochs were reported
        self.losses: list[float] = []
        self.reported = 0
        # two AMX cores, small network: a step takes 0.30 s in bfloat16, 0.49 s in float32
        self.autocast_dtype = torch.bfloat16 if uses_bfloat16(device, self.device.type) else None
        if self.device.type == "cuda" and device.precision == "auto" and not self.autocast_dtype:
            self.autocast_dtype = torch.float16
        if self.autocast_dtype is not torch.float16:
            self.grad_scaler = None

    def initialize(self) -> None:
        """Build network, optimiser and loss."""
        torch.manual_seed(self.params.seed)
        self.batch_size = self.configuration_manager.batch_size
        self.network = build_network(self.network_plan, deep_supervision=True).to(self.device)
        self.optimizer, self.lr_scheduler = self.configure_optimizers()
        self.loss = self._build_loss()
        if len(self._get_deep_supervision_scales()) == 1:
            # nnU-Net weighs the coarsest output by 0, and divides by the sum of all weights.
            self.loss.weight_factors = (1.0,)
        self.was_initialized = True

    def _do_i_compile(self) -> bool:
        return False

    def print_to_log_file(self, *args: Any, **_: Any) -> None:
        """Print: the process's output is its log."""
        print(*args, flush=True)

    def get_training_transforms(self, *args: Any, **kwargs: Any) -> Any:
        """Return nnU-Net's transforms, with `VariedAppearance` and more zoom when asked for."""
        from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform

        from napari_copnet.training.nnunet_trainer_appearance import VariedAppearance

        pipeline = nnUNetTrainer.get_training_transforms(*args, **kwargs)
        if self.params.appearance:
            at = next(
                i for i, t in enumerate(pipeline.transforms) if isinstance(t, SpatialTransform)
            )
            pipeline.transforms[at].p_scaling = 0.5
            pipeline.transforms[at].p_rotation = 0.4
            pipeline.transforms.insert(-1, VariedAppearance())
        return pipeline

    def get_tr_and_val_datasets(self) -> tuple[StackDataset, StackDataset]:
        """Return training and validation cases; validation is empty when none was set apart."""
        cases = read_cases(self.folder)["cases"]
        names = {
            role: [name for name, case in cases.items() if case["role"] == role]
            for role in ("train", "validation")
        }
        return (
            StackDataset(self.folder, names["train"], self.degrades_anew, self.params.context),
            StackDataset(self.folder, names["validation"], False, self.params.context),
        )

    def get_dataloaders(self) -> tuple[SeededLoader, SeededLoader | None]:
        """Return nnU-Net's loaders with nnU-Net's transforms, each batch seeded by its step."""
        patch = self.configuration_manager.patch_size
        scales = self._get_deep_supervision_scales()
        rotation, dummy_2d, initial_patch, mirror_axes = (
            self.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        )
        training = self.get_training_transforms(
            patch,
            rotation,
            scales,
            mirror_axes,
            dummy_2d,
            use_mask_for_norm=self.configuration_manager.use_mask_for_norm,
            foreground_labels=self.label_manager.foreground_labels,
            ignore_label=self.label_manager.ignore_label,
        )
        validation = self.get_validation_transforms(
            scales,
            foreground_labels=self.label_manager.foreground_labels,
            ignore_label=self.label_manager.ignore_label,
        )
        if self.params.context:
            validation.transforms.insert(0, MiddleTruth())
        train_set, validation_set = self.get_tr_and_val_datasets()
        cases = read_cases(self.folder)["cases"]
        weights = np.array([cases[name]["weight"] for name in train_set.identifiers])
        loader = nnUNetDataLoader(
            train_set,
            self.batch_size,
            initial_patch,
            patch,
            self.label_manager,
            oversample_foreground_percent=self.oversample_foreground_percent,
            sampling_probabilities=weights / weights.sum(),
            transforms=training,
        )
        seed = self.params.seed
        if not validation_set.identifiers:
            return SeededLoader(loader, seed), None
        held_out = nnUNetDataLoader(
            validation_set,
            self.batch_size,
            patch,
            patch,
            self.label_manager,
            oversample_foreground_percent=self.oversample_foreground_percent,
            transforms=validation,
        )
        return SeededLoader(loader, seed), SeededLoader(held_out, seed + 1)

    @property
    def share_done(self) -> float:
        """How much of the training is behind, by steps or by time, whichever is further."""
        steps = self.step / (self.params.epochs * self.params.iterations_per_epoch)
        timed = self.seconds / (self.params.minutes * 60) if self.params.minutes else 0.0
        return min(1.0, max(steps, timed))

    def train(self) -> Iterator[dict[str, Any]]:
        """Train from the current step on.

        Yields
        ------
        dict
            After each step ``{"loss": ...}``; after the last step of an epoch instead
            ``ends_epoch``, ``train_loss``, ``validation_loss``, ``validation_dice`` and
            ``learning_rate``, also when the training was stopped before `note_reported`.
        """
        self.dataloader_train, self.dataloader_val = self.get_dataloaders()
        self.set_deep_supervision_enabled(True)
        size = self.params.iterations_per_epoch
        told = False
        try:
            while True:
                last = self.share_done >= 1.0
                ended = (self.step % size == 0 or last) and self.step > self.reported
                if ended or (last and not told):
                    told = True
                    yield self._ended_epoch()
                if self.share_done >= 1.0:
                    return
                started = time.monotonic()
                self.network.train()
                for group in self.optimizer.param_groups:
                    group["lr"] = self.initial_lr * (1 - self.share_done) ** 0.9
                loss = self.train_step(self.dataloader_train.batch(self.step))["loss"]
                self.step += 1
                self.seconds += time.monotonic() - started
                self.losses.append(float(loss))
                if self.step % size and self.share_done < 1.0:
                    yield {"loss": self.losses[-1]}
        finally:
            self.dataloader_train.close()
            if self.dataloader_val is not None:
                self.dataloader_val.close()

    def _ended_epoch(self) -> dict[str, Any]:
        started = time.monotonic()
        scores = self.validate()
        self.seconds += time.monotonic() - started
        return {
            "ends_epoch": True,
            **({"train_loss": float(np.mean(self.losses))} if self.losses else {}),
            "learning_rate": float(self.optimizer.param_groups[0]["lr"]),
            **scores,
        }

    def note_reported(self) -> None:
        """Say that the scores of the epoch that ended are on disk; else they come once more."""
        self.reported = self.step
        self.losses = []

    def validate(self) -> dict[str, float]:
        """Return loss and contour Dice over the same validation patches each time."""
        if self.dataloader_val is None:
            return {}
        self.network.eval()
        with torch.no_grad():
            results = [
                self.validation_step(self.dataloader_val.batch(number, ahead=False))
                for number in range(self.num_val_iterations_per_epoch)
            ]
        hit, false, missed = (
            float(sum(np.sum(result[name]) for result in results))
            for name in ("tp_hard", "fp_hard", "fn_hard")
        )
        return {
            "validation_loss": float(np.mean([result["loss"] for result in results])),
            "validation_dice": 2 * hit / max(1.0, 2 * hit + false + missed),
        }

    def train_step(self, batch: dict) -> dict:
        """Do nnU-Net's training step, in bfloat16 where this processor computes it natively."""
        data = self.network_input(batch["data"].to(self.device, non_blocking=True))
        target = [part.to(self.device, non_blocking=True) for part in batch["target"]]
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast():
            output = self.network(data)
        loss = self.loss([part.float() for part in output], target)
        if not torch.isfinite(loss):
            raise FloatingPointError("the loss is no longer a number")
        if self.grad_scaler is not None:
            self.grad_scaler.scale(loss).backward()
            self.grad_scaler.unscale_(self.optimizer)
        else:
            loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12)
        with self.uninterrupted():
            if self.grad_scaler is not None:
                self.grad_scaler.step(self.optimizer)
                self.grad_scaler.update()
            else:
                self.optimizer.step()
        return {"loss": loss.detach().cpu().numpy()}

    def network_input(self, data: torch.Tensor) -> torch.Tensor:
        """Return what the network sees in a training step."""
        return data

    def autocast(self) -> AbstractContextManager:
        """Return autocast to half precision where the device has it, else none."""
        if self.autocast_dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.autocast_dtype)

    # replaced by a process that can be stopped at any moment
    uninterrupted = staticmethod(contextlib.nullcontext)

    def state(self) -> dict[str, Any]:
        """Return all that `load_state` needs to go on exactly from here: tensors and numbers."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.grad_scaler.state_dict() if self.grad_scaler is not None else {},
            "step": self.step,
            "seconds": self.seconds,
            "losses": list(self.losses),
            "reported": self.reported,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.grad_scaler is not None and state["scaler"]:
            self.grad_scaler.load_state_dict(state["scaler"])
        self.step = int(state["step"])
        self.seconds = float(state["seconds"])
        # checkpoints of before have neither
        self.losses = [float(loss) for loss in state.get("losses", [])]
        self.reported = int(state.get("reported", self.step))


class ClosingTrainer(StackTrainer):
    """The same for a closing network: its input is degraded anew at each step.

    Attributes
    ----------
    degrade : DegradeParams
        How contours are degraded.
    """

    degrades_anew = True
    degrade = DegradeParams()

    def get_training_transforms(self, *args: Any, **kwargs: Any) -> Any:
        """Return nnU-Net's spatial transforms, with degradation in place of those of values."""
        from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
        from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform

        pipeline = nnUNetTrainer.get_training_transforms(*args, **kwargs)
        first = next(t for t in pipeline.transforms if isinstance(t, SpatialTransform))
        # cells and contours come in all sizes, and a contour map has no grey values to tell
        zoom = self.params.zoom
        first.p_scaling, first.scaling, first.p_rotation = 0.6, (1 / zoom, zoom), 0.4
        last = next(i for i, t in enumerate(pipeline.transforms) if isinstance(t, MirrorTransform))
        after = pipeline.transforms[last + 1 :]
        # -1 is made 0 first: outside of the image there is no contour
        at = next((i for i, t in enumerate(after) if "RemoveLabel" in type(t).__name__), -1) + 1
        fresh = (
            FreshGaps(self.degrade)
            if self.degrade.method == "circles"
            else FreshDegradation(
                self.degrade,
                self.params.artefacts,
                fixed=self.params.fixed_maps > 0,
                certainty=self.params.certainty,
            )
        )
        pipeline.transforms = [first, pipeline.transforms[last], *after[:at], fresh, *after[at:]]
        return pipeline

    def network_input(self, data: torch.Tensor) -> torch.Tensor:
        """Replace some examples by the network's own output after one or more passes."""
        ramp = min(1.0, self.share_done / OWN_OUTPUTS_RAMP)
        # drawn from the step, so that a resumed training does the same
        rng = np.random.default_rng([self.params.seed, 7, self.step])
        chosen = np.flatnonzero(rng.random(len(data)) < self.params.own_outputs * ramp)
        if not len(chosen):
            return data
        passes = rng.integers(1, self.params.own_passes + 1, len(chosen))
        data = data.clone()
        with torch.no_grad():
            for number in range(1, int(passes.max()) + 1):
                going = torch.as_tensor(chosen[passes >= number], device=data.device)
                with self.autocast():
                    output = self.network(data[going])[0]
                # neighbouring slices stay as Step 1 left them, as they do in closing
                data[going, data.shape[1] // 2] = torch.softmax(output.float(), 1)[:, 1]
        return data
