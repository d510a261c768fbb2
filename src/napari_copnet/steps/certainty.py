"""How sure a Step 1 map is of its lines, and bringing a less sure one to what closing knows.

Networks differ in how sure they are on a tissue: the same line has a probability of 0.99 in one map
and 0.7 in another. A closing network has seen some degrees of it and takes others for gaps or for
what is no line. Gain and offset of the logit change certainty and nothing else: no pixel overtakes
another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import skeletonize

# Logits are looked at up to here; beyond, a map of bytes has no values.
_MOST = 7.0
# Of maps that the closing network knows: the least that the middle of a line's better half is
# above its edge, and how far the edge is from even odds, in logits.
_RISE, _EDGE = 4.5, 1.0
# Lines so sure are sure enough, and saturated ones are whatever their edges are like.
_SURE, _SATURATED = 4.0, 6.0
# More of either would make noise contour, or end what is there.
_MOST_GAIN, _MOST_OFFSET = 2.5, 4.0
# Beside the middle line so far edges are looked for, px, after so much smoothing, px.
_BESIDE, _SMOOTH = 4, 0.7
# Changes smaller than these are none.
_LEAST_GAIN, _LEAST_OFFSET = 1.05, 0.1
# Less of a line, in pixels of its skeleton, tells nothing.
_LEAST_LINE = 100
# Slices of a stack that are looked at.
_SLICES = 9


@dataclass(frozen=True)
class Certainty:
    """What is done to the logit of a map: l becomes ``gain`` l + ``offset``.

    Attributes
    ----------
    gain, offset : float
        1 and 0 leave a map as it is.
    line, edge : float or None
        Median probability of the better half of the line's skeleton, and of the line's edge, in
        the map as it was; None without lines.
    """

    gain: float = 1.0
    offset: float = 0.0
    line: float | None = None
    edge: float | None = None

    @property
    def changes(self) -> bool:
        """Whether it changes a map."""
        return self.gain != 1.0 or self.offset != 0.0

    def of(self, contours: np.ndarray) -> np.ndarray:
        """Return a map, any shape, with its certainty changed; the same array if nothing is."""
        if not self.changes:
            return contours
        # In place, slice by slice of a stack: three arrays of its size are too many.
        out = np.empty(contours.shape, np.float32)
        for plane, changed in zip(contours, out, strict=True):
            changed[...] = _probability(self.gain * _logit(plane) + self.offset)
        return out

    def as_dict(self) -> dict[str, float | None]:
        """Return it as plain values, for a record."""
        return {
            name: None if value is None else round(float(value), 4)
            for name, value in vars(self).items()
        }


def certainty(contours: np.ndarray, skip: Sequence[int] = ()) -> Certainty:
    """Find the gain and offset that bring a stack to the certainty that closing knows.

    Both come from the map alone. Lines are what is above Otsu's threshold of the logit (N. Otsu,
    IEEE Trans. Syst. Man Cybern. 9, 1979); h is the median logit of the better half of their
    skeleton, e that of their edge, where beside this skeleton the logit falls most steeply. Any
    gain and offset move h and e along, so that maps that differ by them alone become nearly one.
    The gain is 4.5 / (h - e), but 1 where h - e is more than that already, and the offset brings
    gain e between -1 and 1, or as much more as h - e is above 4.5; they are 2.5 and 4 at most. A
    map whose h is 4 or more (0.98), and e not below that, is sure enough and stays as it is, as
    does one whose h is above 6.

    Parameters
    ----------
    contours : ndarray, shape (Z, Y, X), float
        Contour probability.
    skip : sequence of int
        Blank slices, which are not looked at.
    """
    slices = [z for z in range(len(contours)) if z not in set(skip)]
    chosen = slices[:: max(1, -(-len(slices) // _SLICES))]
    found = [pair for pair in (_line_and_edge(contours[z]) for z in chosen) if pair is not None]
    if not found:
        return Certainty()
    line, edge = (float(value) for value in np.median(found, axis=0))
    seen = float(_probability(line)), float(_probability(edge))
    rise = max(line - edge, 1e-3)
    # Where a map is steeper than it need be, so far more its edge may be from even odds.
    band = _EDGE * max(1.0, rise / _RISE)
    if line >= _SATURATED or (line >= _SURE and edge >= -band):
        return Certainty(line=seen[0], edge=seen[1])
    gain = float(np.clip(_RISE / rise, 1.0, _MOST_GAIN))
    gain = gain if gain >= _LEAST_GAIN else 1.0
    offset = float(np.clip(gain * edge, -band, band)) - gain * edge
    offset = float(np.clip(offset, -_MOST_OFFSET, _MOST_OFFSET))
    return Certainty(gain, offset if abs(offset) >= _LEAST_OFFSET else 0.0, *seen)


def _line_and_edge(plane: np.ndarray) -> tuple[float, float] | None:
    """Return the median logit of a slice's lines and of their edges; None without lines."""
    logit = np.clip(_logit(plane), -_MOST, _MOST)
    if np.ptp(logit) < 1e-3:
        return None
    skeleton = skeletonize(logit > threshold_otsu(logit))
    if np.count_nonzero(skeleton) < _LEAST_LINE:
        return None
    line = float(np.median(logit[skeleton]))
    better = skeleton & (logit >= line)
    near = ndimage.binary_dilation(better, iterations=_BESIDE)
    slope = ndimage.gaussian_gradient_magnitude(logit, _SMOOTH)
    steepest = near & (slope == ndimage.maximum_filter(slope, 3)) & (slope > 0)
    if not steepest.any():
        return None
    smooth = ndimage.gaussian_filter(logit, _SMOOTH)
    return float(np.median(logit[better])), float(np.median(smooth[steepest]))


def _logit(probability: np.ndarray) -> np.ndarray:
    bounded = np.clip(np.asarray(probability, np.float32), 1e-6, 1 - 1e-6)
    return np.log(bounded / (1 - bounded))


def _probability(logit: np.ndarray | float) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(logit, np.float32)))
