"""Score predicted contours against true ones, by slice and over the stack."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.contour_input import as_contour, background, image_kind
from napari_copnet.evaluation.metrics import (
    LABELLED,
    MERGED,
    SPLIT,
    Outline,
    centreline_dice,
    outline,
    partition,
    surface_dice,
)
from napari_copnet.evaluation.stats import mann_whitney, mean_sd
from napari_copnet.params import ScoreParams, checked
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.cells import scoring_labels, true_cells

CELL_SCORES = ("labelled", "merged", "split")
CONTOUR_SCORES = ("nsd", "cldice")
FEWER_IS_BETTER = {"merged", "split"}


@dataclass(frozen=True)
class SliceScores:
    """Scores of one slice.

    Attributes
    ----------
    slice : int
    labelled, merged, split : float
        Shares of the true cells, 0 to 1; they sum to 1, or are all 0 in a slice without cells.
    cells : int
        True cells that were scored.
    nsd, cldice : float
        Of the contour masks, 0 to 1.
    """

    slice: int
    labelled: float
    merged: float
    split: float
    cells: int
    nsd: float
    cldice: float

    def as_dict(self) -> dict[str, Any]:
        """Return the scores as plain values."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True)
class Evaluation:
    """Scores of a stack.

    Attributes
    ----------
    slices : tuple of SliceScores
    baseline : Evaluation or None
        Of another prediction on the same truth, such as the contours before closing.
    """

    slices: tuple[SliceScores, ...]
    baseline: Evaluation | None = None

    def values(self, name: str) -> list[float]:
        """Return a score by slice; slices without cells are left out of shares of cells."""
        return [float(getattr(s, name)) for s in self.slices if s.cells or name not in CELL_SCORES]

    @property
    def cells(self) -> int:
        """True cells scored, over all slices."""
        return sum(s.cells for s in self.slices)

    def mean(self, name: str) -> float:
        """Return the mean over slices of a score."""
        return mean_sd(self.values(name))[0]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values.

        Returns
        -------
        dict
            ``labelled, merged, split, nsd, cldice``: means over slices, 0 to 1; ``cells``: true
            cells in all; ``sd``: standard deviations over slices under the same names;
            ``slices``: scores of each slice. With a baseline also ``baseline``: the same for it;
            ``gain``: mean minus the baseline's; ``p``: one-sided Mann–Whitney U by slice, that
            ours is better (fewer merged and split, more of the others).
        """
        result: dict[str, Any] = {name: self.mean(name) for name in CELL_SCORES}
        result["cells"] = self.cells
        result |= {name: self.mean(name) for name in CONTOUR_SCORES}
        result["sd"] = {
            name: mean_sd(self.values(name))[1] for name in (*CELL_SCORES, "cells", *CONTOUR_SCORES)
        }
        result["slices"] = [s.as_dict() for s in self.slices]
        if self.baseline is not None:
            theirs = self.baseline
            names = (*CELL_SCORES, *CONTOUR_SCORES)
            result["baseline"] = theirs.as_dict()
            result["gain"] = {name: self.mean(name) - theirs.mean(name) for name in names}
            result["p"] = {
                name: mann_whitney(
                    self.values(name),
                    theirs.values(name),
                    "less" if name in FEWER_IS_BETTER else "greater",
                )
                for name in names
            }
        return result


def evaluate(
    predicted: np.ndarray,
    truth: np.ndarray,
    params: ScoreParams | None = None,
    *,
    baseline: np.ndarray | None = None,
    exclude_pixels: np.ndarray | None = None,
    exclude_cell: np.ndarray | None = None,
) -> Steps[Evaluation]:
    """Score predicted contours against true ones as the paper does.

    Parameters
    ----------
    predicted, truth, baseline : ndarray, shape (Y, X) or (Z, Y, X)
        Contours as probability, mask or label image: see `contour_input.as_contour`. With a label
        image for truth only its labelled cells are scored.
    params : ScoreParams, optional
    exclude_pixels : ndarray, shape (Y, X) or (Z, Y, X), optional
        Pixels above 0 are zeroed in truth and prediction after cells were labelled.
    exclude_cell : ndarray, shape (Y, X) or (Z, Y, X), optional
        Marks structures (each value above 0 is one): the true cell that covers most of it is
        zeroed in truth and prediction, slice by slice.

    Yields
    ------
    Progress
        One for each slice.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        Shapes differ, or an image does not show contours.
    """
    params = checked(params or ScoreParams())
    true_contours = _stack(as_contour(truth))
    shape = true_contours.shape
    methods = [_same_shape("prediction", as_contour(predicted), shape)]
    if baseline is not None:
        methods.append(_same_shape("baseline", as_contour(baseline), shape))
    pixels = _exclusion("excluded pixels", exclude_pixels, shape)
    structures = _exclusion("excluded structures", exclude_cell, shape)
    labelled_truth = (
        _stack(np.asarray(truth)) if image_kind(np.asarray(truth)) == "labels" else None
    )

    scores: list[list[SliceScores]] = [[] for _ in methods]
    for z in range(shape[0]):
        cells = true_cells(true_contours[z], params.closing_radius)
        if labelled_truth is not None:
            cells = without_background(cells, background(labelled_truth[z]))
        out = _excluded(cells, pixels, structures, z)
        true_outline = _outline(true_contours[z], out, params)
        if out is not None:
            cells = np.where(out, np.uint32(0), cells)
        for contours, found in zip(methods, scores, strict=True):
            found.append(_score_slice(z, contours[z], cells, true_outline, out, params))
        yield Progress("evaluate", z + 1, shape[0], "slices")
    theirs = Evaluation(tuple(scores[1])) if baseline is not None else None
    return Evaluation(tuple(scores[0]), theirs)


def _score_slice(
    z: int,
    contour: np.ndarray,
    cells: np.ndarray,
    true_outline: Outline,
    out: np.ndarray | None,
    params: ScoreParams,
) -> SliceScores:
    predicted = scoring_labels(contour, params.dilation, params.grow)
    if out is not None:
        predicted[out] = 0
    fates = partition(cells, predicted, params.overlap)
    ours = _outline(contour, out, params)
    return SliceScores(
        slice=z,
        labelled=fates.share(LABELLED),
        merged=fates.share(MERGED),
        split=fates.share(SPLIT),
        cells=int(fates.ids.size),
        nsd=surface_dice(ours, true_outline),
        cldice=centreline_dice(ours, true_outline),
    )


def without_background(cells: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Remove true cells that lie mostly where the label image has none.

    Parameters
    ----------
    cells : ndarray, shape (Y, X), unsigned int
    empty : ndarray, shape (Y, X), bool
        See `contour_input.background`.
    """
    size = np.bincount(cells.ravel())
    drop = 2 * np.bincount(cells[empty], minlength=size.size) > size
    return np.where(drop[cells], np.uint32(0), cells)


