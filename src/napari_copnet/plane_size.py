"""The size at which networks see a slice."""

from __future__ import annotations

# In a strip, the longer side is more than this many times the shorter one.
STRIP = 2.0


def is_strip(plane: tuple[int, ...]) -> bool:
    """Return whether a slice of shape (Y, X) has one side over twice as long as the other."""
    return max(plane) > STRIP * min(plane)


def longer_side(plane: tuple[int, ...], size: int) -> float:
    """Return the longer side, in px, at which the networks see a slice.

    This is `size`, except for strips: their shorter side is not shrunk below half of `size`, or
    cells would become too small. Networks work in tiles, so a longer side is no problem. Strips
    are never enlarged for this.

    Parameters
    ----------
    plane : tuple of int
        In-plane shape (Y, X).
    size : int
        The setting; 0 keeps the shape.
    """
    longer, shorter = max(plane), min(plane)
    if size == 0:
        return longer
    if not is_strip(plane):
        return size
    return max(size, min(longer, size / STRIP * longer / shorter))


def size_of(plane: tuple[int, ...], longer: float) -> float:
    """Return the size at which a slice has a longer side of `longer` px: `longer_side`, reversed.

    Parameters
    ----------
    plane : tuple of int
        In-plane shape (Y, X).
    longer : float
        Longer side for the networks, px.
    """
    if not is_strip(plane) or longer >= max(plane):
        return longer
    return STRIP * longer * min(plane) / max(plane)


def processed_plane(plane: tuple[int, ...], size: int) -> tuple[int, int]:
    """Return the in-plane shape at which the networks see a slice: see `longer_side`."""
    if size == 0:
        return int(plane[0]), int(plane[1])
    longer = longer_side(plane, size)
    height, width = (max(1, round(side * longer / max(plane))) for side in plane)
    return height, width
