"""Train a network in one child process, with progress, cancelling and resuming."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.files import check_writable, whole_file
from napari_copnet.folders import check_free
from napari_copnet.networks.package import (
    KINDS,
    ModelPackage,
    check_name,
    is_model_folder,
    save_package,
)
from napari_copnet.networks.plan import NetworkPlan, plan_from_dict
from napari_copnet.params import (
    DegradeParams,
    DeviceParams,
    TrainParams,
    as_dict,
    checked,
    with_present_names,
)
from napari_copnet.progress import Progress, Steps
from napari_copnet.records import read_record
from napari_copnet.training import child, dataset
from napari_copnet.training.losses import learning_curve, read_losses
from napari_copnet.training.sources import Source, SyntheticTissue, describe_sources
from napari_copnet.training.work import check_work_folder, clear, work_folder

POLL = 0.2
# a step of the largest network on a slow processor, then the checkpoint
GRACE = 20.0
# What a training of synthetic tissue is called in its record, now and before.
_SYNTHETIC = ("SyntheticTissue", "MadeTissue")
# What another training must not find.
_BEGUN = (child.LOSSES, child.CONFIG, "log.txt", "checkpoint.pt", "checkpoint-previous.pt")


def train(
    kind: str,
    sources: Sequence[Source | SyntheticTissue],
    out: Path | str,
    params: TrainParams | None = None,
    degrade: DegradeParams | None = None,
    *,
    device: DeviceParams | None = None,
    resume: bool = False,
    name: str | None = None,
    start_from: Path | str | None = None,
    card: dict[str, Any] | None = None,
    size: int = 512,
    width: float = 4.0,
    replace: bool = False,
) -> Steps[ModelPackage]:
    """Train a contour or closing network and write it as a model folder.

    Examples, ``losses.csv`` (a line per epoch, as it ends), ``log.txt`` and checkpoints lie in
    ``OUT.training`` beside `out`. Closing the generator stops the training with a checkpoint.

    Parameters
    ----------
    kind : str
        ``"contours"`` (Step 1) or ``"closing"`` (Step 2).
    sources : sequence of Source or SyntheticTissue
        The training data. May be left out to resume.
    out : path
        The model folder to write: missing, empty, or a model's that may be replaced.
    params, degrade, device
        Settings.
    resume : bool
        Resume from the last checkpoint, with the same schedule. What it has written to `out` before
        is replaced.
    name : str, optional
        Name of the model; that of the folder by default.
    start_from : path, optional
        A model folder whose network and weights to begin with (fine-tuning).
    card : dict, optional
        What else the model card shall say, such as ``licence`` and ``command``.
    size : int
        Longer in-plane side the network shall see; 0 keeps the sources' own.
    width : float
        Width of contours drawn between labels, in pixels after resizing.
    replace : bool
        Whether a model in `out` may be replaced. Anything else that is there stays.

    Yields
    ------
    Progress
        Step ``"dataset"`` in sources, then ``"training"`` in epochs; `partial` is a dict of the
        newest ``train_loss``, ``validation_loss``, ``validation_dice`` and ``learning_rate``.

    Returns
    -------
    ModelPackage
        The trained model.

    Raises
    ------
    CopnetError
        A source or setting can't be used, there is nothing to resume, training failed, or `out`
        or ``OUT.training`` holds something that stays.
    """
    params = checked(params or TrainParams())
    degrade = checked(degrade or DegradeParams())
    device = checked(device or DeviceParams())
    out = Path(out)
    work = work_folder(out)
    if kind not in KINDS:
        raise InputError(f"There is no kind of network {kind!r}.", "Choose contours or closing.")
    if kind == "closing" and params.dimensions != 2:
        raise InputError("The closing network is two-dimensional.", "Set dimensions to 2.")
    if params.context and (kind != "closing" or degrade.method == "circles"):
        raise InputError(
            "Only a closing network trained on degraded maps can see neighbouring slices.",
            "Set context to 0.",
        )
    check_name(name or out.name)
    replace = replace or resume
    check_free(out, is_model_folder, replace=replace)
    check_work_folder(work)
    before = _previous(work)
    if resume and before is None:
        raise InputError(f"There is no training of {out} to resume.", "Start it without resume.")
    if resume and before is not None and not sources:
        sources = _sources_of(before)
    check_writable(work)
    settings = {
        "params": as_dict(params),
        "degrade": as_dict(degrade),
        "start_from": str(Path(start_from).resolve()) if start_from else "",
    }
    with _alone(work):
        if resume and before is not None:
            _same_training(before, kind, settings)
        else:
            clear(work, *_BEGUN)
        yield from dataset.prepare(
            kind,
            sources,
            work / "dataset",
            size=size,
            width=width,
            degrade=degrade,
            seed=params.seed,
            fixed_maps=params.fixed_maps,
            artefacts=params.artefacts,
        )
        config = {
            "kind": kind,
            **settings,
            "device": as_dict(device),
            "sources": [_plain(source) for source in sources],
            "resume": resume,
            "parent": os.getpid(),
        }
        _write_json(work / child.CONFIG, config)
        yield from _run_child(work, params)
        result = json.loads((work / f"{child.EXPORT}.json").read_text())
        from safetensors.numpy import load_file

        package = save_package(
            out,
            name=name or out.name,
            kind=kind,
            plan=whole_slices(plan_from_dict(result["plan"]), size),
            weights=load_file(work / f"{child.EXPORT}.safetensors"),
            card={
                "data": describe_sources(sources),
                "scores": result["scores"],
                "curve": learning_curve(read_losses(out)),
                "seconds": result["seconds"],
                "steps": result["steps"],
                "batch": result["batch"],
                "device": result["device"],
                "precision": result["precision"],
                "settings": settings["params"],
                **({"degradation": settings["degrade"]} if kind == "closing" else {}),
                "input_size": size,
                "data_sha256": dataset.fingerprint(work / "dataset"),
                **(card or {}),
            },
            replace=replace,
        )
        epochs = float(result["scores"].get("epoch", params.epochs))
        yield Progress("training", epochs, epochs, "epochs", partial=result["scores"])
        return package


def whole_slices(plan: NetworkPlan, size: int) -> NetworkPlan:
    """Return a 2D plan that predicts slices of up to `size` px in one tile.

    Nine tiles of 256×256 cost 4.6 times one of 512×512 and were no better (fib25, validation
    slices: NSD 0.850 against 0.862). Short of memory, prediction takes smaller tiles by itself.
    """
    if plan.dimensions != 2:
        return plan
    steps = plan.total_stride
    tile = tuple(
        max(patch, -(-size // step) * step)
        for patch, step in zip(plan.patch_size, steps, strict=True)
    )
    return dataclasses.replace(plan, tile_size=tile)


def _run_child(work: Path, params: TrainParams) -> Iterator[Progress]:
    """Run the training process to its end, passing its progress on."""
    progress = work / child.PROGRESS
    for path in (progress, work / child.STOP, work / f"{child.EXPORT}.json"):
        path.unlink(missing_ok=True)
    with (work / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "napari_copnet.training.child", str(work)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "MPLBACKEND": "agg"},
        )
    last: dict[str, Any] = {"state": "starting"}
    read = 0
    try:
        while True:
            ended = process.poll() is not None
            for line in _new_lines(progress, read):
                read += len(line)
                last = json.loads(line)
                if last.get("new"):
                    yield _progress(last, params)
            if ended:
                break
            yield _progress(last, params)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL)
        if last["state"] == "error":
            raise CopnetError(last["message"], last["hint"] or f"The log is {work / 'log.txt'}.")
        if last["state"] == "stopped":
            raise CopnetError(
                "The training process was stopped from outside.", "You can resume it at any time."
            )
        if process.returncode != 0 or last["state"] != "done":
            raise CopnetError(
                f"The training process ended with code {process.returncode}.",
                f"Resume it; if it happens again, the log is {work / 'log.txt'}.",
            )
    finally:
        _stop(process, work)


def _stop(process: subprocess.Popen, work: Path) -> None:
    """Ask a running child to save and stop; kill it when it does not."""
    if process.poll() is not None:
        return
    (work / child.STOP).touch()
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _progress(last: dict[str, Any], params: TrainParams) -> Progress:
    if last["state"] == "starting":
        return Progress("training", 0, params.epochs, "epochs", "Planning the network.")
    losses = {key: last[key] for key in child.COLUMNS[3:] if key in last}
    done, share = float(last.get("epoch", 0.0)), float(last.get("share", 1.0))
    # with a time limit the number of epochs follows from the speed so far
    unknown = 1.0 if params.minutes else params.epochs
    total = max(done, min(params.epochs, done / share if share > 0 else unknown))
    return Progress("training", done, total, "epochs", partial=losses or None)


def _new_lines(path: Path, start: int) -> list[bytes]:
    """Return the complete lines of a growing file from byte `start` on."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(start)
        return [line for line in file.readlines() if line.endswith(b"\n")]