def covering_cell(cells: np.ndarray, structure: np.ndarray) -> int:
    """Return the true cell that covers most of a structure, 0 if none does.

    Parameters
    ----------
    cells : ndarray, shape (Y, X), unsigned int
    structure : ndarray, shape (Y, X), bool
    """
    counts = np.bincount(cells[structure], minlength=1)
    counts[0] = 0
    return int(counts.argmax())


def _excluded(
    cells: np.ndarray, pixels: np.ndarray | None, structures: np.ndarray | None, z: int
) -> np.ndarray | None:
    """Pixels to zero in a slice, or None."""
    if pixels is None and structures is None:
        return None
    out = np.zeros(cells.shape, bool)
    if structures is not None:
        for value in np.unique(structures[z]):
            cell = covering_cell(cells, structures[z] == value) if value > 0 else 0
            if cell:
                out |= cells == cell
    if pixels is not None:
        out |= pixels[z] > 0
    return out


def _outline(contour: np.ndarray, out: np.ndarray | None, params: ScoreParams) -> Outline:
    kept = contour if out is None else contour & ~out
    return outline(kept, params.tolerance, params.skeleton)


def _stack(image: np.ndarray) -> np.ndarray:
    return image[None] if image.ndim == 2 else image


def _same_shape(name: str, contour: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    contour = _stack(contour)
    if contour.shape != shape:
        raise InputError(
            f"The {name} has shape {contour.shape}, the truth has {shape}.",
            "Both must lie in the same frame: give slices and sizes that belong together.",
        )
    return contour


def _exclusion(name: str, image: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    if image is None:
        return None
    image = np.asarray(image)
    if image.shape not in (shape, shape[1:]):
        raise InputError(
            f"The mask of {name} has shape {image.shape}, the truth has {shape}.",
            "Give a mask of the same size.",
        )
    return np.broadcast_to(image, shape)
