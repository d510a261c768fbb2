"""The process that trains: ``python -m napari_copnet.training.child FOLDER``.

It reads ``FOLDER/config.json``, appends a line to ``FOLDER/progress.jsonl`` for each report and
to ``FOLDER/losses.csv`` for each epoch, and ends with the line that says how: ``"done"``,
``"stopped"`` or ``"error"``. It stops on SIGTERM, on a file ``FOLDER/stop``, and when its parent
is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_copnet.errors import CopnetError
from napari_copnet.params import DegradeParams, DeviceParams, TrainParams, from_dict

CONFIG, PROGRESS, LOSSES, STOP = "config.json", "progress.jsonl", "losses.csv", "stop"
EXPORT = "trained"
REPORT_EVERY = 0.5
# a child is gone within two seconds of its parent: it looks so often, and then saves for so long
WATCH_EVERY, LAST_WORDS = 0.2, 1.4
# a checkpoint of a large network takes seconds: spend at most this share of the time on them
CHECKPOINT_SHARE = 0.05
COLUMNS = (
    "epoch",
    "step",
    "seconds",
    "learning_rate",
    "train_loss",
    "validation_loss",
    "validation_dice",
)


class Stopped(BaseException):
    """Asked to stop: raised between two bytecodes, so also in the midst of a step."""


class StopSwitch:
    """Turns a request to stop into `Stopped`, except in stretches that must not be torn."""

    def __init__(self) -> None:
        self.asked = False
        self._guarded = 0

    def ask(self, *_: Any) -> None:
        """Stop now, or at the end of the guarded stretch."""
        self.asked = True
        if not self._guarded:
            # further requests must not tear the checkpoint that follows
            self._guarded += 1
            raise Stopped

    @contextlib.contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Hold back `Stopped` until the stretch is over."""
        self._guarded += 1
        try:
            yield
        finally:
            self._guarded -= 1
        if self.asked and not self._guarded:
            self._guarded += 1
            raise Stopped


