"""What is measured: labels, and what is known beside them; all slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from napari_copnet.measures.walls import REACH
from napari_copnet.progress import Steps
from napari_copnet.types import VoxelSize


class Doubt(NamedTuple):
    """A wall in a slice that somebody should look at.

    Attributes
    ----------
    item : int
        Number of the item of the review queue; its walls in other slices have the same.
    origin : tuple of int
        Row and column at which the mask begins.
    mask : ndarray, shape (y, x), bool
        Its pixels.
    """

    item: int
    origin: tuple[int, int]
    mask: np.ndarray


Doubts = dict[int, list[Doubt]]


@dataclass(frozen=True)
class Source:
    """Labelled cells, and what is known beside them.

    Attributes
    ----------
    labels : array, shape (Z, Y, X), unsigned int
        One number for each cell through the stack. May be lazy.
    voxel_size : VoxelSize
        In µm. Measures that need a size that is unknown are left out.
    translate : tuple of float
        Position of the first voxel's centre along z, y, x, µm.
    axes : str
        ``"zyx"``, or ``"tyx"``: then there is nothing to be measured in 3D.
    joined : bool
        Whether a number means the same cell in each slice.
    walls : array, shape (Z, Y, X), bool, or None
        Where walls may be; None takes all pixels without label.
    contours : array, shape (Z, Y, X), float, or None
        Contour probability, 0 to 1.
    reach : int
        How far a cell may reach into a wall, px.
    marks : mapping of str to callable, or None
        By name, returns the mask of a slice, shape (Y, X), bool. None where nothing can be marked.
    edited : callable or None
        Returns where the contour of a slice was changed, shape (Y, X), bool.
    find_doubts : callable or None
        Starts the step that finds the doubtful walls by slice. None where there is no way to know.
    name : str
    facts : dict
        What the record says of where it came from.
    notes : tuple of str
        Sentences for the user.
    """

    labels: Any
    voxel_size: VoxelSize = VoxelSize()
    translate: tuple[float, float, float] = (0.0, 0.0, 0.0)
    axes: str = "zyx"
    joined: bool = True
    walls: Any = None
    contours: Any = None
    reach: int = REACH
    marks: Mapping[str, Callable[[int], np.ndarray]] | None = None
    edited: Callable[[int], np.ndarray] | None = None
    find_doubts: Callable[[], Steps[Doubts]] | None = None
    name: str = "labels"
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def in_3d(self) -> bool:
        """Whether there are cells in 3D to be measured."""
        return self.joined and self.axes == "zyx"
