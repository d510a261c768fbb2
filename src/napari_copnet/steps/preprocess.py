"""Make a stack ready for the contour network: z-score, resize, align."""

from __future__ import annotations

import numpy as np
from pystackreg import StackReg

from napari_copnet.errors import InputError
from napari_copnet.padding.detect import find_padding
from napari_copnet.padding.grey import clean_slice, z_score
from napari_copnet.params import PreprocessParams, checked
from napari_copnet.plane_size import is_strip, processed_plane
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.fixed_size import fixed_size
from napari_copnet.steps.frame import margin, moved_mask, resize_linear, shift_mirrored
from napari_copnet.types import Frame, Preprocessed, Stack, VoxelSize

# StackReg takes 0.04 s for 256 px, 0.2 s for 512 px and 2.6 s for 2048 px, in which no other thread
# of Python runs, the window's neither. Shifts of isbi2012 slices moved by known steps came out as
# consistent at 256 px (0.74 px) as at 512 px (0.66 px).
REGISTRATION_SIDE = 256
# A drift of the stack by more than this share of the side is told to the user.
LARGE_DRIFT = 0.1


def preprocess(stack: Stack, params: PreprocessParams | None = None) -> Steps[Preprocessed]:
    """Normalise each slice without its padding, resize it in-plane and align it with the last one.

    Slices are read one at a time, so the stack may be lazy. Shifts are whole pixels, so
    nothing is blurred and they can be undone exactly. `align_shifts` decides which shifts count.

    Padding (`padding.detect.find_padding`) is left out of the mean and standard deviation, and is
    filled by mirroring, so that neither registration nor networks see its edge. Hot pixels are
    clipped (`padding.grey.without_hot_pixels`). Slices with neither are not changed.
    ``params.invert`` ``"auto"`` does not invert: this needs the contour network (`steps.contrast`).

    Parameters
    ----------
    stack : Stack
        Of any real dtype.
    params : PreprocessParams, optional

    Yields
    ------
    Progress
        One for each slice, with a note where something was skipped.

    Returns
    -------
    Preprocessed

    Raises
    ------
    InputError
        No slices, a side under 2 px, or a slice with some NaN or infinite pixels. A slice
        without any finite pixel counts as blank.
    """
    params = checked(params or PreprocessParams())
    shape = stack.shape
    if len(shape) != 3 or shape[0] < 1 or min(shape[1:]) < 2:
        raise InputError(
            f"The stack has shape {shape}: slices need at least 2 pixels a side.",
            "Give an image stack with axes z, y, x.",
        )
    size, size_note = fixed_size(stack, params)
    plane = processed_plane(shape[1:], size)
    data = np.zeros((shape[0], *plane), np.float32)
    align = params.align and shape[0] > 1 and stack.axes != "tyx"
    blank: list[int] = []
    notes = [size_note] if size_note else []
    paddings: list[np.ndarray | None] = [None] * shape[0]
    pairs = np.zeros((shape[0], 2))
    last: np.ndarray | None = None
    for z in range(shape[0]):
        image = np.asarray(stack.data[z], dtype=np.float32)
        note = ""
        if is_blank(image, z):
            blank.append(z)
            note = f"Slice {z} is blank and was skipped."
        else:
            found = find_padding(image) if params.padding else None
            image = clean_slice(image, found)
            scored = z_score(image, found)
            resized = resize_linear(scored if params.normalise else image, plane)
            if params.invert == "yes":
                resized = inverted(resized, params.normalise)
            data[z] = resized
            if found is not None:
                paddings[z] = np.packbits(found)
            if align:
                current = _registration_copy(resized)
                if last is not None:
                    pairs[z], note = pair_shift(last, current, plane, params.max_shift, z)
                last = current
        if note:
            notes.append(note)
        yield Progress("preprocess", z + 1, shape[0], "slices", note)
    shifts, note = align_shifts(pairs, shape, plane)
    if note:
        notes.append(note)
        yield Progress("preprocess", shape[0], shape[0], "slices", note)
    for z, (dy, dx) in enumerate(shifts.astype(int)):
        if dy or dx:
            data[z] = shift_mirrored(data[z], (dy, dx))
    for note in (_padding_note(paddings, shape), _strip_note(shape, plane, size)):
        if note:
            notes.append(note)
            yield Progress("preprocess", shape[0], shape[0], "slices", note)
    frame = Frame(shape, (shape[0], *plane), shifts)
    outside = margin(frame)
    bits, padding = _padding_masks(paddings, frame)
    if padding is not None:
        outside |= padding
    return Preprocessed(
        data=data,
        frame=frame,
        margin=outside,
        blank=tuple(blank),
        voxel_size=_processed_voxel_size(stack.voxel_size, shape[1:], plane),
        notes=tuple(notes),
        padding=padding,
        padding_bits=bits,
        inverted=params.invert == "yes",
    )


