"""Carry a single cell: what was corrected in one slice, to the slices beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import edt
import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.params import CarryParams, checked
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.edits import CONTOUR, Edit, Flip, Patch
from napari_copnet.teaching.carrying import regions
from napari_copnet.teaching.carrying.carry import carry_cells
from napari_copnet.teaching.carrying.given import GivenSlice
from napari_copnet.teaching.project_view import ProjectView
from napari_copnet.teaching.slice_states import DONE

# What is registered around a cell, px: its neighbours hold it in place.
MARGIN = 48


@dataclass(frozen=True)
class CarriedOutline:
    """A cell's outline in another slice.

    Attributes
    ----------
    cell, line : Patch
        The pixels inside the outline, and those of the outline, of the slice that it came to.
    trust : float
        How likely it is right, 0 to 1.
    """

    cell: Patch
    line: Patch
    trust: float

    @property
    def z(self) -> int:
        """The slice that it came to."""
        return self.line.z

    def edit(self, contour: np.ndarray) -> Edit:
        """Return the edit that draws the outline, and clears what lies inside of it.

        Parameters
        ----------
        contour : ndarray, shape (Y, X)
            Of the slice, above 0 on contours.
        """
        change = np.zeros(contour.shape, bool)
        drawn = np.asarray(contour) > 0
        change[self.cell.box] |= self.cell.mask & drawn[self.cell.box]
        change[self.line.box] |= self.line.mask & ~drawn[self.line.box]
        if not change.any():
            return Edit("carry")
        return Edit("carry", (Flip(CONTOUR, Patch.of(self.z, change)),))


def carry_cell(
    project: ProjectView,
    z: int,
    point: tuple[int, int],
    params: CarryParams = CarryParams(),
    targets: Sequence[int] | None = None,
) -> Steps[list[CarriedOutline]]:
    """Carry the cell at a pixel to the slices beside it, for as long as it is likely right.

    Nothing is changed: give each result to `Project.take_outline`. Slices that are done are not
    passed.

    Parameters
    ----------
    project : ProjectView
    z : int
        The slice of the cell.
    point : tuple of int
        A pixel (y, x) inside of it.
    params : CarryParams
        `doubt` and `ask_model` are not used.
    targets : sequence of int, optional
        Only these slices, whatever the trust: for "this cell's outline from the slice before".
        Those within `params.reach` by default, for as long as the cell is trusted.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    list of CarriedOutline
        By slice.

    Raises
    ------
    InputError
        There is no cell at the pixel, or the image can't be found.
    """
    params = checked(params)
    contour, image = project.session.contour, project.image
    outside = project.session.excluded(z)
    labels = regions.filled(contour[z], outside)
    y, x = point
    inside = 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]
    if not inside or contour[z][y, x] or labels[y, x] <= regions.OUTSIDE:
        raise InputError(f"There is no cell at ({y}, {x}) of this slice.", "Point inside a cell.")
    box = _around(labels == labels[y, x])
    given = GivenSlice.of(contour[z][box], None if outside is None else outside[box])
    label = int(given.labels[y - box[0].start, x - box[1].start])
    wanted = set(range(project.shape[0])) - {z} if targets is None else set(targets)
    free = CarryParams(reach=params.reach, trust=params.trust, doubt=1.0)
    found: list[CarriedOutline] = []
    for way in _ways(project, z, wanted, params.reach):
        for progress in carry_cells(lambda at: np.asarray(image[at][box]), {z: given}, way, free):
            yield Progress("carry", progress.done, progress.total, "slices")
            cells = progress.partial
            if cells is None or cells.z not in wanted:
                continue
            trust = float(cells.trust[label])
            if targets is None and trust < params.trust:
                break
            outline = _outline(cells.z, cells.labels == label, cells.half, box, trust)
            if outline is None:
                break
            found.append(outline)
    return sorted(found, key=lambda one: one.z)


def outline_from_beside(
    project: ProjectView, z: int, point: tuple[int, int], params: CarryParams = CarryParams()
) -> Steps[CarriedOutline]:
    """Bring the outline of a cell from the slice beside, moved as the image moved.

    From the slice before, or from the one after where only that is done, or where only that has a
    cell there. Nothing is changed: give the result to `Project.take_outline`.

    Parameters
    ----------
    project : ProjectView
    z : int
        The slice that it comes to.
    point : tuple of int
        A pixel (y, x) inside the cell in the slice beside.
    params : CarryParams
        As for `carry_cell`.

    Yields
    ------
    Progress
        In slices.

    Raises
    ------
    InputError
        The slice is done, or no slice beside has a cell there.
    """
    if project.state(z) == DONE:
        raise InputError("This slice is done.", "Put it back in work first.")
    beside = [at for at in (z - 1, z + 1) if 0 <= at < project.shape[0]]
    for source in sorted(beside, key=lambda at: project.state(at) != DONE):
        if project.session.contour[source][point]:
            continue
        found = yield from carry_cell(project, source, point, params, targets=[z])
        if found:
            return found[0]
    raise InputError(
        f"No slice beside this one has a closed cell at {point}.", "Point inside one that has."
    )


def _ways(project: ProjectView, z: int, wanted: set[int], reach: int) -> Iterator[list[int]]:
    """Yield the slices behind and before as far as something is wanted and none is done."""
    for step in (1, -1):
        way = []
        for at in range(z + step, z + step * (reach + 1), step):
            if not 0 <= at < project.shape[0] or project.state(at) == DONE:
                break
            way.append(at)
        while way and way[-1] not in wanted:
            way.pop()
        if way:
            yield way


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    (top, bottom), (left, right) = ((one[0], one[-1] + 1) for one in (rows, columns))
    return (
        slice(max(top - MARGIN, 0), min(bottom + MARGIN, mask.shape[0])),
        slice(max(left - MARGIN, 0), min(right + MARGIN, mask.shape[1])),
    )


def _outline(
    z: int, cell: np.ndarray, half: np.ndarray, box: tuple[slice, slice], trust: float
) -> CarriedOutline | None:
    if not cell.any():
        return None
    # the border of the image needs no line
    line = cell & (edt.edt(cell, black_border=False) <= np.maximum(half, 1.0) + 1e-3)
    if not line.any() or not (cell & ~line).any():
        return None
    origin = box[0].start, box[1].start
    return CarriedOutline(Patch.of(z, cell & ~line, origin), Patch.of(z, line, origin), trust)
