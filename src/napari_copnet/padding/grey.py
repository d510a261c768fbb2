"""Grey values of a slice without its padding: mean, spread and outliers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from napari_copnet.padding.fill import fill_mirrored

# Percentiles of the usual range of grey values, and those to which hot pixels are clipped.
USUAL = (1.0, 99.0)
ENDS = (0.1, 99.9)
# Hot pixels lie outside the usual range by more than this multiple of its width.
FAR = 3.0


# Sums over many values are computed from this many at a time.
_TOGETHER = 2**20


def z_score(image: np.ndarray, padding: np.ndarray | None = None) -> np.ndarray:
    """Return an image whose valid part has mean 0 and standard deviation 1, float32.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Of any real dtype, finite and not constant.
    padding : ndarray, shape (Y, X), bool, optional
        Left out of the mean and standard deviation.
    """
    mean, deviation = mean_and_deviation(image, padding)
    if _is_counted(image):
        values = np.arange(np.iinfo(image.dtype).max + 1)
        return ((values - mean) / deviation).astype(np.float32)[image]
    out = np.empty(image.shape, np.float32)
    for part, scored in zip(_parts(image.ravel()), _parts(out.ravel()), strict=True):
        scored[:] = (part - mean) / deviation
    return out


def mean_and_deviation(
    image: np.ndarray, padding: np.ndarray | None = None
) -> tuple[np.float64, np.float64]:
    """Return mean and standard deviation of the valid part of an image.

    A large slice may be resized first and scaled then: a z-score is the same before and after.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Of any real dtype, finite.
    padding : ndarray, shape (Y, X), bool, optional
        Left out.
    """
    if _is_counted(image):
        counts = _counts(image, padding)
        values = np.arange(counts.size)
        mean = (counts @ values) / counts.sum()
        return mean, np.sqrt((counts @ (values - mean) ** 2) / counts.sum())
    valid = image.ravel() if padding is None else image[~padding]
    mean = valid.mean(dtype=np.float64)
    power = sum(float(np.square(part - mean).sum()) for part in _parts(valid))
    return mean, np.sqrt(power / valid.size)


def without_hot_pixels(image: np.ndarray, padding: np.ndarray | None = None) -> np.ndarray:
    """Return an image whose hot (and dead) pixels are clipped.

    Only where it matters: an end of the values is clipped if it lies outside the range from the
    1st to the 99th percentile by more than three times its width. It is clipped to the 0.1th or
    99.9th percentile, but at most one width outside the range. 8-bit images hardly ever change.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    padding : ndarray, shape (Y, X), bool, optional
        Left out of the percentiles.

    Returns
    -------
    ndarray, shape (Y, X)
        `image` itself if nothing is out of range; else float32 for whole numbers of 8 or 16 bits,
        because the limits may lie between them, and of the dtype of `image` for others.
    """
    if padding is not None and padding.all():
        return image
    if _is_counted(image):
        counts = _counts(image, padding)
        there = np.flatnonzero(counts)
        smallest, largest = float(there[0]), float(there[-1])
        low, bottom, top, high = _counted_percentiles(counts, (USUAL[0], *ENDS, USUAL[1]))
        limits = _limits((smallest, largest), (low, high), lambda: (bottom, top))
        if limits is None:
            return image
        return np.clip(np.arange(counts.size, dtype=np.float32), *limits)[image]
    valid = image if padding is None else image[~padding]
    ends = float(valid.min()), float(valid.max())
    low, high = percentiles(valid, USUAL)
    limits = _limits(ends, (low, high), lambda: percentiles(valid, ENDS))
    return image if limits is None else np.clip(image, *limits).astype(image.dtype, copy=False)


def _limits(
    ends: tuple[float, float],
    usual: tuple[float, float],
    clipped: Callable[[], tuple[float, ...]],
) -> tuple[float | None, float | None] | None:
    """Return the values to clip to, None for an end that stays; None if both stay."""
    (smallest, largest), (low, high) = ends, usual
    width = high - low
    below, above = smallest < low - FAR * width, largest > high + FAR * width
    if width <= 0 or not (below or above):
        return None
    bottom, top = clipped()
    return max(bottom, low - width) if below else None, min(top, high + width) if above else None


def percentiles(values: np.ndarray, ranks: tuple[float, ...]) -> tuple[float, ...]:
    """Return percentiles of many values as `numpy.percentile` does, and sooner.

    Parameters
    ----------
    values : ndarray, any shape, of any real dtype
        Finite, at least one.
    ranks : tuple of float
        0 to 100.
    """
    if _is_counted(values):
        return _counted_percentiles(_counts(values), ranks)
    step = values.size // _TOGETHER
    if not step:
        return tuple(float(one) for one in np.percentile(values, ranks))
    values = values.ravel()
    some = np.sort(values[::step])
    return tuple(_bracketed_percentile(values, some, rank) for rank in ranks)


def _bracketed_percentile(values: np.ndarray, some: np.ndarray, rank: float) -> float:
    """Return a percentile, looking for it only where the sorted sample `some` has it."""
    place = rank / 100 * (values.size - 1)
    first, share = int(place), place - int(place)
    near = round(rank / 100 * (some.size - 1))
    low, high = max(near - some.size // 200, 0), min(near + some.size // 200, some.size - 1)
    least = some[low] if low else values.min()
    most = some[high] if high < some.size - 1 else values.max()
    before = np.count_nonzero(values < least)
    inside = values[(values >= least) & (values <= most)]
    at = first - before
    if at < 0 or at + 1 >= inside.size:
        return float(np.percentile(values, rank))
    inside.partition((at, at + 1))
    return _between(float(inside[at]), float(inside[at + 1]), share)


def _between(first: float, second: float, share: float) -> float:
    """Interpolate, exactly where both are the same."""
    return first + (second - first) * share


def _is_counted(image: np.ndarray) -> bool:
    """Whether an image has so few possible values that they are counted."""
    return image.dtype in (np.uint8, np.uint16)


def _counts(image: np.ndarray, padding: np.ndarray | None = None) -> np.ndarray:
    """Return how often each possible value occurs, shape (256,) or (65536,), int64."""
    counts: np.ndarray = np.zeros(np.iinfo(image.dtype).max + 1, np.int64)
    valid = image.ravel() if padding is None else image[~padding]
    for part in _parts(valid):
        counts += np.bincount(part, minlength=counts.size)
    return counts


def _counted_percentiles(counts: np.ndarray, ranks: tuple[float, ...]) -> tuple[float, ...]:
    total = np.cumsum(counts)
    found = []
    for rank in ranks:
        place = rank / 100 * (int(total[-1]) - 1)
        first = int(place)
        # The numbers of values before the two neighbours in sorted order.
        places = np.array([first, min(first + 1, int(total[-1]) - 1)])
        pair = np.searchsorted(total, places, side="right")
        found.append(_between(float(pair[0]), float(pair[1]), place - first))
    return tuple(found)


def _parts(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield views of a long row of values."""
    for first in range(0, values.size, _TOGETHER):
        yield values[first : first + _TOGETHER]


def clean_slice(image: np.ndarray, padding: np.ndarray | None) -> np.ndarray:
    """Return a slice without hot pixels and with its padding filled; itself if it has neither."""
    return fill_mirrored(without_hot_pixels(image, padding), padding)
