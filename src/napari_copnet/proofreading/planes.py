"""A mask of a whole stack of which only slices in use are in memory, the changed ones packed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.inflate import inflated
from napari_copnet.lazy_array import LazyArray
from napari_copnet.proofreading.slice_cache import SliceCache, slices_in
from napari_copnet.proofreading.whole_array import WholeArray

# Slices in use, unpacked.
MEGABYTES = 32


class Planes(WholeArray):
    """A mask of shape (Z, Y, X), uint8, whose slices are read when they are looked at.

    To readers it is an array that can't be written to. `change` returns a slice to be changed.

    Parameters
    ----------
    shape : tuple of int
        (Z, Y, X).
    base : callable, optional
        Returns a slice as it was before any change, a fresh array of shape (Y, X), uint8, or None
        where nothing is set; by default nothing is set anywhere. It may be called in any thread.
    changed : dict of int to bytes, optional
        Slices that differ from the base, from `pack`.
    is_mask : bool
        Values are 0 and 1, and are kept at one bit each.

    Attributes
    ----------
    base : callable or None
        As given.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(
        self,
        shape: tuple[int, ...],
        base: Callable[[int], np.ndarray | None] | None = None,
        changed: dict[int, bytes] | None = None,
        *,
        is_mask: bool = True,
    ) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.is_mask = is_mask
        self.base = base
        self._changed = dict(changed or {})
        most = slices_in(MEGABYTES, self.shape[1] * self.shape[2])
        self._cache = SliceCache(self._load, most, self._keep)

    @classmethod
    def of(cls, array: np.ndarray, *, is_mask: bool = True) -> Planes:
        """Return the slices of an array, which stays as it is."""
        return cls(array.shape, lambda z: np.array(array[z], np.uint8), is_mask=is_mask)

    # As an array -------------------------------------------------------------

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[z] for z in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        """Return what an array would; a slice of the stack, by its number, without a copy."""
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) and key else (key, ())
        if isinstance(first, int | np.integer) and not isinstance(first, bool):
            z = int(first) + (len(self) if first < 0 else 0)
            if not 0 <= z < len(self):
                raise IndexError(f"slice {first} of {len(self)}")
            view = self._cache[z].view()
            view.flags.writeable = False
            return view[rest] if rest else view
        return LazyArray(self.shape, self.dtype, self._cache.__getitem__)[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        raise ValueError("assignment destination is read-only")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("slices that are packed can't be an array without a copy")
        return np.stack([self[z] for z in range(len(self))]).astype(dtype or self.dtype, copy=False)

    def copy(self) -> np.ndarray:
        """Return all of it as an array."""
        return np.asarray(self)

    def any(self) -> bool:
        """Whether anything is set."""
        return any(plane.any() for plane in self)

    # Changing and keeping ----------------------------------------------------

    def change(self, z: int) -> np.ndarray:
        """Return a slice to be changed in place, shape (Y, X)."""
        return self._cache.change(z)

    def changed(self) -> dict[int, bytes]:
        """Return the slices that were changed since the base, packed."""
        self._cache.flush()
        return dict(self._changed)

    def still(self) -> Planes:
        """Return these slices as they are now, for another thread, whatever becomes of them."""
        return Planes(self.shape, self.base, self.changed(), is_mask=self.is_mask)

    def packed(self, z: int) -> bytes:
        """Return a slice as `pack` makes it."""
        self._cache.flush()
        data = self._changed.get(z)
        return data if data is not None else pack(self._cache[z], is_mask=self.is_mask)

    def is_set(self, z: int) -> bool:
        """Whether anything is set in a slice."""
        if z not in self._cache and self.base is None and z not in self._changed:
            return False
        return bool(self._cache[z].any())

    def _load(self, z: int) -> np.ndarray:
        packed = self._changed.get(z)
        if packed is not None:
            try:
                return unpack(packed, self.shape[1:], is_mask=self.is_mask)
            except (zlib.error, ValueError) as error:
                message = f"What the session holds of slice {z + 1} is damaged."
                raise InputError(message, "Recover the session.") from error
        plane = self.base(z) if self.base is not None else None
        return np.zeros(self.shape[1:], np.uint8) if plane is None else plane

    def _keep(self, z: int, plane: np.ndarray) -> None:
        self._changed[z] = pack(plane, is_mask=self.is_mask)


def pack(plane: np.ndarray, *, is_mask: bool = True) -> bytes:
    """Return a slice, shape (Y, X), as compressed bytes: a bit a pixel for a mask, else a byte."""
    values = np.packbits(plane) if is_mask else np.ascontiguousarray(plane, np.uint8)
    return zlib.compress(values.tobytes(), 1)


def unpack(data: bytes, shape: tuple[int, ...], *, is_mask: bool = True) -> np.ndarray:
    """Return a slice that was packed, shape (Y, X), uint8.

    Raises
    ------
    zlib.error, ValueError
        The bytes are damaged.
    """
    count = shape[0] * shape[1]
    size = -(-count // 8) if is_mask else count
    values = np.frombuffer(bytearray(inflated(data, size)), np.uint8)
    if values.size != size:
        raise ValueError(f"{values.size} bytes are no slice of {shape[0]}×{shape[1]} pixels")
    return (np.unpackbits(values, count=count) if is_mask else values).reshape(shape)
