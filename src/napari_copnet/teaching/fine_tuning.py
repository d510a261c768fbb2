"""Fine-tune a model on the annotated slices of a project, and keep it in the gallery."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_copnet.errors import InputError
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
    as_dict,
    checked,
    from_dict,
)
from napari_copnet.progress import Progress, Steps
from napari_copnet.teaching import annotated_dataset
from napari_copnet.teaching.annotated_dataset import Split
from napari_copnet.teaching.fine_tuning_folder import (
    Unfinished,
    forget,
    read_record,
    tidy,
    train_params,
    unfinished,
    write_record,
)
from napari_copnet.teaching.out_of_fold import ancestors, folds_needed, out_of_fold
from napari_copnet.teaching.project import Project
from napari_copnet.teaching.slice_choice import looks_of
from napari_copnet.training import child, fit

__all__ = [
    "Prospect",
    "Unfinished",
    "ancestors",
    "began",
    "fine_tune",
    "forget",
    "free_name",
    "prospect",
    "resume",
    "unfinished",
]
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
        Which slices train, and which are held out.
    corrected : tuple of int
        Slices of which only corrections, or what was carried to them, train.
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


def prospect(
    project: Project,
    kind: str,
    parent: ModelPackage | None = None,
    params: FineTuneParams = FineTuneParams(),
    *,
    contour_model: ModelPackage | None = None,
    first: int = 0,
) -> Prospect:
    """Return what a fine-tuning would do; see `fine_tune` for parameters and errors.

    `first` is the number of the first slice in its text: 0 on the command line, 1 in the window.
    """
    params = checked(params)
    if kind not in KINDS:
        raise InputError(f"There is no kind of network {kind!r}.", "Choose contours or closing.")
    parent = parent or find_model("default", kind)
    if parent.kind != kind:
        raise InputError(
            f"Model {parent.name!r} is a {parent.kind} model, not a {kind} model.",
            f"Choose a {kind} model to start from.",
        )
    if parent.plan.dimensions != 2:
        raise InputError(
            f"Model {parent.name!r} is a 3D model, but single slices are annotated.",
            "Start from a 2D model.",
        )
    parts = annotated_dataset.split(project.done, params.hold_out, first=first)
    corrected: list[int] = []
    if params.corrections:
        corrected = annotated_dataset.corrected_slices(project, parts.held_out)
    lines = [parts.text]
    if corrected:
        lines.append(f"Corrections in {len(corrected)} more slices are used as well.")
    carried = annotated_dataset.carried_slices(project, parts) if params.carried else []
    if carried:
        lines.append(f"Contours carried to {len(carried)} more slices are used as well.")
        corrected = sorted({*corrected, *carried})
    steps = f", or {params.steps} steps" if params.steps else ""
    lines.append(f"Starts from {parent.name} and trains for {params.minutes:g} min{steps}.")
    minutes = params.minutes
    if kind == "closing":
        maps = contour_model or find_model("default", "contours")
        used = [*parts.train, *parts.held_out, *corrected]
        folds = len(folds_needed(project, maps, used, params))
        if folds:
            minutes += folds * params.fold_minutes
            lines.append(
                f"{maps.name} was trained on these slices: {folds} models that were not are "
                f"trained first, {params.fold_minutes:g} min each, to make the maps."
            )
        else:
            lines.append(f"{maps.name} makes the Step 1 maps.")
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
    """Fine-tune a model on a project's annotated slices and add it to the models folder.

    Training runs in a process of its own, which ends with this one. Closing the generator stops
    it with a checkpoint, from which `resume` continues, even after a restart.

    Parameters
    ----------
    project : Project
        Its slices that are done train; see `annotated_dataset.split` for those held out.
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
        The models folder; the user's own when not given.
    command : str
        For the card.
    degrade : DegradeParams, optional
        Closing: how gaps are simulated beside the real ones, in pixels as networks see them.

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
            "Resume it, discard it, or give the new model another name.",
        )
    slices = sorted({*plan.split.train, *plan.split.held_out, *plan.corrected})
    annotated = yield from annotated_dataset.write_slices(project, work / "annotated", slices)
    step1: dict[int, Path] | None = None
    if kind == "closing":
        maps = contour_model or find_model("default", "contours")
        step1 = yield from out_of_fold(project, maps, slices, annotated, work, params, device)
    size = project.network_size
    card = _card(project, plan, slices, params, command)
    write_record(work, kind, name, parent, params, device, size, card, degrade)
    package = yield from fit.train(
        kind,
        annotated_dataset.sources(kind, annotated, slices, plan.split, step1),
        out,
        train_params(params, parent),
        degrade,
        device=device,
        name=name,
        start_from=parent.folder,
        card=card,
        size=size,
    )
    tidy(work)
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
    record = read_record(work)
    if record is None or not (work / child.CONFIG).exists():
        raise InputError(f"There is no fine-tuning of {out.name} to resume.", "Start a new one.")
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
    tidy(work)
    return package


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
            *parent.data,
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


def began(progress: Progress) -> bool:
    """Whether the network itself has begun to train, as opposed to what comes before."""
    return progress.step == "training" and not progress.note
