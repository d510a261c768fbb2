"""Areas over the image: hatched without cells, tinted in question, darkened where not reviewed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cc3d
import numpy as np
from napari.utils.colormaps import CyclicLabelColormap
from napari.utils.colormaps.standardize_color import transform_color
from scipy import ndimage

from napari_copnet.proofreading.edits import MARKS, Box, Patch
from napari_copnet.proofreading.session import Session

# Of vessel, haemorrhage and background, and of the two cells in question.
MARK_COLOURS = {"vessel": "#ff8a65", "haemorrhage": "#d05ce3", "background": "#b0bec5"}
TINTS = ("#b388ff", "#00e5ff")
# Hatching: its lines come every so many pixels, and are so wide; between them the area is paler.
PERIOD, WIDTH, PALE = 8, 2, 0.25
# A cell in question is so clear that the image shows.
_TINT = 0.35
# What was not reviewed lies under a veil.
_VEIL = (0.0, 0.0, 0.0, 0.55)
# Labels: stripes of the three marks, the areas between, and both tints.
_BETWEEN, _FIRST_TINT = len(MARKS), 2 * len(MARKS) + 1
_VEILED = _FIRST_TINT + len(TINTS)


def area_colours() -> CyclicLabelColormap:
    """Return the colours of the labels of `ShownAreas.plane`."""
    marks = np.array([transform_color(c)[0] for c in MARK_COLOURS.values()])
    between = marks * (1, 1, 1, PALE)
    tints = np.array([transform_color(c)[0] for c in TINTS]) * (1, 1, 1, _TINT)
    colours = [np.zeros((1, 4)), marks, between, tints, np.array([_VEIL])]
    return CyclicLabelColormap(colors=np.concatenate(colours))


def hatched(kind: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return the lines with which an area of a mark (0, 1 or 2) is hatched, shape (Y, X), bool."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    along = (y + x, y - x, y + 0 * x)[kind]
    return np.asarray(along % PERIOD < WIDTH)


class ShownAreas:
    """What the areas layer of a session shows.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    reviewed : callable or None
        Returns which pixels of a slice were reviewed, shape (Y, X), bool, or None for all; None
        where nobody asks.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.reviewed: Callable[[int], np.ndarray | None] | None = None
        self._walls: dict[int, Patch] = {}
        self._picked: tuple[int, int] | None = None

    @property
    def is_tinted(self) -> bool:
        """Whether cells are in question."""
        return bool(self._walls) or self._picked is not None

    @property
    def is_needed(self) -> bool:
        """Whether there may be something to show besides marks."""
        return self.is_tinted or self.reviewed is not None

    def ask(self, patches: Sequence[Patch]) -> None:
        """Tint the two cells beside a wall, or those it would make, in each of its slices."""
        self._walls = {patch.z: patch for patch in patches if patch.count}

    def pick(self, z: int, cell_id: int) -> None:
        """Tint a cell that was picked; 0 for none."""
        self._picked = (z, cell_id) if cell_id else None

    def plane(self, z: int) -> np.ndarray:
        """Return the labels of a slice, shape (Y, X), uint8."""
        session = self._session
        labels = np.zeros(session.shape[1:], np.uint8)
        marks = session.marks[z]
        if marks.any():
            for kind, bit in enumerate(MARKS.values()):
                area = marks & bit > 0
                lines = hatched(kind, labels.shape)
                labels[area] = np.where(lines[area], kind + 1, kind + 1 + _BETWEEN)
        known = None if self.reviewed is None else self.reviewed(z)
        if known is not None:
            labels[~known & (labels == 0)] = _VEILED
        if self._picked is not None and self._picked[0] == z:
            labels[session.ids(z) == self._picked[1]] = _FIRST_TINT
        wall = self._walls.get(z)
        if wall is not None:
            for number, (box, side) in enumerate(sides_of(session.ids(z), wall)):
                labels[box][side] = _FIRST_TINT + number
        return labels


def sides_of(cells: np.ndarray, wall: Patch) -> list[tuple[Box, np.ndarray]]:
    """Return the two cells that a wall parts, or would part.

    Parameters
    ----------
    cells : ndarray, shape (Y, X), unsigned int
        Cells of the slice, whether the wall is drawn or not.
    wall : Patch

    Returns
    -------
    list of (tuple of slice, ndarray of bool)
        Box and pixels in it of each; fewer than two where the wall parts nothing.
    """
    near = tuple(
        slice(max(side.start - 2, 0), min(side.stop + 2, length))
        for side, length in zip(wall.box, cells.shape, strict=True)
    )
    drawn = np.zeros(cells.shape, bool)
    drawn[wall.box] = wall.mask
    beside = ndimage.binary_dilation(drawn[near], np.ones((3, 3)), iterations=2)
    numbers, counts = np.unique(cells[near][beside], return_counts=True)
    found = numbers[numbers > 0][np.argsort(-counts[numbers > 0])][:2]
    if not found.size:
        return []
    mine = np.isin(cells, found)
    rows, columns = (np.flatnonzero(mine.any(axis=axis)) for axis in (1, 0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    # Cells are parted by sides, as they are labelled; each number is a part of its own.
    values = np.where(drawn, 0, np.where(mine, cells, 0))[box]
    parts = cc3d.connected_components(values.astype(np.uint32), connectivity=4)
    touching = np.zeros(cells.shape, bool)
    touching[near] = beside
    names, contact = np.unique(parts[touching[box]], return_counts=True)
    best = names[names > 0][np.argsort(-contact[names > 0])][:2]
    return [(box, parts == name) for name in best]
