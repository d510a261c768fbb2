"""Instance labels from closed contours: the connected components of what is not contour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cc3d
import edt
import numpy as np
from skimage.segmentation import expand_labels

from napari_copnet.boundaries.components import connected8
from napari_copnet.errors import InputError
from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import CellParams, checked
from napari_copnet.progress import Progress, Steps
from napari_copnet.store.blocks import block_length, blocks_of, over_blocks
from napari_copnet.store.memory import MemoryStage
from napari_copnet.store.stage import Stage, Values
from napari_copnet.types import Cells


def label_cells(
    closed: Any,
    params: CellParams | None = None,
    *,
    excluded: Any = None,
    stage: Stage | None = None,
    block: int = 0,
) -> Steps[Cells]:
    """Label the cells of a stack of closed contours.

    Parameters
    ----------
    closed : array, shape (Z, Y, X)
        Contour mask; anything above 0 is contour. Connectivity is by faces. May be lazy.
    params : CellParams, optional
        Sizes count areas in a slice: in mode ``"3d"`` a cell's largest. In the modes that join
        slices a cell that touches the border in any slice is removed as a whole.
    excluded : array, shape (Y, X) or (Z, Y, X), bool, optional
        Areas without cells, such as capillaries. Cells end at them.
    stage : Stage, optional
        Where arrays of the size of the stack lie; in memory by default.
    block : int
        Slices at once; 0 chooses. Results do not depend on it.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    Cells
        Labels are consecutive from 1, numbered by each cell's first pixel in z, y, x order; in
        mode ``"slice"`` each slice counts from 1.

    Raises
    ------
    InputError
        The mask is not a stack, or `excluded` has another shape.
    """
    params = checked(params or CellParams())
    stage = stage or MemoryStage()
    closed = closed if hasattr(closed, "shape") else np.asarray(closed)
    if len(closed.shape) != 3:
        raise InputError(
            f"The contour mask has {len(closed.shape)} axes.", "Give a stack with axes z, y, x."
        )
    barrier = _broadcast(excluded, closed.shape)
    blocks = blocks_of(range(closed.shape[0]), block or block_length(closed.shape[1:]))
    if params.mode == "slice":
        shared = SliceWork(closed, barrier, params, _new(stage, "labels", closed))
        found = yield from over_blocks(stage, "slices", label_block, blocks, shared, "cells")
        counts = np.concatenate([values["counts"] for values in found])
        largest = int(counts.max(initial=0))
        return Cells(shared.labels, counts, params.mode, largest=largest)
    from napari_copnet.steps import cells_3d, cells_linked

    if params.mode == "linked":
        return (yield from cells_linked.label(closed, barrier, params, stage, blocks))
    if cells_3d.fits_one_look(params, stage, block):
        return (yield from cells_3d.label_in_memory(closed, barrier, params, stage))
    return (yield from cells_3d.label(closed, barrier, params, stage, blocks))


@dataclass(frozen=True)
class SliceWork:
    """What blocks need to label slices, each on its own; arrays (Z, Y, X)."""

    closed: Any
    barrier: Any
    params: CellParams
    labels: Any

    def excluded(self, z: int) -> np.ndarray | None:
        """Return where a slice has no cells."""
        return None if self.barrier is None else np.asarray(self.barrier[z])


def label_block(block: tuple[int, ...], shared: SliceWork) -> Steps[Values]:
    """Label the slices of a block; return their counts, and which labels touch the border."""
    # Linking decides on whole cells, so their border is looked at afterwards.
    keep_border = shared.params.mode == "linked"
    counts = np.zeros(len(block), np.int64)
    borders = [np.zeros((0, 2), np.int64)]
    for index, z in enumerate(block):
        labels = label_slice(
            np.asarray(shared.closed[z]),
            shared.params,
            excluded=shared.excluded(z),
            keep_border=keep_border,
        )
        shared.labels[z] = labels
        counts[index] = labels.max(initial=0)
        border = border_labels(labels)
        borders.append(np.stack([np.full(border.size, z), border], axis=1).astype(np.int64))
        yield Progress("cells", index + 1, len(block), "slices")
    return {"counts": counts, "border": np.concatenate(borders)}


def _new(stage: Stage, name: str, closed: Any) -> Any:
    return stage.array(name, tuple(closed.shape), np.uint32)


def label_slice(
    mask: np.ndarray,
    params: CellParams | None = None,
    *,
    excluded: np.ndarray | None = None,
    keep_border: bool = False,
) -> np.ndarray:
    """Label the cells of one slice.

    Parameters
    ----------
    mask : ndarray, shape (Y, X)
        Contour mask; anything above 0 is contour.
    params : CellParams, optional
        `mode` and `link_overlap` have no part in it.
    excluded : ndarray, shape (Y, X), bool, optional
        Area without cells.
    keep_border : bool
        Keep cells at the border whatever the settings say.

    Returns
    -------
    ndarray, shape (Y, X), uint32
        Consecutive labels from 1, numbered by each cell's first pixel; 0 on the contour.
    """
    params = params or CellParams()
    labels = slice_parts(mask, params, excluded)
    labels = grown(labels, mask, params)
    if excluded is not None:
        labels[excluded] = 0
    areas = np.bincount(labels.ravel())
    drop = areas < params.min_size
    if params.remove_border and not keep_border:
        drop[border_labels(labels)] = True
    drop[0] = False
    if drop.any():
        labels[drop[labels]] = 0
    if params.fill_holes:
        labels = filled(labels)
        if excluded is not None:
            labels[excluded] = 0
    return renumbered(labels)


def slice_parts(
    mask: np.ndarray, params: CellParams, excluded: np.ndarray | None = None
) -> np.ndarray:
    """Number the face-connected parts of what is not contour, of any size.

    Parameters are as for `label_slice`.

    Returns
    -------
    ndarray, shape (Y, X), uint32
        Consecutive from 1, in no particular order.
    """
    return cc3d.connected_components(
        free_pixels(mask, excluded, params), connectivity=4, out_dtype=np.uint32
    )


def scoring_labels(
    contour: np.ndarray,
    dilation: float = 3,
    grow: float = 10,
    padding: np.ndarray | None = None,
) -> np.ndarray:
    """Label the cells of a predicted contour by the scoring rule of the paper.

    The contour is dilated by a ball, its face-connected complement labelled, labels grown back
    to the nearest within `grow`, and the (undilated) contour taken out.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
        Anything above 0 is contour.
    dilation, grow : float
        In px.
    padding : ndarray, shape (Y, X), bool, optional
        Cells end at padding, as they do at the border of the slice.

    Returns
    -------
    ndarray, shape (Y, X), uint32
    """
    params = CellParams(rule="scoring", dilation=dilation, grow=grow)  # type: ignore[arg-type]
    labels = cc3d.connected_components(
        free_pixels(contour, padding, params), connectivity=4, out_dtype=np.uint32
    )
    labels = grown(labels, contour, params)
    if padding is not None:
        labels[padding] = 0
    return labels


def true_cells(
    contour: np.ndarray, radius: float = 3, padding: np.ndarray | None = None
) -> np.ndarray:
    """Label the cells of a true contour: closing by reconstruction, then components.

    Closing by reconstruction fills exactly those face-connected parts of the complement that
    the ball does not fit into.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
        Anything above 0 is contour.
    radius : float
        Radius of the ball in px; 0 for no closing.
    padding : ndarray, shape (Y, X), bool, optional
        Cells end at padding.

    Returns
    -------
    ndarray, shape (Y, X), uint32
        Consecutive from 1.
    """
    if padding is not None:
        contour = (contour > 0) | padding
    free = np.ascontiguousarray(contour == 0)
    labels = cc3d.connected_components(free, connectivity=4, out_dtype=np.uint32)
    if radius > 0:
        survives = np.zeros(int(labels.max(initial=0)) + 1, bool)
        survives[labels[beyond(contour, radius)]] = True
        survives[0] = False
        labels[~survives[labels]] = 0
    return renumbered(labels)


def beyond(contour: np.ndarray, radius: float) -> np.ndarray:
    """Return where a contour dilated by a ball does not reach.

    The ball of radius r holds the pixels within r + ½ of its centre, as in ITK.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
    radius : float
        In px.

    Returns
    -------
    ndarray, shape (Y, X), bool
    """
    free = np.ascontiguousarray(contour == 0)
    if radius <= 0 or free.all():
        return free
    return edt.edtsq(free, black_border=False) > (radius + 0.5) ** 2


def renumbered(labels: np.ndarray) -> np.ndarray:
    """Number labels consecutively from 1 by their first pixel in memory order.

    Parameters
    ----------
    labels : ndarray, unsigned int

    Returns
    -------
    ndarray, uint32
    """
    flat = labels.ravel()
    first = np.full(int(flat.max(initial=0)) + 1, flat.size, np.int64)
    # Of an index that is given twice the last value stays, hence from the end.
    first[flat[::-1]] = np.arange(flat.size - 1, -1, -1)
    first[0] = flat.size
    present = np.flatnonzero(first < flat.size)
    lookup = np.zeros(first.size, np.uint32)
    lookup[present[np.argsort(first[present])]] = np.arange(1, present.size + 1)
    return lookup[labels]


def border_labels(labels: np.ndarray) -> np.ndarray:
    """Return the labels on the in-plane border of an image or stack, 0 left out."""
    sides = (labels[..., 0, :], labels[..., -1, :], labels[..., 0], labels[..., -1])
    found = np.unique(np.concatenate([side.ravel() for side in sides]))
    return found[found > 0]


def filled(labels: np.ndarray) -> np.ndarray:
    """Fill holes inside cells: unlabelled parts that touch one cell only and not the border.

    Parameters
    ----------
    labels : ndarray, shape (Y, X), uint32

    Returns
    -------
    ndarray, shape (Y, X), uint32
    """
    holes = connected8(labels == 0)
    pairs = []
    for ours, theirs in (
        (np.s_[1:], np.s_[:-1]),
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        hole, cell = holes[ours], labels[theirs]
        touching = (hole > 0) & (cell > 0)
        pairs.append(np.stack([hole[touching], cell[touching]], axis=1))
    found = np.unique(np.concatenate(pairs), axis=0)
    hole, neighbours = np.unique(found[:, 0], return_counts=True)
    fill = np.zeros(int(holes.max(initial=0)) + 1, np.uint32)
    fill[found[:, 0]] = found[:, 1]
    fill[hole[neighbours > 1]] = 0
    fill[border_labels(holes)] = 0
    return np.where(holes > 0, fill[holes], labels)


def _broadcast(excluded: Any, shape: tuple[int, ...]) -> Any:
    if excluded is None:
        return None
    if not isinstance(excluded, LazyArray):
        excluded = np.asarray(excluded) > 0
    if excluded.shape not in (shape, shape[1:]):
        raise InputError(
            f"The excluded area has shape {excluded.shape}, but the contours have {shape}.",
            "Give a mask of the same size.",
        )
    return excluded if isinstance(excluded, LazyArray) else np.broadcast_to(excluded, shape)


def free_pixels(mask: np.ndarray, excluded: np.ndarray | None, params: CellParams) -> np.ndarray:
    """Return what of a slice (Y, X) is not contour by the rule of the settings."""
    free = beyond(mask, params.dilation if params.rule == "scoring" else 0)
    return free if excluded is None else free & ~excluded


def grown(labels: np.ndarray, mask: np.ndarray, params: CellParams) -> np.ndarray:
    """Grow the labels of a slice (Y, X) back, if the rule of the settings says so."""
    if params.rule == "scoring" and params.grow > 0:
        labels = expand_labels(labels, params.grow)
        labels[mask > 0] = 0
    return labels
