"""The values passed between steps. Arrays have axes (Z, Y, X); Z is time in a time stack."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# Pixels above this probability are contour; pixels exactly at it are not.
CONTOUR_ABOVE = 0.5


def is_contour(probability: Any) -> np.ndarray:
    """Return the contour of a contour probability: the pixels above `CONTOUR_ABOVE`.

    Parameters
    ----------
    probability : array-like, any shape
        0 to 1, of any float type, or a mask of 0 and 1. In float16, in which iterations are kept,
        values above 0.5 by no more than 2⁻¹² round to 0.5 and are not contour.

    Returns
    -------
    ndarray, of that shape, bool
    """
    return np.asarray(probability) > CONTOUR_ABOVE


class VoxelSize(NamedTuple):
    """Size of a voxel in µm along z, y, x. None where it is unknown; it is never guessed."""

    z: float | None = None
    y: float | None = None
    x: float | None = None

    @property
    def known(self) -> bool:
        """Whether all three sizes are known."""
        return None not in self

    @property
    def in_plane_known(self) -> bool:
        """Whether the pixel size is known."""
        return self.y is not None and self.x is not None


@dataclass(frozen=True)
class Stack:
    """An image stack with its physical frame.

    Attributes
    ----------
    data : array, shape (Z, Y, X)
        Grey values of any real dtype. May be lazy (zarr or dask array, memory map): index it
        slice by slice and wrap each in `numpy.asarray`.
    voxel_size : VoxelSize
        In µm.
    translate : tuple of float
        Position of the first voxel's centre in µm along z, y, x.
    axes : str
        ``"zyx"``, or ``"tyx"`` when the first axis is time.
    name : str
        What to call it.
    source : Path or None
        The file or folder it was read from.
    notes : tuple of str
        Sentences for the user about how it was read (conversion done, metadata ignored).
    placed : dict or None
        Where the viewer's layer that it was taken from is placed: ``scale``, ``translate`` and
        ``units`` of the last axes. Results without a size in µm are shown there.
    """

    data: Any
    voxel_size: VoxelSize = VoxelSize()
    translate: tuple[float, float, float] = (0.0, 0.0, 0.0)
    axes: str = "zyx"
    name: str = "stack"
    source: Path | None = None
    notes: tuple[str, ...] = ()
    placed: dict[str, list[Any]] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (Z, Y, X)."""
        return tuple(int(n) for n in self.data.shape)  # type: ignore[return-value]


@dataclass(frozen=True)
class Frame:
    """How a processed stack lies over its original: a resize in-plane, then a shift per slice.

    A point at pixel (y, x) of original slice z, pixel centres at whole numbers, lies in the
    processed slice at ``(p + 0.5) * processed / original - 0.5 + shifts[z]``.

    Attributes
    ----------
    original_shape, processed_shape : tuple of int
        Shapes (Z, Y, X). Z is the same in both.
    shifts : ndarray, shape (Z, 2), float64
        Shift of each slice along y, x in processed pixels; zeros without alignment.
    """

    original_shape: tuple[int, int, int]
    processed_shape: tuple[int, int, int]
    shifts: np.ndarray

    @property
    def is_identity(self) -> bool:
        """Whether processed and original pixels are the same."""
        return self.original_shape == self.processed_shape and not np.any(self.shifts)


@dataclass(frozen=True)
class Preprocessed:
    """A stack prepared for the contour network. Arrays may be lazy; see `Stack`.

    Attributes
    ----------
    data : array, shape (Z, Y, X), float32
        z-scored, resized and aligned slices, margins mirrored.
    frame : Frame
        How to go back to the original.
    margin : array, shape (Z, Y, X), bool
        True where alignment left no data, and on padding; values there are mirrored and not
        scored.
    blank : tuple of int
        Slices that were constant or empty and were skipped.
    voxel_size : VoxelSize
        Voxel size after resizing, µm.
    notes : tuple of str
        Sentences for the user.
    padding : array, shape (Z, Y, X), bool, or None
        True on the padding of the original, which has no cells; None if there is none.
    padding_bits : array, shape (Z, bytes), uint8, or None
        The same for the original pixels, one bit each; see `original_padding`.
    inverted : bool
        Whether dark and light were exchanged, because membranes are light.
    """

    data: Any
    frame: Frame
    margin: Any
    blank: tuple[int, ...] = ()
    voxel_size: VoxelSize = VoxelSize()
    notes: tuple[str, ...] = ()
    padding: Any = None
    padding_bits: Any = None
    inverted: bool = False

    def original_padding(self, z: int) -> np.ndarray | None:
        """Return the padding of original slice z, shape (Y, X), bool; None if there is none."""
        if self.padding_bits is None:
            return None
        packed = np.asarray(self.padding_bits[z])
        if not packed.any():
            return None
        plane = self.frame.original_shape[1:]
        bits = np.unpackbits(packed, count=plane[0] * plane[1])
        return bits.reshape(plane).astype(bool)