def _previous(work: Path) -> dict[str, Any] | None:
    try:
        return read_record(work / child.CONFIG, {"params": dict, "kind": str})
    except InputError:
        return None


def _same_training(before: dict[str, Any], kind: str, settings: dict[str, Any]) -> None:
    """Refuse to resume with settings that would change the training."""
    now = {"kind": kind, **settings}
    # the length may change: the schedule then runs to the new end
    free = {"epochs", "minutes"}
    # a setting that did not exist then had the value that is its default now
    began = {**as_dict(TrainParams()), **with_present_names(before["params"])}
    for key in ("kind", "degrade", "start_from"):
        if before.get(key) != now[key]:
            raise InputError(
                f"This training was started with another {key.replace('_', ' ')}.",
                "Resume it with the same settings, or start a new training.",
            )
    for key, value in now["params"].items():
        if key not in free and began.get(key) != value:
            raise InputError(
                f"This training was started with {key} {began.get(key)}, not {value}.",
                "Resume it with the same settings, or start a new training.",
            )


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Lock the work folder: two trainings would overwrite each other's checkpoints."""
    import filelock

    work.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(work / "lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise CopnetError(
            f"A training of {work.stem} is already running.",
            "Wait for it, stop it, or choose another --out.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _plain(source: Source | SyntheticTissue) -> dict[str, Any]:
    values = dataclasses.asdict(source)
    values["type"] = type(source).__name__
    return json.loads(json.dumps(values, default=str))


def _sources_of(config: dict[str, Any]) -> list[Source | SyntheticTissue]:
    try:
        return [_source_of(entry) for entry in config["sources"]]
    except (CopnetError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            "The record of this training is damaged: what it trains on can't be read.",
            "Start a new training.",
        ) from error


def _source_of(entry: dict[str, Any]) -> Source | SyntheticTissue:
    from napari_copnet.params import TissueParams, from_dict

    values = dict(entry)
    values["step1"] = Path(values["step1"]) if values.get("step1") else None
    if values.pop("type") in _SYNTHETIC:
        if values["params"] is not None:
            values["params"] = from_dict(TissueParams, values["params"])
        return SyntheticTissue(**values)
    for key in ("truth", "image", "contours", "annotated"):
        values[key] = Path(values[key]) if values.get(key) else None
    for key in ("planes", "positions", "sizes"):
        values[key] = tuple(values.get(key, ()))
    return Source(**values)


def _write_json(path: Path, value: Any) -> None:
    with whole_file(path) as beside:
        beside.write_text(json.dumps(value, indent=1))
