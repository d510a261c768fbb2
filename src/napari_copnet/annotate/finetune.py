"""Fine-tune a model on the annotated slices of a project, and keep it in the gallery."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_copnet.annotate import dataset
from napari_copnet.annotate.choose import looks_of
from napari_copnet.annotate.dataset import Split
from napari_copnet.annotate.project import Project
from napari_copnet.errors import CopnetError, InputError
from napari_copnet.files import whole_file
from napari_copnet.networks.package import (
    KINDS,
    ModelPackage,
    check_name,
    find_model,
    list_models,
    load_package,
    models_folder,
)
from napari_copnet.params import (
    DegradeParams,
    DeviceParams,
    FineTuneParams,
    TrainParams,
    as_dict,
    checked,
    from_dict,
)
from napari_copnet.progress import Progress, Steps
from napari_copnet.training import child, fit
from napari_copnet.training.dataset import MARGIN

RECORD = "finetune.json"
# Slices whose looks a card keeps, so that unlike ones can be proposed later.
MOST_LOOKS = 100


@dataclass(frozen=True)
class Prospect:
    """What a fine-tuning will do, before it is begun.

    Attributes
    ----------
    kind : str
        ``"contours"`` or ``"closing"``.
    parent : ModelPackage
        The model it begins from.
    split : dataset.Split
        Which slices train, and which are kept apart.
    corrected : tuple of int
        Slices of which only corrections train.
    minutes : float
        How long it trains; that of folds included.
    text : str
        Sentences for people.
    """

    kind: str
    parent: ModelPackage
    split: Split
    corrected: tuple[int, ...]
    minutes: float
    text: str


@dataclass(frozen=True)
class Unfinished:
    """A fine-tuning that was stopped, or whose window or machine went down.

    Attributes
    ----------
    out : Path
        The model folder it will write; hand it to `resume`.
    name, kind, parent : str
        Of the model, and the name of the one it began from.
    begun : str
        ISO time.
    """

    out: Path
    name: str
    kind: str
    parent: str
    begun: str


def prospect(
    project: Project,
    kind: str,
    parent: ModelPackage | None = None,
    params: FineTuneParams = FineTuneParams(),
    *,
    contour_model: ModelPackage | None = None,
) -> Prospect:
    """Return what a fine-tuning would do; see `fine_tune` for parameters and errors."""
    params = checked(params)
    if kind not in KINDS:
        raise InputError(f"A network can't be of the kind {kind!r}.", "Choose contours or closing.")
    parent = parent or find_model("default", kind)
    if parent.kind != kind:
        raise InputError(
            f"Model {parent.name!r} is a {parent.kind} model, not a {kind} model.",
            f"Choose a {kind} model to begin from.",
        )
    if parent.plan.dimensions != 2:
        raise InputError(
            f"Model {parent.name!r} works on stacks of slices, and single slices are annotated.",
            "Begin from a model of two dimensions.",
        )
    parts = dataset.split(project.done, params.hold_out)
    corrected: list[int] = []
    if params.corrections:
        corrected = dataset.corrected_slices(project, parts.held_out)
    lines = [parts.text]
    if corrected:
        lines.append(f"Corrections in {len(corrected)} more slices train too.")
    steps = f", or {params.steps} steps" if params.steps else ""
    lines.append(f"Begins from {parent.name} and trains for {params.minutes:g} min{steps}.")
    minutes = params.minutes
    if kind == "closing":
        maps = contour_model or find_model("default", "contours")
        folds = len(_folds(project, maps, [*parts.train, *parts.held_out, *corrected], params))
        if folds:
            minutes += folds * params.fold_minutes
            lines.append(
                f"{maps.name} has learnt from these slices: {folds} models that have not are "
                f"trained first, {params.fold_minutes:g} min each, to make the maps."
            )
        else:
            lines.append(f"The maps are made by {maps.name}.")
    return Prospect(kind, parent, parts, tuple(corrected), minutes, " ".join(lines))


def fine_tune(
    project: Project,
    kind: str,
    parent: ModelPackage | None = None,
    params: FineTuneParams = FineTuneParams(),
    *,
    contour_model: ModelPackage | None = None,
    device: DeviceParams | None = None,
    name: str | None = None,
    folder: Path | str | None = None,
    command: str = "",
    degrade: DegradeParams | None = None,
) -> Steps[ModelPackage]:
    """Fine-tune a model on a project's annotated slices and add it to the gallery.

    Training runs in a process of its own, which ends with this one. Closing the generator stops
    it with a checkpoint, from which `resume` goes on, also after a restart.

    Parameters
    ----------
    project : Project
        Its done slices train; see `dataset.split` for those kept apart.
    kind : str
        ``"contours"`` (image → contour) or ``"closing"`` (Step 1 map → contour).
    parent : ModelPackage, optional
        The model to begin from; the default one of the kind when not given.
    params : FineTuneParams
    contour_model : ModelPackage, optional
        Closing: the model that makes the maps; the default one when not given. Where it has
        learnt from the slices, models that have not are trained first.
    device : DeviceParams, optional
    name : str, optional
        Of the new model; made of the stack's name, the kind and the date when not given.
    folder : path, optional
        The gallery; the user's models folder when not given.
    command : str
        For the card.
    degrade : DegradeParams, optional
        Closing: how gaps are simulated besides the real ones, in pixels of what networks see.

    Yields
    ------
    Progress
        Steps ``"annotated"``, ``"dataset"``, ``"fold N"`` (closing, where needed) and
        ``"training"``, as `training.fit.train`.

    Returns
    -------
    ModelPackage
        Its card holds ``parent`` (name, sha256), ``learnt`` (slices of which stacks it and its
        parents have learnt from), ``created`` and ``scores``.

    Raises
    ------
    CopnetError
        Nothing is annotated, models do not fit, a name is taken, or training failed.
    """
    params = checked(params)
    plan = prospect(project, kind, parent, params, contour_model=contour_model)
    parent = plan.parent
    gallery = Path(folder) if folder is not None else models_folder()
    name = name or free_name(project.session.facts.name, kind, gallery)
    out = gallery / check_name(name)
    if out.exists():
        raise InputError(f"There is already a model {name!r}.", "Give the new one another name.")
    work = fit.work_folder(out)
    if any(one.out == out for one in unfinished(gallery)):
        raise InputError(
            f"A fine-tuning named {name!r} is unfinished.",
            "Go on with it, forget it, or give the new model another name.",
        )
    slices = sorted({*plan.split.train, *plan.split.held_out, *plan.corrected})
    annotated = yield from dataset.write_slices(project, work / "annotated", slices)
    step1: dict[int, Path] | None = None
    if kind == "closing":
        maps = contour_model or find_model("default", "contours")
        step1 = yield from _out_of_fold(project, maps, slices, annotated, work, params, device)
    size = project.network_size
    card = _card(project, plan, slices, params, command)
    _write_record(work, kind, name, parent, params, device, size, card, degrade)
    package = yield from fit.train(
        kind,
        dataset.sources(kind, annotated, slices, plan.split, step1),
        out,
        train_params(params, parent),
        degrade,
        device=device,
        name=name,
        start_from=parent.folder,
        card=card,
        size=size,
    )
    _tidy(work)
    return package


def resume(out: Path | str) -> Steps[ModelPackage]:
    """Go on with a fine-tuning that was stopped, from its last checkpoint, to the same end.

    Parameters
    ----------
    out : path
        Of an `Unfinished`. The project is not needed: its slices were written down.

    Yields, returns, raises
    -----------------------
    As `fine_tune`.
    """
    out = Path(out)
    work = fit.work_folder(out)
    record = _read_record(work)
    if record is None or not (work / child.CONFIG).exists():
        raise InputError(f"There is no fine-tuning of {out.name} to go on with.", "Begin it anew.")
    params = from_dict(FineTuneParams, record["params"])
    package = yield from fit.train(
        record["kind"],
        [],
        out,
        train_params(params, load_package(record["start_from"])),
        from_dict(DegradeParams, record.get("degrade", {})),
        device=from_dict(DeviceParams, record["device"]),
        resume=True,
        name=record["name"],
        start_from=Path(record["start_from"]),
        card=record["card"],
        size=record["size"],
    )
    _tidy(work)
    return package


def unfinished(folder: Path | str | None = None) -> list[Unfinished]:
    """Return the fine-tunings that can be resumed, the newest first.

    One that runs at this moment, here or in another window, is among them; `resume` refuses it.
    """
    gallery = Path(folder) if folder is not None else models_folder()
    found = []
    for work in sorted(gallery.glob("*.training")) if gallery.is_dir() else ():
        out = work.with_name(work.name.removesuffix(".training"))
        record = _read_record(work)
        if record is None or out.exists() or not (work / child.CONFIG).exists():
            continue
        found.append(
            Unfinished(out, record["name"], record["kind"], record["parent"], record["begun"])
        )
    return sorted(found, key=lambda one: one.begun, reverse=True)


def forget(one: Unfinished) -> None:
    """Remove an unfinished fine-tuning; its annotations stay in their project."""
    shutil.rmtree(fit.work_folder(one.out), ignore_errors=True)


def free_name(stack: str, kind: str, gallery: Path | None = None) -> str:
    """Return a name for a new model: stack, kind and today's date, counted on where taken."""
    gallery = gallery or models_folder()
    stem = re.sub(r"[^A-Za-z0-9]+", "-", stack).strip("-")[:30] or "model"
    base = f"{stem}-{kind}-{datetime.now(UTC):%Y-%m-%d}"
    names = {model.name for model in list_models()}

    def taken(name: str) -> bool:
        out = gallery / name
        return name in names or out.exists() or fit.work_folder(out).exists()

    number = 1
    while taken(base if number == 1 else f"{base}.{number}"):
        number += 1
    return base if number == 1 else f"{base}.{number}"


