"""The loop of teaching: a slice is done, its contours are carried, a model learns, the next comes.

Each function does one of these for a project, and whatever it made lies in the project's folder
before it returns::

    annotation/loop.json        how well each newest model did in each slice before it learnt it
    annotation/rounds/NAME      the newest model, and the one before
    annotation/rounds/*.training  a round that was stopped, to be gone on with

So a program that is killed loses what it was computing and nothing else: the next call of `advance`
goes on there.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.evaluation.effort import correction_effort
from napari_copnet.evaluation.scores import evaluate_all
from napari_copnet.networks.package import ModelPackage, find_model
from napari_copnet.params import ChooseParams, DeviceParams, FineTuneParams, LoopParams
from napari_copnet.progress import Steps
from napari_copnet.teaching.annotated_dataset import learnt_slices
from napari_copnet.teaching.carrying.project_carry import carry_done
from napari_copnet.teaching.fine_tuning import fine_tune, resume, unfinished
from napari_copnet.teaching.loop_models import (
    current_model,
    newest_model,
    next_name,
    rounds,
    rounds_folder,
)
from napari_copnet.teaching.loop_state import Point, read_points, write_points
from napari_copnet.teaching.prefilled import PrefilledSlice
from napari_copnet.teaching.project import DONE, UNTOUCHED, Project
from napari_copnet.teaching.slice_choice import Proposal, propose
from napari_copnet.teaching.slices_for_networks import SlicesForNetworks, load_network
from napari_copnet.teaching.state_folder import FOLDER
from napari_copnet.training.fit import work_folder
from napari_copnet.training.truth import CONTOUR, IGNORE
from napari_copnet.training.work import remove, remove_model

# Where correcting a model's contours takes more of the clicks of drawing, those that were carried
# help more: at the ends of carrying they took .02 to .28 of them.
HELPS = 0.3
# Nearer to a slice that is done, another teaches little, slices.
FAR = 3


@dataclass(frozen=True)
class LoopStep:
    """Where a project stands after `advance`.

    Attributes
    ----------
    model : ModelPackage or None
        The newest of this project; None before the first round.
    points : tuple of Point
        The curve.
    next : Proposal or None
        The slice to correct; None where there is none left.
    carried : tuple of int
        Slices to which contours were carried now.
    """

    model: ModelPackage | None
    points: tuple[Point, ...]
    next: Proposal | None
    carried: tuple[int, ...]


def curve(project: Project) -> list[Point]:
    """Return how well the newest model did in each slice before it learnt from it."""
    return read_points(project.folder / FOLDER)


def unmeasured(project: Project, model: ModelPackage | None = None) -> list[int]:
    """Return the slices that are done, not on the curve, and that the model has not learnt from."""
    known = {point.z for point in curve(project)}
    model = model or newest_model(project)
    learnt = set() if model is None else learnt_slices(model, project.stack_id)
    return [z for z in project.done if z not in known | learnt]


def unlearnt(project: Project) -> list[int]:
    """Return the slices that are done and that the newest model has not learnt from."""
    model = newest_model(project)
    learnt = set() if model is None else learnt_slices(model, project.stack_id)
    return [z for z in project.done if z not in learnt]


def measure(
    project: Project,
    slices: Sequence[int],
    *,
    model: ModelPackage | None = None,
    device: DeviceParams | None = None,
) -> Steps[list[Point]]:
    """Add to the curve how well the newest model does in slices that it has not learnt from.

    Before the first round that is the default contour model, which is scored beside the newest
    afterwards. The default closing model closes.

    Parameters
    ----------
    project : Project
    slices : sequence of int
        From `unmeasured`.
    model : ModelPackage, optional
        That was the newest when they were done, where it may not be when this is run.
    device : DeviceParams, optional

    Yields
    ------
    Progress
        Steps ``"contours"``, ``"closing"`` and ``"evaluate"``.

    Returns
    -------
    list of Point
        The new ones, in the order of `slices`.

    Raises
    ------
    CopnetError
        The model has learnt from one of them, or the image is not to be found.
    """
    project.check_writable()
    model = model or current_model(project)
    learnt = learnt_slices(model, project.stack_id)
    seen = sorted(learnt & set(slices))
    if seen:
        raise InputError(
            f"{model.name} has learnt from slice {seen[0]}.", "Score it on another slice."
        )
    found: list[Point] = []
    default = find_model("default", "contours")
    known = learnt_slices(default, project.stack_id)
    for z in slices:
        labelled = nsd = effort = before = None
        view = SlicesForNetworks(project, [z])
        mask = yield from _closed(view, model, device)
        if mask is not None:
            labelled, nsd = yield from _scored(view, mask[0])
            truth = view.truth()[0]
            effort = correction_effort(mask[1][0], truth == CONTOUR, truth != IGNORE)
        if default.sha256 != model.sha256 and z not in known:
            mask = yield from _closed(view, default, device)
            if mask is not None:
                before, _ = yield from _scored(view, mask[0])
        point = Point(z, len(learnt), model.name, model.sha256, labelled, nsd, effort, before)
        found.append(point)
        write_points(project.folder / FOLDER, [*curve(project), point])
    return found


def _scored(view: SlicesForNetworks, mask: np.ndarray) -> Steps[tuple[float | None, float | None]]:
    """Return labelled and NSD of a slice, or None where it has no cell."""
    scores = yield from evaluate_all({"model": mask}, view.true(), view.slices)
    one = scores["model"]
    return (one.mean("labelled"), one.mean("nsd")) if one.values("labelled") else (None, None)


def prefill(
    project: Project, z: int, *, device: DeviceParams | None = None
) -> Steps[PrefilledSlice | None]:
    """Have a model draw a slice; nothing is changed: give it to `Project.take_prefilled`.

    That is the newest model, or the default one where it got clearly more cells of the last slice
    right (`loop_state.Point.harmed`).

    Returns
    -------
    PrefilledSlice or None
        None where the model takes most of the slice as contour.
    """
    model = drawing_model(project)
    drawn = yield from _closed(SlicesForNetworks(project, [z]), model, device)
    return None if drawn is None else PrefilledSlice(z, model.sha256, drawn[1][0] > 0)


def drawing_model(project: Project) -> ModelPackage:
    """Return the model that draws the next slice; see `prefill`."""
    newest, points = newest_model(project), curve(project)
    if newest is None or (points and points[-1].harmed):
        return find_model("default", "contours")
    return newest


def wants_prefill(project: Project, z: int) -> bool:
    """Whether a model should draw a slice: nobody has, and nothing was carried to it."""
    if project.state(z) != UNTOUCHED or project.carried(z) is not None:
        return False
    if newest_model(project) is None:
        # a run's contours are those of the default model already
        return not project.session.contour[z].any()
    prefilled = project.prefilled(z)
    return prefilled is None or prefilled.model != drawing_model(project).sha256


def train_round(
    project: Project,
    params: LoopParams = LoopParams(),
    *,
    device: DeviceParams | None = None,
    fine_tuning: FineTuneParams = FineTuneParams(),
    command: str = "",
) -> Steps[ModelPackage]:
    """Train the newest model on all slices that are done; a round that was stopped goes on.

    No slice is held out: the next one that is done shows how good the model is. Of the models
    before, the last is kept.

    Parameters
    ----------
    project : Project
    params : LoopParams
    device : DeviceParams, optional
    fine_tuning : FineTuneParams
        All but `minutes` and `hold_out`.
    command : str
        For the card.

    Yields, returns, raises
    -----------------------
    As `fine_tuning.fine_tune`.
    """
    project.check_writable()
    folder = rounds_folder(project)
    left = next(iter(unfinished(folder)), None)
    if left is not None:
        model = yield from resume(left.out)
    else:
        settings = FineTuneParams(
            **{**vars(fine_tuning), "minutes": params.minutes, "hold_out": False}
        )
        model = yield from fine_tune(
            project,
            "contours",
            current_model(project),
            settings,
            device=device,
            name=next_name(project),
            folder=folder,
            command=command,
        )
    for old in rounds(project)[:-2]:
        remove(work_folder(old))
        remove_model(old)
    return model


def propose_next(project: Project) -> Steps[Proposal | None]:
    """Return the slice to correct next; nothing is changed.

    A slice of the list that is not done comes first. Where correcting what the newest model drew
    took more than `HELPS` of drawing it, an end of carrying follows: its contours need little
    correction, and are carried on from there. Otherwise the most needed slice
    (`slice_choice.by_need`) to which nothing was carried; those with carried contours follow when
    there is no other. None when all are done.
    """
    waiting = [z for z in project.chosen if project.state(z) != DONE]
    if waiting:
        return Proposal(waiting[0], project.slice(waiting[0]).reason)
    points = curve(project)
    effort = points[-1].effort if points else None
    end = None if effort is None or effort <= HELPS else _end_of_carrying(project)
    if end is not None:
        return end
    done = project.done
    one = ChooseParams(by="need", count=1)
    for known in ([*done, *project.carried_slices], done):
        found = yield from propose(project.session, one, done=known)
        if found:
            return found[0]
    return None


def _end_of_carrying(project: Project) -> Proposal | None:
    """Return the slice farthest from those that are done to which contours were carried."""
    done = np.array(project.done)
    away = {
        z: int(np.abs(done - z).min())
        for z in project.carried_slices
        if project.state(z) == UNTOUCHED
    }
    far = max(away, key=lambda z: (away[z], -z), default=None)
    carried = None if far is None else project.carried(far)
    if far is None or carried is None or away[far] < FAR:
        return None
    doubtful = len(carried.doubtful)
    return Proposal(far, f"carried this far; {doubtful} of {carried.cells} cells are in doubt")


def advance(
    project: Project,
    params: LoopParams = LoopParams(),
    *,
    device: DeviceParams | None = None,
    fine_tuning: FineTuneParams = FineTuneParams(),
    command: Sequence[str] = (),
) -> Steps[LoopStep]:
    """Do everything up to the point where somebody has to correct a slice again.

    Slices done since are scored, their contours carried, the model trained on them, and the next
    slice proposed and drawn by the newest model. If none was done since, nothing is changed.

    Parameters
    ----------
    project : Project
    params : LoopParams
    device : DeviceParams, optional
    fine_tuning : FineTuneParams
        As for `train_round`.
    command : sequence of str
        For the card.

    Yields
    ------
    Progress
        Of each part in turn.

    Raises
    ------
    CopnetError
        As its parts raise.
    """
    project.check_writable()
    taken: list[int] = []
    waiting = unmeasured(project)
    if waiting:
        yield from measure(project, waiting, device=device)
    if unlearnt(project) and params.carry:
        taken = yield from carry_done(project, device=device)
    while unlearnt(project):
        # again after a round that was stopped: it goes on with the slices of its time
        yield from train_round(
            project, params, device=device, fine_tuning=fine_tuning, command=shlex.join(command)
        )
    found = yield from propose_next(project)
    if found is not None:
        if wants_prefill(project, found.z):
            drawn = yield from prefill(project, found.z, device=device)
            if drawn is not None:
                project.take_prefilled(drawn)
        if found.z not in project.chosen:
            project.choose([found])
    return LoopStep(newest_model(project), tuple(curve(project)), found, tuple(taken))


def _closed(
    view: SlicesForNetworks, model: ModelPackage, device: DeviceParams | None
) -> Steps[tuple[np.ndarray, np.ndarray] | None]:
    """Return the closed contours of a model in a slice, or None where they are of no use."""
    step1 = yield from view.contours(load_network(model, device))
    try:
        return (
            yield from view.closed(
                step1, load_network(find_model("default", "closing"), device), model.name
            )
        )
    except CopnetError:
        return None
