"""How far each slice is shifted against the others."""

from __future__ import annotations

import numpy as np
from pystackreg import StackReg

from napari_copnet.plane_size import processed_plane
from napari_copnet.steps.resize import resize_linear

# StackReg takes 0.04 s for 256 px, 0.2 s for 512 px and 2.6 s for 2048 px, in which no other thread
# of Python runs, the window's neither. Shifts of isbi2012 slices moved by known steps came out as
# consistent at 256 px (0.74 px) as at 512 px (0.66 px).
REGISTRATION_SIDE = 256
# A drift of the stack by more than this share of the side is told to the user.
LARGE_DRIFT = 0.1


def pair_shift(
    before: np.ndarray, image: np.ndarray, plane: tuple[int, int], largest: float, z: int
) -> tuple[tuple[float, float], str]:
    """Register a slice to the last good one before it.

    Parameters
    ----------
    before, image : ndarray, shape (Y, X)
        The two slices, perhaps smaller copies.
    plane : tuple of int
        Shape of the processed slice, in whose pixels the shift is given.
    largest : float
        Largest believable shift along each axis, as a share of its side.
    z : int
        Number of the slice, for the note.

    Returns
    -------
    shift : tuple of float
        To move `image` by along y, x. Zero where registration failed: it is larger than
        believable, or does not make the two slices more alike.
    note : str
        Why it was ignored, or empty.
    """
    matrix = StackReg(StackReg.TRANSLATION).register(before, image)
    dy, dx = -float(matrix[1, 2]), -float(matrix[0, 2])
    if not (abs(dy) <= largest * image.shape[0] and abs(dx) <= largest * image.shape[1]):
        return (0.0, 0.0), f"Slice {z} could not be aligned: the shift found is implausibly large."
    whole = round(dy), round(dx)
    if any(whole) and _likeness(before, image, whole) <= _likeness(before, image, (0, 0)):
        return (0.0, 0.0), f"Slice {z} could not be aligned: no shift improves the match."
    return (dy * plane[0] / image.shape[0], dx * plane[1] / image.shape[1]), ""


def align_shifts(
    pairs: np.ndarray, shape: tuple[int, int, int], plane: tuple[int, int]
) -> tuple[np.ndarray, str]:
    """Add up shifts between neighbours to one whole-pixel shift for each slice.

    Registration follows cells that run obliquely through the stack: in a stack that is aligned
    already it finds a part of a pixel in the same direction in slice after slice, which would
    add up to a large false drift. So where most shifts are under one pixel (of the original or of
    the processed stack, whichever is larger) those are ignored, and only jumps are corrected.
    The median shift is taken off, so that little of the stack leaves the frame.

    Parameters
    ----------
    pairs : ndarray, shape (Z, 2)
        Shift of each slice onto the one before, along y, x, in processed pixels.
    shape : tuple of int
        Shape of the original stack.
    plane : tuple of int
        In-plane shape of the processed stack.

    Returns
    -------
    shifts : ndarray, shape (Z, 2), float64
        Whole numbers.
    note : str
        Warns of a large drift, or is empty.
    """
    pixel = np.maximum(1.0, np.divide(plane, shape[1:]))
    lengths = np.hypot(*(pairs / pixel).T)
    if lengths.size > 1 and np.median(lengths[1:]) < 1:
        pairs = np.where(lengths[:, None] < 1, 0.0, pairs)
    path = np.cumsum(pairs, axis=0)
    shifts = np.round(path - np.median(path, axis=0))
    reach = np.ptp(shifts, axis=0)
    note = ""
    if np.any(reach > LARGE_DRIFT * np.asarray(plane)):
        note = (
            f"Alignment moved slices by up to {int(reach[0])} px in y and {int(reach[1])} px in x; "
            "if the stack was aligned already, turn Align off."
        )
    return shifts + 0.0, note


def copy_plane(plane: tuple[int, int]) -> tuple[int, int]:
    """Return the shape of a copy for registration."""
    return processed_plane(plane, REGISTRATION_SIDE) if max(plane) > REGISTRATION_SIDE else plane


def registration_copy(image: np.ndarray) -> np.ndarray:
    plane = copy_plane(image.shape)
    if image.shape != plane:
        image = resize_linear(image, plane)
    deviation = float(image.std())
    return (image - image.mean()) / (deviation if deviation > 0 else 1.0)


def _likeness(before: np.ndarray, image: np.ndarray, shift: tuple[int, int]) -> float:
    """Correlation of `before` with `image` moved by `shift`, where they overlap."""
    dy, dx = shift
    height, width = image.shape
    fixed = before[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
    moved = image[max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)]
    fixed, moved = fixed - fixed.mean(), moved - moved.mean()
    power = float(np.sqrt((fixed**2).sum() * (moved**2).sum()))
    return float((fixed * moved).sum()) / power if power > 0 else 0.0