def watch_parent(parent: int, folder: Path) -> None:
    """End this process soon after its parent has gone, in whatever state it is.

    A watching thread, not Linux's parent-death signal: that one fires when the *thread* that
    started the child ends, which for a thread pool may be long before the parent does.
    """

    def gone() -> bool:
        if os.name == "posix":
            return os.getppid() != parent
        import psutil

        return not psutil.pid_exists(parent)

    def watch() -> None:
        while not gone():
            time.sleep(WATCH_EVERY)
        (folder / STOP).touch()
        if os.name == "posix":
            os.kill(os.getpid(), signal.SIGTERM)
        # what can't be saved meanwhile is in the checkpoint before: files appear whole or not
        time.sleep(LAST_WORDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent watch").start()


def run(folder: Path) -> None:
    """Train as ``config.json`` in `folder` says."""
    config = json.loads((folder / CONFIG).read_text())
    switch = StopSwitch()
    signal.signal(signal.SIGTERM, switch.ask)
    # the terminal's Ctrl-C goes to the parent, which then asks to stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch_parent(config["parent"], folder)
    with (folder / PROGRESS).open("a", buffering=1) as lines:

        def report(**values: Any) -> None:
            lines.write(json.dumps(values) + "\n")

        try:
            try:
                _train(folder, config, switch, report)
            except Stopped:
                report(state="stopped")
                pass
            # all is saved: don't wait for the batch that a thread is still making
            sys.stdout.flush()
            os._exit(0)
        except CopnetError as error:
            report(state="error", message=error.message, hint=error.hint)
            raise SystemExit(1) from error
        except BaseException as error:
            from napari_copnet.networks.device import is_out_of_memory

            traceback.print_exc()
            if is_out_of_memory(error):
                report(
                    state="error",
                    message="Training ran out of memory.",
                    hint="Use a smaller patch or batch, or the small network.",
                )
            else:
                report(
                    state="error",
                    message=f"Training failed: {type(error).__name__}: {error}.",
                    hint="",
                )
            raise SystemExit(1) from error


def _train(folder: Path, config: dict[str, Any], switch: StopSwitch, report: Any) -> None:
    report(state="starting")
    trainer = build_trainer(folder, config)
    from napari_copnet.training.nnunet_trainer_checkpoint import load_checkpoint, save_checkpoint

    trainer.uninterrupted = switch.uninterrupted
    state = load_checkpoint(folder) if config["resume"] else None
    if state is not None:
        trainer.load_state(state)
    _trim_losses(folder / LOSSES, trainer.step)
    size = trainer.params.iterations_per_epoch
    last_report = last_save = time.monotonic()
    cost = 0.0
    scores: dict[str, Any] = {}

    def save() -> None:
        nonlocal last_save, cost
        started = time.monotonic()
        with switch.uninterrupted():
            save_checkpoint(folder, trainer.state())
        last_save = time.monotonic()
        cost = last_save - started

    report(state="training", step=trainer.step, epoch=trainer.step / size, share=trainer.share_done)
    steps = trainer.train()
    try:
        for values in steps:
            now = time.monotonic()
            if "ends_epoch" in values:
                scores = {
                    "epoch": -(-trainer.step // size),
                    "step": trainer.step,
                    "seconds": round(trainer.seconds, 2),
                    **{key: value for key, value in values.items() if key in COLUMNS},
                }
                with switch.uninterrupted():
                    # A training that was killed between its end and its model has said it already.
                    if trainer.step > trainer.reported:
                        _append(folder / LOSSES, scores)
                    trainer.note_reported()
                if now - last_save > cost / CHECKPOINT_SHARE:
                    save()
            if "ends_epoch" in values or now - last_report > REPORT_EVERY:
                last_report = now
                report(
                    state="training",
                    step=trainer.step,
                    epoch=trainer.step / size,
                    share=trainer.share_done,
                    **{key: scores[key] for key in COLUMNS[3:] if key in scores},
                    **({"new": True} if "ends_epoch" in values else {}),
                )
            if (folder / STOP).exists():
                raise Stopped
    except Stopped:
        save_checkpoint(folder, trainer.state())
        raise
    finally:
        steps.close()
    save()
    with switch.uninterrupted():
        _export(folder, trainer, scores, report)


def build_trainer(folder: Path, config: dict[str, Any]) -> Any:
    """Return nnU-Net's trainer for a configuration, its network built and its weights set."""
    import warnings

    # the TIFF reader of nnU-Net and a deprecated torch call warn at each use
    warnings.simplefilter("ignore")
    import torch

    from napari_copnet.networks.device import choose_device, keep_freed_memory
    from napari_copnet.networks.plan import plan_from_nnunet
    from napari_copnet.training import nnunet_trainer, nnunet_trainer_plans

    params = from_dict(TrainParams, config["params"])
    device = from_dict(DeviceParams, config["device"])
    keep_freed_memory()
    if device.threads:
        torch.set_num_threads(device.threads)
    data = folder / "dataset"
    dimensions = "2d" if params.dimensions == 2 else "3d_fullres"
    weights = None
    if config["start_from"]:
        from napari_copnet.networks.package import load_package

        start = load_package(config["start_from"])
        network_plan, weights = start.plan, start.weights()
        plans, dataset = nnunet_trainer_plans.plan_like(data, network_plan, params)
        dimensions = "2d" if network_plan.dimensions == 2 else "3d_fullres"
    else:
        plans, dataset = nnunet_trainer_plans.plan(data, params)
        network_plan = plan_from_nnunet(plans, dimensions, dataset)
    channels = 1 + 2 * params.context
    if weights is not None:
        weights = with_channels(weights, network_plan.in_channels, channels)
    network_plan = replace(
        network_plan, in_channels=channels, normalisation=network_plan.normalisation[:1] * channels
    )
    closing = config["kind"] == "closing"
    trainer = (nnunet_trainer.ClosingTrainer if closing else nnunet_trainer.StackTrainer)(
        {**plans, "continue_training": False},
        dimensions,
        0,
        dataset,
        torch.device(choose_device(device)),
    )
    if closing:
        trainer.degrade = from_dict(DegradeParams, config["degrade"])
    trainer.use(data, network_plan, params, device)
    trainer.initialize()
    if weights is not None:
        state = {name: torch.from_numpy(values) for name, values in weights.items()}
        missing = trainer.network.load_state_dict(state, strict=False)
        trained = {name for name, _ in trainer.network.named_parameters()}
        # only the auxiliary outputs of deep supervision may be left out of a package
        lacking = {n for n in missing.missing_keys if n in trained and "seg_layers" not in n}
        if lacking or missing.unexpected_keys:
            raise CopnetError(
                "The model to start from does not fit its own plan.", "Choose another model."
            )
    return trainer


def with_channels(weights: dict[str, Any], channels: int, wanted: int) -> dict[str, Any]:
    """Return weights for a network that sees more slices around the middle one.

    The slices it did not see before weigh nothing at first, so its output is the same.

    Parameters
    ----------
    weights : dict of ndarray
    channels, wanted : int
        Channels of the input, before and after: odd numbers.

    Raises
    ------
    CopnetError
        The model saw more slices than `wanted`.
    """
    import numpy as np

    if channels == wanted:
        return weights
    if channels > wanted or (wanted - channels) % 2:
        raise CopnetError(
            f"The model to start from takes {channels} channels, not {wanted}.",
            "Choose the context it was trained with, or a larger one.",
        )
    more = (wanted - channels) // 2
    changed = dict(weights)
    for name, values in weights.items():
        if name.startswith("encoder.stages.0.0.convs.0.") and values.ndim == 4:
            changed[name] = np.pad(values, ((0, 0), (more, more), (0, 0), (0, 0)))
    return changed


def _export(folder: Path, trainer: Any, scores: dict[str, Any], report: Any) -> None:
    """Write plan and weights where the parent makes a model package of them."""
    import numpy as np
    from safetensors.numpy import save_file

    from napari_copnet.files import whole_file

    weights = {
        name: np.ascontiguousarray(values.detach().float().cpu().numpy())
        for name, values in trainer.network.state_dict().items()
        if ".all_modules." not in name and not name.startswith("decoder.encoder.")
    }
    with whole_file(folder / f"{EXPORT}.safetensors") as beside:
        save_file(weights, str(beside))
    result = {
        "plan": trainer.network_plan.as_dict(),
        "scores": {key: scores[key] for key in COLUMNS if key in scores},
        "seconds": round(trainer.seconds, 1),
        "steps": trainer.step,
        "batch": int(trainer.batch_size),
        "device": str(trainer.device),
        "precision": str(trainer.autocast_dtype or "float32").removeprefix("torch."),
    }
    with whole_file(folder / f"{EXPORT}.json") as beside:
        beside.write_text(json.dumps(result))
    report(
        state="done",
        step=trainer.step,
        epoch=-(-trainer.step // trainer.params.iterations_per_epoch),
    )


def _append(path: Path, scores: dict[str, Any]) -> None:
    new = not path.exists()
    with path.open("a") as file:
        if new:
            file.write(",".join(COLUMNS) + "\n")
        file.write(",".join(str(scores.get(key, "")) for key in COLUMNS) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _trim_losses(path: Path, step: int) -> None:
    """Drop lines of epochs after `step`, which are about to be trained again."""
    if not path.exists():
        return
    lines = path.read_text().splitlines()
    kept = [line for line in lines[1:] if line.count(",") == len(COLUMNS) - 1]
    kept = [line for line in kept if int(line.split(",")[1]) <= step]
    from napari_copnet.files import whole_file

    with whole_file(path) as beside:
        beside.write_text("\n".join([lines[0], *kept]) + "\n")


if __name__ == "__main__":
    run(Path(sys.argv[1]))