def train_params(params: FineTuneParams, parent: ModelPackage) -> TrainParams:
    """Return how `training.fit.train` is to train."""
    batch = params.batch or int(parent.card.get("batch", 0))
    return TrainParams(
        size="small",
        epochs=-(-params.steps // params.steps_per_epoch) if params.steps else 100_000,
        minutes=params.minutes,
        iterations_per_epoch=params.steps_per_epoch,
        patch=params.patch,
        batch=batch,
        learning_rate=params.learning_rate,
        seed=params.seed,
    )


def ancestors(model: ModelPackage) -> list[ModelPackage]:
    """Return the models it was fine-tuned from, its parent first, as far as they are here."""
    known = {one.sha256: one for one in (*list_models(), *_shipped())}
    found: list[ModelPackage] = []
    at = model
    while at.card.get("parent"):
        parent = at.card["parent"]
        digest = parent.get("sha256", "") if isinstance(parent, dict) else ""
        if digest not in known or known[digest] in found:
            break
        at = known[digest]
        found.append(at)
    return found


# Maps out of fold ------------------------------------------------------------


def _folds(
    project: Project, model: ModelPackage, slices: Sequence[int], params: FineTuneParams
) -> list[tuple[list[int], list[int]]]:
    """Return (slices to train on, slices to predict) of each fold that is needed.

    None where the model has not learnt from the slices, nor where too few are left to split.
    """
    seen = sorted(dataset.learnt_slices(model, project.stack_id) & set(slices))
    count = min(params.folds, len(seen))
    size = -(-len(seen) // count) if count else 0
    blocks = [seen[first : first + size] for first in range(0, len(seen), size)] if size else []
    folds = []
    for block in blocks:
        others = [z for z in seen if all(abs(z - other) >= MARGIN for other in block)]
        if not others:
            return []
        folds.append((others, block))
    return folds


def _out_of_fold(
    project: Project,
    model: ModelPackage,
    slices: Sequence[int],
    annotated: Path,
    work: Path,
    params: FineTuneParams,
    device: DeviceParams | None,
) -> Steps[dict[int, Path]]:
    """Return, for each slice, a contour model that has not learnt from it."""
    maps = {z: model.folder for z in slices}
    seen = dataset.learnt_slices(model, project.stack_id) & set(slices)
    if not seen:
        return maps
    fresh = next(
        (
            one
            for one in ancestors(model)
            if not dataset.learnt_slices(one, project.stack_id) & set(slices)
        ),
        None,
    )
    if fresh is None:
        raise CopnetError(
            f"Model {model.name!r} has learnt from these slices, and the model it began from is "
            "not here.",
            "Choose a contour model that has not learnt from them.",
        )
    maps.update(dict.fromkeys(seen, fresh.folder))
    folds = _folds(project, model, slices, params)
    for number, (others, block) in enumerate(folds, start=1):
        out = work / f"fold-{number}"
        short = replace(params, minutes=params.fold_minutes)
        training = fit.train(
            "contours",
            dataset.sources("contours", annotated, slices, Split(tuple(others), (), ""))
            if set(others) == set(slices)
            else _some(annotated, slices, others),
            out,
            train_params(short, fresh),
            device=device,
            start_from=fresh.folder,
            size=project.network_size,
        )
        with contextlib.closing(training):
            while True:
                try:
                    progress = next(training)
                except StopIteration:
                    break
                yield replace(progress, step=f"fold {number} of {len(folds)}")
        maps.update(dict.fromkeys(block, out))
    return maps


def _some(annotated: Path, slices: Sequence[int], chosen: Sequence[int]) -> list[Any]:
    index = {z: number for number, z in enumerate(slices)}
    whole = dataset.sources("contours", annotated, slices, Split(tuple(chosen), (), ""))
    return [replace(whole[0], slices=",".join(str(index[z]) for z in chosen))]


# What is written down --------------------------------------------------------


def _card(
    project: Project, plan: Prospect, slices: Sequence[int], params: FineTuneParams, command: str
) -> dict[str, Any]:
    parent = plan.parent
    learnt = list(parent.card.get("learnt", []))
    trained = [z for z in slices if z not in plan.split.held_out]
    learnt.append(
        {
            "stack": project.stack_id,
            "name": project.session.facts.name,
            "slices": trained,
            "held_out": list(plan.split.held_out),
        }
    )
    looks = looks_of(project.session, trained[:MOST_LOOKS])
    card: dict[str, Any] = {
        "parent": {"name": parent.name, "sha256": parent.sha256},
        "learnt": learnt,
        "data": [
            *parent.card.get("data", []),
            f"{project.session.facts.name}, annotated slices {', '.join(map(str, trained))}",
        ],
        "looks": looks.round(4).tolist(),
        "fine_tuning": as_dict(params),
    }
    if "licence" in parent.card:
        card["licence"] = parent.card["licence"]
    if command:
        card["command"] = command
    return card


def _write_record(
    work: Path,
    kind: str,
    name: str,
    parent: ModelPackage,
    params: FineTuneParams,
    device: DeviceParams | None,
    size: int,
    card: dict[str, Any],
    degrade: DegradeParams | None,
) -> None:
    values = {
        "kind": kind,
        "name": name,
        "parent": parent.name,
        "start_from": str(parent.folder.resolve()),
        "params": as_dict(params),
        "device": as_dict(device or DeviceParams()),
        "degrade": as_dict(degrade or DegradeParams()),
        "size": size,
        "card": card,
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with whole_file(work / RECORD) as beside:
        beside.write_text(json.dumps(values, indent=1) + "\n")


def _read_record(work: Path) -> dict[str, Any] | None:
    try:
        values = json.loads((work / RECORD).read_text())
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _tidy(work: Path) -> None:
    """Keep losses and log of a finished training; slices and checkpoints take much room."""
    for part in ("annotated", "dataset"):
        shutil.rmtree(work / part, ignore_errors=True)
    for path in (*work.glob("checkpoint*.pt"), *work.glob(f"{child.EXPORT}.*")):
        path.unlink(missing_ok=True)
    for path in work.glob("fold-*"):
        shutil.rmtree(path, ignore_errors=True)


def _shipped() -> list[ModelPackage]:
    found = []
    for kind in KINDS:
        with contextlib.suppress(CopnetError):
            found.append(find_model("shipped", kind))
    return found


def began(progress: Progress) -> bool:
    """Whether the network itself has begun to train, as opposed to what comes before."""
    return progress.step == "training" and not progress.note
