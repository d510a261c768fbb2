"""What can be measured on a slice of a run without knowing its true cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

from napari_copnet.boundaries.sides import compact
from napari_copnet.steps.parting import parting_lines
from napari_copnet.types import is_contour

# Cells of plausible size: at least this many pixels, and at most this share of a slice.
SMALLEST, LARGEST = 100, 0.15
# Cells of neighbouring slices with this intersection over union are the same.
SAME = 0.5
# What closing drew is this far from the contour of Step 1, px.
_BESIDE = 3
# Probability of pixels that may be contour, and of those that surely are.
_MAYBE, _SURELY = 0.1, 0.9
# Darkness is that of the image smoothed so far, px, beside the surroundings, smoothed so far.
_FINE, _SURROUNDINGS = 1.0, 8.0

# Each is NaN where a slice does not tell.
NAMES = (
    "contour",
    "largest",
    "covered",
    "certainty",
    "decided",
    "parting",
    "added",
    "dark",
    "width",
    "diameter",
    "specks",
    "at_padding",
    "same",
)


@dataclass(frozen=True)
class RunSlice:
    """A slice of a run, in the processed frame; arrays of shape (Y, X).

    Attributes
    ----------
    image : ndarray, float
        As the networks saw it.
    step1 : ndarray, float
        Contour probability of Step 1.
    closed : ndarray, bool
        Closed contour.
    cells : ndarray, unsigned int
    valid : ndarray, bool
        Where there is tissue.
    """

    image: np.ndarray
    step1: np.ndarray
    closed: np.ndarray
    cells: np.ndarray
    valid: np.ndarray

    @cached_property
    def first(self) -> np.ndarray:
        """The contour of Step 1, bool."""
        return is_contour(self.step1) & self.valid

    @cached_property
    def centre(self) -> np.ndarray:
        """The centre line of the contour of Step 1, bool."""
        return np.asarray(skeletonize(self.first), bool)


def slice_measures(this: RunSlice, after: RunSlice | None) -> dict[str, float]:
    """Return the measures of a slice.

    Parameters
    ----------
    this : RunSlice
    after : RunSlice or None
        The next slice, where there is one.

    Returns
    -------
    dict
        - ``contour``: share of the tissue under the closed contour;
        - ``largest``: share of the tissue in the largest cell;
        - ``covered``: share of the tissue in cells of plausible size;
        - ``certainty``: mean probability on the centre lines of Step 1;
        - ``decided``: share of sure contour among the pixels that may be contour in Step 1;
        - ``parting``: share of the centre lines of Step 1 that separate cells as they are, without
          closing: the rest are dead ends and lines with a gap;
        - ``added``: share of the final lines between cells that closing drew;
        - ``dark``: how much darker the image is on the contour of Step 1 than around it, in
          standard deviations of the slice;
        - ``width``: width of the contour of Step 1, px;
        - ``diameter``: median diameter of cells, px;
        - ``specks``: share of cells that are smaller than is plausible;
        - ``at_padding``: share of cells that touch padding, or where alignment left no data;
        - ``same``: share of the area of cells that a cell of the next slice matches.
    """
    tissue = max(int(np.count_nonzero(this.valid)), 1)
    areas = np.bincount(this.cells[this.valid])[1:]
    areas = areas[areas > 0]
    sane = areas[(areas >= SMALLEST) & (areas <= LARGEST * tissue)]
    found = {
        "contour": np.count_nonzero(this.closed & this.valid) / tissue,
        "largest": areas.max(initial=0) / tissue,
        "covered": sane.sum() / tissue,
        "diameter": float(np.median(2 * np.sqrt(areas / np.pi))) if areas.size else np.nan,
        "specks": float(np.mean(areas < SMALLEST)) if areas.size else np.nan,
        **_of_step_1(this),
        "at_padding": _at_padding(this),
        "added": _added(this),
        "same": np.nan if after is None else _same(this.cells, after.cells),
    }
    return {name: float(found[name]) for name in NAMES}


def _of_step_1(this: RunSlice) -> dict[str, float]:
    first, centre = this.first, this.centre
    length = int(np.count_nonzero(centre))
    if not length:
        names = ("certainty", "parting", "dark", "width")
        return {"decided": 0.0} | dict.fromkeys(names, np.nan)
    seen = this.step1[this.valid]
    spread = float(this.image[this.valid].std())
    smooth, around = (
        ndimage.gaussian_filter(this.image, sigma, output=np.float32)
        for sigma in (_FINE, _SURROUNDINGS)
    )
    darker = (around - smooth)[centre].mean() / spread if spread > 0 else 0.0
    return {
        "certainty": float(this.step1[centre].mean()),
        "decided": np.count_nonzero(seen > _SURELY) / max(int(np.count_nonzero(seen > _MAYBE)), 1),
        "parting": np.count_nonzero(centre & parting_lines(first)) / length,
        "dark": float(darker),
        "width": np.count_nonzero(first) / length,
    }


def _at_padding(this: RunSlice) -> float:
    count = np.count_nonzero(np.bincount(this.cells.ravel())[1:])
    if not count:
        return np.nan
    beside = ndimage.binary_dilation(~this.valid) if not this.valid.all() else ~this.valid
    return np.count_nonzero(np.bincount(this.cells[beside])[1:]) / count


def _added(this: RunSlice) -> float:
    lines = parting_lines(this.closed & this.valid) & this.valid
    length = int(np.count_nonzero(lines))
    if not length:
        return np.nan
    near = ndimage.binary_dilation(this.first, iterations=_BESIDE)
    return np.count_nonzero(lines & ~near) / length


def _same(cells: np.ndarray, after: np.ndarray) -> float:
    ours, theirs = compact(cells), compact(after)
    sizes, others = np.bincount(ours.ravel()), np.bincount(theirs.ravel())
    if sizes.size < 2 or others.size < 2:
        return np.nan
    pairs, both = np.unique(ours.astype(np.int64) * others.size + theirs, return_counts=True)
    one, other = np.divmod(pairs, others.size)
    cell = (one > 0) & (other > 0)
    one, other, both = one[cell], other[cell], both[cell]
    matched = both >= SAME * (sizes[one] + others[other] - both)
    # A cell matches one other at most where half of the two together is enough.
    return float(sizes[np.unique(one[matched])].sum() / sizes[1:].sum())
