"""The contour of a session as napari paints on it: only slices that were painted on are copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_copnet.lazy_array import LazyArray
from napari_copnet.proofreading.session import Session


class PaintedContour:
    """An array of shape (Z, Y, X), uint8, that shows the contour of a session and what is painted.

    napari writes into it what a stroke draws. `renew` takes back what the session has made of it.

    Parameters
    ----------
    session : Session
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, session: Session) -> None:
        self._session = session
        self.shape = session.shape
        self._own: dict[int, np.ndarray] = {}
        self._lazy = LazyArray(self.shape, self.dtype, self.plane)

    @property
    def size(self) -> int:
        """Number of values."""
        return self._lazy.size

    @property
    def nbytes(self) -> int:
        """Bytes that the whole array would take in memory."""
        return self._lazy.nbytes

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._lazy.__array__(dtype, copy)

    def __getitem__(self, key: Any) -> np.ndarray:
        if not _is_points(key):
            return self._lazy[key]
        z, *inner = np.broadcast_arrays(*key)
        found = np.empty(z.shape, self.dtype)
        for one in np.unique(z):
            at = z == one
            found[at] = self.plane(int(one))[tuple(index[at] for index in inner)]
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        if _is_points(key):
            z, *inner = np.broadcast_arrays(*key)
            values = np.broadcast_to(value, z.shape)
            for one in np.unique(z):
                at = z == one
                self._painted(int(one))[tuple(index[at] for index in inner)] = values[at]
            return
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis:
            first, rest = slice(None), [Ellipsis, *rest]
        slices = np.arange(len(self))[first]
        if slices.ndim == 0:
            self._painted(int(slices))[tuple(rest)] = value
            return
        inside = self.plane(0)[tuple(rest)].shape
        values = np.broadcast_to(value, (slices.size, *inside))
        for one, part in zip(slices.tolist(), values, strict=True):
            self._painted(one)[tuple(rest)] = part

    def plane(self, z: int) -> np.ndarray:
        """Return a slice, shape (Y, X); not to be changed."""
        return self._own[z] if z in self._own else self._session.contour[z]

    @property
    def painted(self) -> list[int]:
        """The slices that may differ from those of the session, in order."""
        return sorted(self._own)

    def renew(self, z: int, box: tuple[slice, slice]) -> None:
        """Show a part of a slice as the session has it now."""
        own = self._own.get(z)
        if own is None:
            return
        known = self._session.contour[z]
        own[box] = known[box]
        if np.array_equal(own, known):
            del self._own[z]

    def _painted(self, z: int) -> np.ndarray:
        z %= len(self)
        if z not in self._own:
            self._own[z] = np.array(self._session.contour[z])
        return self._own[z]


def _is_points(key: Any) -> bool:
    """Whether a key holds the place of each point along each axis."""
    return isinstance(key, tuple) and any(np.ndim(k) > 0 for k in key if not isinstance(k, slice))
