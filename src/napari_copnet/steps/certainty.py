"""How certain a Step 1 map is of its lines, and how a less certain map is matched to closing.

Networks differ in their certainty on a tissue: the same line has a probability of 0.99 in one map
and 0.7 in another. A closing network was trained on some degrees of certainty, and takes others for
gaps or background. A gain and an offset of the logit change only the certainty: the order of pixels
by probability stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import skeletonize

# Logits are clipped here; an 8-bit map has no values beyond.
_MOST = 7.0
# In maps like those that the closing network was trained on: the least height of the more certain
# half of a line above its edge, and the distance of the edge from a probability of 0.5, in logits.
_RISE, _EDGE = 4.5, 1.0
# Lines at this logit are certain enough; saturated ones are, whatever their edges are like.
_SURE, _SATURATED = 4.0, 6.0
# A larger gain or offset would turn noise into contour, or remove existing lines.
_MOST_GAIN, _MOST_OFFSET = 2.5, 4.0
# Edges are searched up to this distance from the centre line, after this much smoothing, px.
_BESIDE, _SMOOTH = 4, 0.7
# Smaller changes are not made.
_LEAST_GAIN, _LEAST_OFFSET = 1.05, 0.1
# Fewer skeleton pixels are too few to measure.
_LEAST_LINE = 100
# Number of slices of a stack that are measured.
_SLICES = 9


@dataclass(frozen=True)
class Certainty:
    """A change of the logit of a map: l becomes ``gain`` l + ``offset``.

    Attributes
    ----------
    gain, offset : float
        1 and 0 leave a map unchanged.
    line, edge : float or None
        Median probability of the more certain half of the lines' skeleton, and of the lines'
        edges, in the unchanged map; None without lines.
    """

    gain: float = 1.0
    offset: float = 0.0
    line: float | None = None
    edge: float | None = None

    @property
    def changes(self) -> bool:
        """Whether a map is changed."""
        return self.gain != 1.0 or self.offset != 0.0

    def of(self, contours: np.ndarray) -> np.ndarray:
        """Return a map, any shape, with its certainty changed; the same array without a change."""
        if not self.changes:
            return contours
        # Slice by slice, because three arrays of the size of a stack would need too much memory.
        out = np.empty(contours.shape, np.float32)
        for plane, changed in zip(contours, out, strict=True):
            changed[...] = _probability(self.gain * _logit(plane) + self.offset)
        return out

    def as_dict(self) -> dict[str, float | None]:
        """Return the fields as plain values, for a record."""
        return {
            name: None if value is None else round(float(value), 4)
            for name, value in vars(self).items()
        }


def certainty(contours: Any, skip: Sequence[int] = ()) -> Certainty:
    """Find the gain and offset that match a stack to the certainty that closing was trained on.

    Both come from the map alone. Lines are the pixels above Otsu's threshold of the logit (N. Otsu,
    IEEE Trans. Syst. Man Cybern. 9, 1979); h is the median logit of the more certain half of
    their skeleton, and e that of their edges, where the logit beside this skeleton falls most
    steeply. A gain and an offset of the map change h and e in the same way, so maps that differ
    only in these become nearly the same. The gain is 4.5 / (h - e), or 1 where h - e is larger
    than 4.5. The offset brings gain e into the range from -1 to 1, which is widened in proportion
    where h - e is larger than 4.5. The gain is at most 2.5, the offset at most 4. A map with h of
    4 or more (0.98), and e not below that range, is certain enough and stays unchanged, as does
    a map with h of 6 or more.

    Parameters
    ----------
    contours : array, shape (Z, Y, X), float
        Contour probability. May be lazy.
    skip : sequence of int
        Blank slices, which are not measured.
    """
    slices = [z for z in range(len(contours)) if z not in set(skip)]
    chosen = slices[:: max(1, -(-len(slices) // _SLICES))]
    found = [pair for pair in (_line_and_edge(contours[z]) for z in chosen) if pair is not None]
    if not found:
        return Certainty()
    line, edge = (float(value) for value in np.median(found, axis=0))
    seen = float(_probability(line)), float(_probability(edge))
    rise = max(line - edge, 1e-3)
    # The steeper a map is, the further its edges may be from a probability of 0.5.
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