@dataclass(frozen=True)
class SizeChoice:
    """How the size of the slices for the networks was chosen.

    Attributes
    ----------
    size : int
        Longer in-plane side, px.
    reason : str
        A sentence for the user.
    slices : tuple of int
        Slices on which sizes were tried; empty if none had to be tried.
    tried : tuple of dict
        The ``size`` and measures of each size tried, including the ``score`` that decided.
    """

    size: int
    reason: str
    slices: tuple[int, ...] = ()
    tried: tuple[dict[str, float], ...] = ()


@dataclass(frozen=True)
class SliceResult:
    """One slice's result as it becomes ready: `Progress.partial` of the contour step."""

    index: int
    values: np.ndarray


@dataclass(frozen=True)
class Iteration:
    """One closing iteration as it ends: `Progress.partial` of the closing step.

    Attributes
    ----------
    number : int
        1 for the first pass of the closing network.
    probability : ndarray, shape (Z, Y, X), float32
        Contour probability after this iteration; slices that had converged keep their values.
    changed : float
        Share of all pixels whose rounded value changed in this iteration, 0 to 1.
    changed_by_slice : ndarray, shape (Z,), float64
        The same for each slice; NaN for slices that took no part.
    likely_gaps : bool
        Whether it closed likely gaps, after the network's last iteration.
    """

    number: int
    probability: Any
    changed: float
    changed_by_slice: np.ndarray
    likely_gaps: bool = False


@dataclass(frozen=True)
class Closing:
    """Closed contours. Arrays may be lazy; see `Stack`.

    Attributes
    ----------
    mask : ndarray, shape (Z, Y, X), uint8
        1 on the closed contour: the rounded last iteration, united with the rounded Step 1 contour
        where that was asked for.
    probability : ndarray, shape (Z, Y, X), float32
        Contour probability after the last iteration.
    changed : ndarray, shape (I,), float64
        Share of pixels of the stack that changed in each iteration, 0 to 1: of what is held, where
        results show only a part of it.
    changed_by_slice : ndarray, shape (I, Z), float64
        The same by slice; NaN where a slice took no part any more.
    iterations_by_slice : ndarray, shape (Z,), int
        Passes each slice took.
    converged : ndarray, shape (Z,), bool
        Whether each slice fell under the tolerance. The work also ends when the stack as a whole
        does, with few slices still changing.
    iterations : ndarray, shape (I + 1, Z, Y, X), float16, or None
        Contour probability by iteration, Step 1 first, when kept.
    settled : bool
        Whether the stack as a whole fell under the tolerance before the iterations ran out.
    likely_gaps : bool
        Whether the last iteration closed likely gaps; it is not one of the network's alone.
    certainty : dict
        Change of the logit of Step 1 before closing: ``gain`` and ``offset``, and the probabilities
        of its ``line`` and ``edge`` that they were estimated from.
    """

    mask: Any
    probability: Any
    changed: np.ndarray
    changed_by_slice: np.ndarray
    iterations_by_slice: np.ndarray
    converged: np.ndarray
    iterations: Any = None
    settled: bool = True
    likely_gaps: bool = False
    certainty: dict[str, float | None] = field(default_factory=dict)

    @property
    def passes(self) -> int:
        """Iterations of the network."""
        return len(self.changed) - self.likely_gaps


@dataclass(frozen=True)
class Cells:
    """Instance labels. Arrays may be lazy; see `Stack`.

    Attributes
    ----------
    labels : ndarray, shape (Z, Y, X), uint32
        0 where there is no cell.
    counts : ndarray, shape (Z,), int
        Cells in each slice.
    mode : str
        ``"slice"`` (each slice on its own), ``"3d"`` or ``"linked"``.
    links : ndarray, shape (L, 3), int
        For ``"linked"``: (slice, label in that slice before linking, label after).
    largest : int
        The largest label.
    left : int or None
        Labels that are left in another frame, where they were counted.
    """

    labels: Any
    counts: np.ndarray
    mode: str
    links: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    largest: int = 0
    left: int | None = None

    @property
    def total(self) -> int:
        """Number of cells: what slices share counts once, but for mode ``"slice"``."""
        if self.mode == "slice":
            return int(np.sum(self.counts))
        return self.largest if self.left is None else self.left

    def counted_in(self, labels: np.ndarray) -> Cells:
        """Return the same with the numbers of cells that are left in another frame.

        A cell may lie where shifts have mirrored the edge of a slice, which is not in the stack.

        Parameters
        ----------
        labels : ndarray, shape (Z, Y, X)
            These cells in that frame.
        """
        there = np.zeros(int(labels.max(initial=0)) + 1, bool)
        counts = np.zeros(len(labels), np.int64)
        for z, plane in enumerate(labels):
            here = np.zeros_like(there)
            here[plane.ravel()] = True
            counts[z] = np.count_nonzero(here[1:])
            there |= here
        return replace(self, counts=counts, left=int(np.count_nonzero(there[1:])))

    def in_words(self) -> str:
        """Say how many cells there are, and how many profiles of them slices show."""
        depth, profiles = len(self.counts), int(np.sum(self.counts))
        if depth == 1:
            return f"{profiles} cells"
        each = f"{int(np.median(self.counts))} in a typical slice"
        if self.mode == "slice":
            return f"{profiles} cell profiles in {depth} slices, {each}"
        return f"{self.total} cells in {depth} slices ({profiles} cell profiles, {each})"
