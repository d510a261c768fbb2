"""Instance labels from closed contours: the connected components of what is not contour."""

from __future__ import annotations

import cc3d
import edt
import numpy as np
from skimage.segmentation import expand_labels

from napari_copnet.boundaries.components import connected8
from napari_copnet.errors import InputError
from napari_copnet.params import CellParams, checked
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.linking import link_slices
from napari_copnet.types import Cells


def label_cells(
    closed: np.ndarray, params: CellParams | None = None, *, excluded: np.ndarray | None = None
) -> Steps[Cells]:
    """Label the cells of a stack of closed contours.

    Parameters
    ----------
    closed : ndarray, shape (Z, Y, X)
        Contour mask; anything above 0 is contour. Connectivity is by faces.
    params : CellParams, optional
        Sizes count areas in a slice: in mode ``"3d"`` a cell's largest. In the modes that join
        slices a cell that touches the border in any slice is removed as a whole.
    excluded : ndarray, shape (Y, X) or (Z, Y, X), bool, optional
        Areas without cells, such as capillaries. Cells end at them.

    Yields
    ------
    Progress
        One for each slice.

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
    closed = np.asarray(closed)
    if closed.ndim != 3:
        raise InputError(
            f"The contour mask has {closed.ndim} axes.", "Give a stack with axes z, y, x."
        )
    barrier = _broadcast(excluded, closed.shape)
    labels = np.zeros(closed.shape, np.uint32)
    depth = closed.shape[0]
    if params.mode == "3d":
        # Not before it is needed: it loads numba.
        from napari_copnet.boundaries.stack_components import StackComponents

        parts = StackComponents(closed.shape[1:])
        for z in range(depth):
            parts.add(_free(closed[z], barrier[z] if barrier is not None else None, params))
            yield Progress("cells", z * 0.5, depth, "slices")
        grows = params.rule == "scoring" and params.grow > 0
        # Grown cells are measured with what they have grown by.
        parts.number(0 if grows else params.min_size, params.remove_border and not grows)
        for z in range(depth):
            parts.draw(z, labels[z])
            if grows:
                labels[z] = _grown(labels[z], closed[z], params)
            elif params.fill_holes:
                labels[z] = filled(labels[z])
            yield Progress("cells", (depth + z) * 0.5, depth, "slices")
        if grows:
            labels = _filtered_stack(labels, params)
    else:
        # Linking decides on whole cells, so their border is looked at afterwards.
        keep_border = params.mode == "linked"
        for z in range(depth):
            labels[z] = label_slice(
                closed[z],
                params,
                excluded=barrier[z] if barrier is not None else None,
                keep_border=keep_border,
            )
            yield Progress("cells", z + 1, depth, "slices")
    if barrier is not None:
        labels[barrier] = 0
    links = np.zeros((0, 3), np.int64)
    if params.mode == "linked":
        labels, links = yield from _linked(labels, params)
    elif params.mode == "3d":
        if not grows:
            # A hole never begins before the cell around it, so its filling changes no number.
            return Cells(labels=labels, counts=parts.counts, mode=params.mode, links=links)
        labels = renumbered(labels)
    counts = np.array([np.count_nonzero(np.bincount(s.ravel())[1:]) for s in labels], np.int64)
    return Cells(labels=labels, counts=counts, mode=params.mode, links=links)


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
    labels = _grown(labels, mask, params)
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
        _free(mask, excluded, params), connectivity=4, out_dtype=np.uint32
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
        _free(contour, padding, params), connectivity=4, out_dtype=np.uint32
    )
    labels = _grown(labels, contour, params)
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


def _broadcast(excluded: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    if excluded is None:
        return None
    excluded = np.asarray(excluded) > 0
    if excluded.shape not in (shape, shape[1:]):
        raise InputError(
            f"The excluded area has shape {excluded.shape}, but the contours have {shape}.",
            "Give a mask of the same size.",
        )
    return np.broadcast_to(excluded, shape)


def _free(mask: np.ndarray, excluded: np.ndarray | None, params: CellParams) -> np.ndarray:
    free = beyond(mask, params.dilation if params.rule == "scoring" else 0)
    return free if excluded is None else free & ~excluded


def _grown(labels: np.ndarray, mask: np.ndarray, params: CellParams) -> np.ndarray:
    if params.rule == "scoring" and params.grow > 0:
        labels = expand_labels(labels, params.grow)
        labels[mask > 0] = 0
    return labels


def _filtered_stack(labels: np.ndarray, params: CellParams) -> np.ndarray:
    """Apply size, holes and border to the cells of a whole stack."""
    largest = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    for image in labels:
        areas = np.bincount(image.ravel())
        np.maximum(largest[: areas.size], areas, out=largest[: areas.size])
    drop = largest < params.min_size
    if params.remove_border:
        drop[border_labels(labels)] = True
    drop[0] = False
    labels = np.where(drop[labels], np.uint32(0), labels)
    if params.fill_holes:
        for z, image in enumerate(labels):
            labels[z] = filled(image)
    return labels


def _linked(labels: np.ndarray, params: CellParams) -> Steps[tuple[np.ndarray, np.ndarray]]:
    out = np.zeros_like(labels)
    links = []
    for z, (image, lookup) in enumerate(link_slices(labels, params.link_overlap)):
        out[z] = image
        before = np.arange(1, lookup.size)
        links.append(np.stack([np.full(before.size, z), before, lookup[1:]], axis=1))
        yield Progress("cells", len(labels), len(labels), "slices")
    table = np.concatenate(links).astype(np.int64) if links else np.zeros((0, 3), np.int64)
    if params.remove_border:
        gone = border_labels(out)
        out[np.isin(out, gone)] = 0
        table = table[~np.isin(table[:, 2], gone)]
        kept = np.unique(table[:, 2])
        table[:, 2] = np.searchsorted(kept, table[:, 2]) + 1
        out = renumbered(out)
    return out, table
