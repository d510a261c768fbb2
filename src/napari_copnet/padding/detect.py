"""Find the padding of a slice: constant or nearly constant borders and holes.

Alignment, rotation and montage leave parts of a slice without data. The program that wrote the file
gave them one value, mostly black, and lossy compression adds a little noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_copnet.padding.areas import Areas, grown
from napari_copnet.padding.grey import percentiles
from napari_copnet.padding.outline import Hull, is_straight
from napari_copnet.padding.windows import constant_windows, quiet_windows, window_spread, within

# Half the side of the window that must have a single value, px.
REACH = 2
# Half the side of the window whose spread distinguishes nearly constant padding from tissue, px.
# In a window of this width, even the inside of a cell shows some structure.
WIDE = 5
# Least area of padding: in px, and as a share of the slice.
LEAST_AREA = 100
LEAST_SHARE = 0.002
# A hole must be larger, because saturated or denoised tissue has constant patches as well.
LEAST_HOLE = 0.005
# Spreads of so many windows along each side decide what is quiet. All, in slices up to this size.
LOOKED_AT = 1024
# Drawings and masks have few values and are constant everywhere; they are not searched.
FEWEST_VALUES = 16
LEAST_TEXTURED = 0.3
# Noise is what remains of an image without planes and edges (Immerkær 1996). In nearly constant
# padding it is at most this multiple of that of the tissue.
_GRAIN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6
LESS_GRAIN = 0.75
# The spreads of tissue and of nearly constant padding differ by at least a factor of two, and few
# windows (those across the edge of padding) lie in between.
OCTAVE = 4
BETWEEN = 0.15
# Share of a row or column at the border that must have one value for all of it to be padding.
WHOLE_LINE = 0.97
# A border lies mostly outside the convex hull of the rest; less so if it fills a whole side.
BEYOND = 0.7
BEYOND_WHOLE_SIDE = 0.3


@dataclass(frozen=True)
class _Part:
    """A part of a slice that may be padding.

    Attributes
    ----------
    box : tuple of slice
        Extends one pixel beyond the part, except at the border of the slice.
    pixels : ndarray, bool
        The part within its box.
    value : float
    exact : bool
        Whether it has exactly one value, not nearly.
    """

    box: tuple[slice, ...]
    pixels: np.ndarray
    value: float
    exact: bool

    @cached_property
    def area(self) -> int:
        return int(np.count_nonzero(self.pixels))

    def longest_side(self, shape: tuple[int, ...]) -> float:
        """Return the largest share of a side of the slice that it fills."""
        shares = [0.0]
        for axis, (side, length) in enumerate(zip(self.box, shape, strict=True)):
            for at, is_end in ((0, side.start == 0), (-1, side.stop == length)):
                if is_end:
                    line = np.take(self.pixels, at, axis)
                    shares.append(np.count_nonzero(line) / shape[1 - axis])
        return max(shares)

    def beyond(self, hull: Hull) -> float:
        return hull.beyond(self.pixels, (self.box[0].start, self.box[1].start))


def _part(
    pixels: np.ndarray, corner: tuple[int, int], value: float, exact: bool, shape: tuple[int, ...]
) -> _Part:
    """Return a part of a slice of `shape` whose pixels begin at `corner`, cut to its box."""
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    box = tuple(
        slice(max(0, at + int(found[0]) - 1), min(length, at + int(found[-1]) + 2))
        for at, found, length in zip(corner, (rows, columns), shape, strict=True)
    )
    whole = np.zeros([side.stop - side.start for side in box], bool)
    inner = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    top = corner[0] + int(rows[0]) - box[0].start
    left = corner[1] + int(columns[0]) - box[1].start
    whole[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return _Part(box, whole, value, exact)


def find_padding(image: np.ndarray) -> np.ndarray | None:
    """Return the padding of a slice, or None if there is none.

    Candidates are connected areas of one value (every 5 × 5 window is constant) or of nearly one
    value: their spread in windows of 11 × 11 px is lower than that of the rest by a factor of two
    or more and equal throughout the area, and their noise is at most 0.75 of that of the rest. A
    candidate is padding if one of these is true:

    - It has a single value that is not the darkest or brightest of the slice, because tissue is
      never constant in the middle of its range. It must cover 0.2 % of the slice at the border,
      or 0.5 % inside.
    - Its outline is mostly straight: alignment, rotation and montage cut along lines.
    - It reaches the border of the slice and lies outside the convex hull of the rest: tissue that
      was moved or rotated is convex, however ragged, and its surroundings are not. An area that
      fills a whole side may be more ragged.

    Whole rows and columns of one value at the border are padding, whatever their width.

    The last two rules exclude dark saturated tissue (a vessel's lumen that is 0 everywhere), even
    at the border: it bulges into the rest and is round. Their limits: a saturated lumen that fills
    a whole side, is cut straight, or adjoins padding of its own value is taken for padding, and a
    black hole with a curved outline, drawn by hand, is taken for tissue. Resin has noise like
    tissue and is never padding. Padding with noise above about a third of the spread inside cells
    is not found.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Grey values of any real dtype, finite.

    Returns
    -------
    ndarray, shape (Y, X), bool, or None
        True on padding, accurate to one or two pixels.
    """
    if min(image.shape) < 4 * REACH or not _has_texture(image):
        return None
    flat = constant_windows(image, REACH)
    found = _border_lines(image)
    parts = [*_exact_parts(image, flat), *_noisy_parts(image, flat)]
    if parts:
        rest = ~found
        for part in parts:
            rest[part.box] &= ~part.pixels
        # In a drawing, only the thin lines between constant areas would remain.
        left = np.count_nonzero(rest)
        tissue = image[rest]
        constant = np.count_nonzero(flat & rest)
        if left < 0.01 * rest.size or constant > (1 - LEAST_TEXTURED) * left or _few(tissue):
            return found if found.any() else None
        dark, bright = percentiles(tissue, (0.1, 99.9))
        del tissue
        hull = Hull(rest)
        kept: list[_Part] = []
        for part in sorted(parts, key=lambda part: -part.area):
            if _is_padding(part, image.shape, hull, (dark, bright), kept):
                kept.append(part)
                found[part.box] |= part.pixels
    if not found.any():
        return None
    _fill_islands(found)
    return found


def _has_texture(image: np.ndarray) -> bool:
    step = max(1, image.size // 100_000)
    return not _few(image.ravel()[::step])


def _few(values: np.ndarray) -> bool:
    step = max(1, values.size // 100_000)
    return np.unique(values[::step]).size < FEWEST_VALUES


def _border_lines(image: np.ndarray) -> np.ndarray:
    """Return whole rows and columns of one value at the border of a slice (Y, X)."""
    found = np.zeros(image.shape, bool)
    for view, marks in ((image, found), (image.T, found.T)):
        first, last = _constant_lines(view), _constant_lines(view[::-1])
        if first + last < len(view):
            marks[:first] = True
            marks[len(marks) - last :] = True
    return found


def _constant_lines(image: np.ndarray) -> int:
    """Return how many of the first rows have one value.

    Their ends are ignored, because they belong to the columns there.
    """
    for count, row in enumerate(image):
        # A value that so many pixels have is also the median of every 16th.
        if np.count_nonzero(row == np.median(row[::16])) < WHOLE_LINE * row.size:
            return count
    return len(image)


def _exact_parts(image: np.ndarray, flat: np.ndarray) -> list[_Part]:
    areas = Areas(flat, diagonal=True)
    wanted = areas.sizes >= (2 * REACH + 1) ** 2
    # Cut-off corners may be small; they count if there is a large area of their value.
    wanted[areas.at_border()] = True
    parts = []
    for number in np.flatnonzero(wanted).tolist():
        value = image[areas.first_pixel(number)]
        # Neighbouring windows overlap, so that all of them have this value.
        box = areas.box(number, beyond=REACH + 1)
        pixels = grown(areas.pixels(number, box), REACH)
        parts.append(_Part(box, pixels, float(value), True))
    return parts


def _noisy_parts(image: np.ndarray, flat: np.ndarray) -> list[_Part]:
    """Return areas of nearly one value: their spread is small, with a gap to all other spreads."""
    step = -(-max(image.shape) // LOOKED_AT)
    spread, mean = window_spread(image, WIDE, step)
    limit = _quiet_below(spread)
    if limit is None:
        return []
    calm = spread < limit
    areas = Areas(calm, diagonal=True)
    if step > 1:
        # Is there any? In most slices there is nothing but exact padding.
        large = np.flatnonzero(areas.sizes * step**2 >= _least(image.shape, LEAST_SHARE) / 2)
        constant = flat[::step, ::step]
        boxes = {number: areas.box(number) for number in large.tolist()}
        if all(constant[box][areas.pixels(number, box)].all() for number, box in boxes.items()):
            return []
        areas = Areas(quiet_windows(image, WIDE, limit), diagonal=True)
    grain: np.ndarray | None = None
    usual = 0.0
    parts = []
    for number in np.flatnonzero(areas.sizes >= _least(image.shape, LEAST_SHARE)).tolist():
        box = areas.box(number)
        core = areas.pixels(number, box)
        if flat[box][core].all():
            continue
        # The windows that were looked at.
        at = tuple(slice(-(-side.start // step), -(-side.stop // step)) for side in box)
        seen = core[-box[0].start % step :: step, -box[1].start % step :: step]
        if not seen.any():
            continue
        noise = float(np.sqrt(np.mean(spread[at][seen] ** 2)))
        if grain is None:
            grain = _grain(image, step)
            loud = spread > 2 * limit
            usual = float(np.median(grain[loud])) if loud.any() else 0.0
        # Resin has microscope noise, as tissue does.
        if np.median(grain[at][seen]) > LESS_GRAIN * usual:
            continue
        # The value must be the same throughout: a gradient is not padding.
        if not noise or np.std(mean[at][seen]) > noise:
            continue
        value = percentiles(image[box][core], (50.0,))[0]
        parts.append(_noisy_part(image, areas, number, value, noise))
    return parts


def _noisy_part(image: np.ndarray, areas: Areas, number: int, value: float, noise: float) -> _Part:
    """Return the pixels of an area of nearly one value, whose inside was found."""
    box = areas.box(number, beyond=2 * WIDE + 1)
    part = image[box]
    core = areas.pixels(number, box)
    quiet = quiet_windows(part, 1, 2.5 * noise, value, 2.5 * noise) & within(core, 2 * WIDE)
    pieces = Areas(quiet | core)
    pixels, most = core, 0
    for piece in np.argsort(-pieces.sizes, kind="stable").tolist():
        if pieces.sizes[piece] <= most:
            break
        candidate = pieces.pixels(piece, (slice(0, part.shape[0]), slice(0, part.shape[1])))
        shared = int(np.count_nonzero(candidate & core))
        if shared > most:
            pixels, most = candidate, shared
    # Nor is adjacent tissue of the same grey.
    margin = 2 * REACH
    padded = np.pad(pixels, margin, mode="edge")
    opened = grown(~grown(~padded, REACH), REACH)
    pixels = opened[margin:-margin, margin:-margin] | core
    beside = np.nonzero(grown(pixels, 1) & ~pixels)
    pixels[beside] = np.abs(part[beside].astype(np.float64) - value) <= 4 * noise
    return _part(pixels, (box[0].start, box[1].start), value, False, image.shape)


def _grain(image: np.ndarray, step: int) -> np.ndarray:
    """Return the noise at every pixel of number `step` along both axes."""
    total = np.zeros(image[::step, ::step].shape)
    for (down, along), weight in np.ndenumerate(_GRAIN):
        rows, columns = (
            np.clip(np.arange(0, length, step) + shift - 1, 0, length - 1)
            for length, shift in zip(image.shape, (down, along), strict=True)
        )
        total += weight * image[np.ix_(rows, columns)]
    return np.abs(total)


def _quiet_below(spread: np.ndarray) -> float | None:
    """Return a spread that separates nearly constant windows from the rest; None without a gap."""
    scale = float(np.percentile(spread, 99))
    if scale <= 0:
        return None
    octaves = np.log2(np.maximum(spread, scale * 2.0**-10) / scale)
    edges = np.arange(-10, 1 + 1e-9, 1 / OCTAVE)
    counts, _ = np.histogram(np.minimum(octaves, 0.99), len(edges) - 1, (-10, 1))
    total = np.concatenate([[0], np.cumsum(counts)])
    best, limit = BETWEEN, None
    for low in range(1, len(edges) - OCTAVE):
        below, above = total[low], total[-1] - total[low + OCTAVE]
        if below < LEAST_SHARE * spread.size or above < 0.01 * spread.size:
            continue
        between = (total[low + OCTAVE] - total[low]) / below
        if between < best:
            best, limit = between, scale * 2.0 ** (edges[low] + 0.5)
    return limit


def _is_padding(
    part: _Part,
    shape: tuple[int, ...],
    hull: Hull,
    ends: tuple[float, float],
    kept: list[_Part],
) -> bool:
    whole = part.longest_side(shape)
    if part.area < _least(shape, LEAST_SHARE):
        # A small corner counts if a large area has the same value.
        alike = part.exact and any(one.exact and one.value == part.value for one in kept)
        return whole > 0 and alike and part.beyond(hull) >= BEYOND
    inside_range = ends[0] < part.value < ends[1]
    if part.exact and inside_range:
        return whole > 0 or part.area >= _least(shape, LEAST_HOLE)
    if is_straight(part.pixels):
        return True
    if whole == 0:
        return False
    beyond = part.beyond(hull)
    return beyond >= BEYOND or (whole >= 0.95 and beyond >= BEYOND_WHOLE_SIDE)


def _least(shape: tuple[int, ...], share: float) -> float:
    return max(LEAST_AREA, share * shape[0] * shape[1])


def _fill_islands(found: np.ndarray) -> None:
    """Fill specks inside padding, such as dead pixels."""
    rest = Areas(~found)
    for number in np.flatnonzero(rest.sizes < LEAST_AREA / 2).tolist():
        rest.paint(number, found)
