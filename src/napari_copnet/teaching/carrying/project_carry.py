"""Carry the contours of a project's slices to those beside and between them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.params import CarryParams, DeviceParams, checked
from napari_copnet.progress import Progress, Steps, finish, mapped
from napari_copnet.teaching.carrying import regions
from napari_copnet.teaching.carrying.carried import CarriedSlice, drawn
from napari_copnet.teaching.carrying.carry import carry_cells
from napari_copnet.teaching.carrying.given import GivenSlice
from napari_copnet.teaching.loop_models import current_model
from napari_copnet.teaching.project import Project
from napari_copnet.teaching.project_view import ProjectView
from napari_copnet.teaching.slice_states import UNTOUCHED
from napari_copnet.teaching.slices_for_networks import SlicesForNetworks, load_network


def targets(project: ProjectView, given: Iterable[int], reach: int) -> list[int]:
    """Return the slices within reach of given ones that nobody has worked on, in order."""
    near = {
        z
        for start in given
        for z in range(max(start - reach, 0), min(start + reach + 1, project.shape[0]))
    }
    return sorted(z for z in near - set(given) if project.state(z) == UNTOUCHED)


def carry(
    project: ProjectView,
    params: CarryParams = CarryParams(),
    slices: Sequence[int] | None = None,
    *,
    device: DeviceParams | None = None,
) -> Steps[list[CarriedSlice]]:
    """Carry contours of slices to those beside and between them, as far as they are likely right.

    Slices that somebody has worked on are neither changed nor passed. Nothing is changed here:
    give each result to `Project.take_carried`.

    Parameters
    ----------
    project : ProjectView
    params : CarryParams
        With `ask_model`, the newest model of the project's loop helps, or else the default one.
    slices : sequence of int, optional
        To carry from; all that are done by default.
    device : DeviceParams, optional
        Of the model.

    Yields
    ------
    Progress
        In slices; `partial` is the `CarriedSlice` of a slice as soon as it is there.

    Returns
    -------
    list of CarriedSlice
        By slice.

    Raises
    ------
    InputError
        There is no slice to carry from, one has no cells, or the image can't be found.
    """
    params = checked(params)
    given = sorted(set(project.done if slices is None else slices))
    if not given:
        raise InputError("There is no slice to carry from.", "Annotate one and mark it as done.")
    image = project.image
    cells_of = {z: known_cells(project, z) for z in given}
    for z, cells in cells_of.items():
        if cells.labels.max(initial=0) <= regions.OUTSIDE:
            raise InputError(
                f"Slice {z} (counted from 0) has no cells to carry.", "Outline some first."
            )
    work = carry_cells(
        lambda z: np.asarray(image[z]),
        cells_of,
        targets(project, given, params.reach),
        params,
        _by_model(project, device) if params.ask_model else None,
    )
    found: list[CarriedSlice] = []
    with contextlib.closing(work):
        for progress in work:
            cells, one = progress.partial, None
            if cells is not None:
                one = drawn(cells, project.session.contour[cells.z])
                found.append(one)
            yield Progress(
                "carry", progress.done, progress.total, "slices", progress.note, partial=one
            )
    return sorted(found, key=lambda one: one.z)


def carry_done(
    project: Project,
    params: CarryParams = CarryParams(),
    *,
    device: DeviceParams | None = None,
) -> Steps[list[int]]:
    """Carry the contours of all slices that are done, drawing each as soon as it is there.

    For scripts: in a window, edits belong to its own thread.

    Returns
    -------
    list of int
        The slices that got contours.
    """
    taken: list[int] = []

    def take(progress: Progress) -> Progress:
        one = progress.partial
        if isinstance(one, CarriedSlice) and project.take_carried(one):
            taken.append(one.z)
        return progress

    yield from mapped(carry(project, params, device=device), take)
    return sorted(taken)


def _by_model(project: ProjectView, device: DeviceParams | None) -> Callable[[int], np.ndarray]:
    """Return what predicts the contours of a slice, by the newest model or the default one."""
    network = load_network(current_model(project), device)

    def contours(z: int) -> np.ndarray:
        view = SlicesForNetworks(project, [z])
        return view.probability(finish(view.contours(network)))[0]

    return contours


def known_cells(project: ProjectView, z: int) -> GivenSlice:
    """Return the cells of a slice, to carry them; what was not reviewed lies outside."""
    out = project.session.excluded(z)
    outside = np.zeros(project.shape[1:], bool) if out is None else np.array(out, bool)
    if project.slice(z).part:
        outside |= ~project.reviewed(z)
    return GivenSlice.of(project.session.contour[z], outside)


def named_range(slices: Iterable[int], first: int = 0) -> str:
    """Return slices as people name them: ``"3-9, 11-17"``.

    Parameters
    ----------
    slices : iterable of int
        Counted from 0.
    first : int
        Number of the first slice: 0 on the command line, whose options count so, 1 in the window.
    """
    parts: list[list[int]] = []
    for z in sorted(at + first for at in slices):
        if parts and z == parts[-1][1] + 1:
            parts[-1][1] = z
        else:
            parts.append([z, z])
    return ", ".join(f"{low}-{high}" if low < high else str(low) for low, high in parts)