def inverted(image: np.ndarray, normalised: bool = True) -> np.ndarray:
    """Return a slice with dark and light exchanged.

    Parameters
    ----------
    image : ndarray, shape (Y, X), float32
    normalised : bool
        The negative is returned for z-scores; other values are mirrored within their range.
    """
    return -image if normalised else image.max() + image.min() - image


def is_blank(image: np.ndarray, z: int) -> bool:
    """Whether a slice is constant or has no finite pixel.

    Raises
    ------
    InputError
        Some pixels are NaN or infinite.
    """
    low, high = image.min(), image.max()
    # Both are finite only if all pixels are.
    if np.isfinite(low) and np.isfinite(high):
        return bool(low == high)
    finite = np.count_nonzero(np.isfinite(image))
    if finite:
        raise InputError(
            f"Slice {z} has {image.size - finite} NaN or infinite pixels.",
            "Read the stack with the option repair, which fills them from their neighbours.",
        )
    return True


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
        return (0.0, 0.0), f"Slice {z} could not be aligned: its shift is too large to be true."
    whole = round(dy), round(dx)
    if any(whole) and _likeness(before, image, whole) <= _likeness(before, image, (0, 0)):
        return (0.0, 0.0), f"Slice {z} could not be aligned: shifting it does not help."
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


def _registration_copy(image: np.ndarray) -> np.ndarray:
    longer = max(image.shape)
    if longer > REGISTRATION_SIDE:
        image = resize_linear(image, processed_plane(image.shape, REGISTRATION_SIDE))
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


def _padding_masks(
    packed: list[np.ndarray | None], frame: Frame
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return padding as one bit per original pixel, and as a mask in the processed frame."""
    if all(one is None for one in packed):
        return None, None
    plane = frame.original_shape[1:]
    bits = np.zeros((len(packed), -(-plane[0] * plane[1] // 8)), np.uint8)
    padding = np.zeros(frame.processed_shape, bool)
    for z, one in enumerate(packed):
        if one is not None:
            bits[z] = one
            mask = np.unpackbits(one, count=plane[0] * plane[1]).reshape(plane)
            padding[z] = moved_mask(mask, frame, z)
    return bits, padding


def _padding_note(packed: list[np.ndarray | None], shape: tuple[int, int, int]) -> str:
    areas = [int(np.unpackbits(one).sum()) for one in packed if one is not None]
    if not areas:
        return ""
    share = sum(areas) / len(areas) / (shape[1] * shape[2])
    where = "1 slice has" if len(areas) == 1 else f"{len(areas)} slices have"
    return (
        f"{where} padding ({share:.0%} of a slice on average), which is left out. If it is "
        "tissue, turn off Find padding."
    )


def _strip_note(shape: tuple[int, int, int], plane: tuple[int, int], size: int) -> str:
    if size == 0 or max(plane) <= size or not is_strip(shape[1:]):
        return ""
    return (
        f"Slices are strips of {shape[1]} × {shape[2]} px. Networks see them at {plane[0]} × "
        f"{plane[1]} px, because cells would be too small at {size} px on the longer side."
    )


def _processed_voxel_size(
    size: VoxelSize, original: tuple[int, ...], plane: tuple[int, int]
) -> VoxelSize:
    y, x = (
        None if side is None else side * old / new
        for side, old, new in zip((size.y, size.x), original, plane, strict=True)
    )
    return VoxelSize(size.z, y, x)
