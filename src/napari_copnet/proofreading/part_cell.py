"""Part a cell that should be two: two clicks, and the weakest place between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from napari_copnet.boundaries.membrane import membrane_odds
from napari_copnet.errors import CopnetError
from napari_copnet.proofreading.edit_tools import clicked, contour_edit
from napari_copnet.proofreading.edits import Edit, bounding_box
from napari_copnet.proofreading.paths import Point
from napari_copnet.proofreading.session_view import SessionView

# So far around a cell the image is looked at to tell what a membrane looks like, px.
_AROUND = 24


def part(session: SessionView, slices: Sequence[int], first: Point, second: Point) -> Edit:
    """Part a cell that should be two at the weakest place between two points of it.

    That is a minimum cut over the contour probability and the image, see `boundaries.weakest_cut`.
    In other slices of a range the same two places are parted, where they lie in one cell.

    Parameters
    ----------
    session : SessionView
    slices : sequence of int
    first, second : (y, x)

    Raises
    ------
    CopnetError
        The points are not in one cell, or no line parts it between them.
    """
    # A second to import, and more to compile at the very first use.
    from napari_copnet.boundaries.weakest_cut import line_price, weakest_cut

    image = session.image

    def cut(z: int) -> np.ndarray:
        one, other = clicked(session, z, first), clicked(session, z, second)
        if one != other:
            raise CopnetError("The two clicks are in different cells.", "Click twice in one cell.")
        cell = session.ids(z) == one
        rows, columns = _beside(cell)
        box = rows, columns
        membrane = None
        if image is not None:
            membrane = membrane_odds(
                np.asarray(image[z])[box],
                session.contour[z][box] > 0,
                session.ids(z)[box],
                ndimage.distance_transform_edt(session.contour[z][box] == 0),
            )
        price = line_price(session.probability(z)[box], membrane)
        places = [
            (int(np.rint(y)) - rows.start, int(np.rint(x)) - columns.start)
            for y, x in (first, second)
        ]
        line = np.zeros(cell.shape, bool)
        line[box] = weakest_cut(cell[box], price, *places)
        return line

    return contour_edit("part", session, slices, cut, "No line divides the cell.")


def compile_cut() -> None:
    """Compile what `part` needs, which takes seconds once."""
    from napari_copnet.boundaries.weakest_cut import weakest_cut

    weakest_cut(np.ones((3, 9), bool), np.ones((3, 9)), (1, 1), (1, 7))


def _beside(cell: np.ndarray) -> tuple[slice, slice]:
    """Return the box of a cell with what shows membranes around it, too."""
    rows, columns = bounding_box(cell)
    return (
        slice(max(rows.start - _AROUND, 0), rows.stop + _AROUND),
        slice(max(columns.start - _AROUND, 0), columns.stop + _AROUND),
    )
