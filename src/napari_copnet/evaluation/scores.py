"""Score predicted contours against true ones, by slice and over the stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_copnet.evaluation.metrics import (
    LABELLED,
    MERGED,
    SPLIT,
    Outline,
    Partition,
    centreline_dice,
    surface_dice,
)
from napari_copnet.evaluation.score_names import (
    CELL_SCORES,
    CONTOUR_SCORES,
    FEWER_IS_BETTER,
    SCORES,
)
from napari_copnet.evaluation.stats import mann_whitney, mean_sd
from napari_copnet.evaluation.true_slices import TrueSlice, TrueStack
from napari_copnet.params import ScoreParams
from napari_copnet.progress import Progress, Steps

FATES = {LABELLED: "labelled", MERGED: "merged", SPLIT: "split"}


@dataclass(frozen=True)
class CellScores:
    """The true cells of a slice, one entry for each.

    Attributes
    ----------
    fates : Partition
        What became of each, and its size.
    centres : ndarray, shape (N, 2), float64
        Centres of gravity (y, x), px.
    labels : ndarray, shape (N,), int64
        The label each has in the label image the truth was given as (the most frequent one), or
        0 when the truth was none.
    """

    fates: Partition
    centres: np.ndarray
    labels: np.ndarray

    def rows(self) -> list[dict[str, Any]]:
        """Return a row of plain values for each cell.

        ``cell`` is its number in the slice, ``label`` that in the given label image or None,
        ``size`` its pixels, ``fate`` one of labelled, merged and split, ``predicted`` the number
        of the predicted cell with most of it (0 is none), ``covered`` the share of the cell that
        has this number, and ``elsewhere`` how many pixels beyond the cell have it, as a share of
        the cell's size.
        """
        found = self.fates
        return [
            {
                "cell": int(found.ids[i]),
                "label": int(self.labels[i]) or None,
                "y": round(float(self.centres[i, 0]), 1),
                "x": round(float(self.centres[i, 1]), 1),
                "size": int(found.sizes[i]),
                "fate": FATES[int(found.fates[i])],
                "predicted": int(found.predicted[i]),
                "covered": round(float(found.covered[i] / found.sizes[i]), 4),
                "elsewhere": (
                    round(float(found.elsewhere[i] / found.sizes[i]), 4)
                    if found.predicted[i]
                    else None
                ),
            }
            for i in range(found.ids.size)
        ]


@dataclass(frozen=True)
class SliceScores:
    """Scores of one slice.

    Attributes
    ----------
    slice : int
        Its number in the stack.
    labelled, merged, split : float
        Shares of the true cells, 0 to 1; they sum to 1, or are all 0 in a slice without cells.
    cells : int
        True cells that were scored.
    nsd, cldice : float
        Of the contour masks, 0 to 1.
    neighbour_cldice, true_neighbour_cldice : float or None
        Centre-line Dice between the predicted (true) contour of this slice and that of the slice
        before; None when that one was not scored.
    by_cell : CellScores or None
        Each true cell, where they were asked for.
    """

    slice: int
    labelled: float
    merged: float
    split: float
    cells: int
    nsd: float
    cldice: float
    neighbour_cldice: float | None = None
    true_neighbour_cldice: float | None = None
    by_cell: CellScores | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the scores of the slice, without its cells, as plain values."""
        names = ("slice", *CELL_SCORES, "cells", *CONTOUR_SCORES, "neighbour_cldice")
        return {name: getattr(self, name) for name in names}


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

    def neighbours(self) -> dict[str, Any] | None:
        """Return centre-line Dice between contours of neighbouring slices, None without any.

        Returns
        -------
        dict
            ``cldice`` and ``sd``: mean and standard deviation over pairs; ``truth``: the mean of
            the true contours, to compare with; ``pairs``: how many.
        """
        ours = [s.neighbour_cldice for s in self.slices if s.neighbour_cldice is not None]
        true = [s.true_neighbour_cldice for s in self.slices if s.true_neighbour_cldice is not None]
        if not ours:
            return None
        mean, sd = mean_sd(ours)
        return {"cldice": mean, "sd": sd, "truth": mean_sd(true)[0], "pairs": len(ours)}

    def cell_rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each true cell of each slice: see `CellScores.rows`.

        Each row begins with its ``slice``; with a baseline it also has ``baseline_fate``.
        """
        for number, scores in enumerate(self.slices):
            if scores.by_cell is None:
                continue
            found = [{"slice": scores.slice, **row} for row in scores.by_cell.rows()]
            theirs = self.baseline.slices[number].by_cell if self.baseline is not None else None
            if theirs is not None:
                for row, fate in zip(found, theirs.fates.fates, strict=True):
                    row["baseline_fate"] = FATES[int(fate)]
            yield from found

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the single cells as plain values.

        Returns
        -------
        dict
            ``labelled, merged, split, nsd, cldice``: means over slices, 0 to 1; ``cells``: true
            cells in all; ``sd``: standard deviations over slices under the same names;
            ``neighbours``: see `neighbours`; ``slices``: scores of each slice. With a baseline
            also ``baseline``: the same for it;
            ``gain``: mean minus the baseline's; ``p``: one-sided Mann–Whitney U by slice, that
            ours is better (fewer merged and split, more of the others).
        """
        result: dict[str, Any] = {name: self.mean(name) for name in CELL_SCORES}
        result["cells"] = self.cells
        result |= {name: self.mean(name) for name in CONTOUR_SCORES}
        result["sd"] = {
            name: mean_sd(self.values(name))[1] for name in (*CELL_SCORES, "cells", *CONTOUR_SCORES)
        }
        result["neighbours"] = self.neighbours()
        result["slices"] = [s.as_dict() for s in self.slices]
        if self.baseline is not None:
            theirs = self.baseline
            result["baseline"] = theirs.as_dict()
            result["gain"] = {name: self.mean(name) - theirs.mean(name) for name in SCORES}
            result["p"] = {
                name: mann_whitney(
                    self.values(name),
                    theirs.values(name),
                    "less" if name in FEWER_IS_BETTER else "greater",
                )
                for name in SCORES
            }
        return result


def evaluate(
    predicted: Any,
    truth: Any,
    params: ScoreParams | None = None,
    *,
    baseline: Any = None,
    exclude_pixels: Any = None,
    exclude_cell: Any = None,
    numbers: Sequence[int] | None = None,
) -> Steps[Evaluation]:
    """Score predicted contours against true ones as the paper does.

    Arrays may be lazy, such as ``read_stack(path, lazy=True).data``: memory is then set by a few
    slices, whatever the size of the stack.

    Parameters
    ----------
    predicted, truth, baseline : array, shape (Y, X) or (Z, Y, X)
        Contours as probability, mask or label image: see `contour_input.as_contour`. With a label
        image for truth only its labelled cells are scored.
    params : ScoreParams, optional
    exclude_pixels, exclude_cell : array, shape (Y, X) or (Z, Y, X), optional
        See `true_slices.TrueStack`.
    numbers : sequence of int, optional
        What the slices are called, when they are some of a larger stack; from 0 by default.
        Only slices with consecutive numbers are neighbours.

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
    true = TrueStack(truth, params, exclude_pixels=exclude_pixels, exclude_cell=exclude_cell)
    methods = {"prediction": predicted}
    if baseline is not None:
        methods["baseline"] = baseline
    scores = yield from evaluate_all(methods, true, numbers)
    return replace(scores["prediction"], baseline=scores.get("baseline"))


def evaluate_all(
    methods: Mapping[str, Any],
    true: TrueStack,
    numbers: Sequence[int] | None = None,
    *,
    by_cell: bool = True,
) -> Steps[dict[str, Evaluation]]:
    """Score the contours of several methods against one truth.

    Parameters
    ----------
    methods : mapping
        Name to contours, shape (Y, X) or (Z, Y, X), as for `evaluate`.
    true : TrueStack
    numbers : sequence of int, optional
        As for `evaluate`.
    by_cell : bool
        Keep what became of each cell, some 60 bytes a cell and method.

    Yields
    ------
    Progress
        One for each slice.

    Returns
    -------
    dict
        Name to `Evaluation`, without baselines.

    Raises
    ------
    InputError
        Shapes differ, or an image does not show contours.
    """
    contours = {name: true.prediction(name, predicted) for name, predicted in methods.items()}
    scores: dict[str, list[SliceScores]] = {name: [] for name in contours}
    names = list(range(len(true)) if numbers is None else numbers)
    before: dict[str, Outline] = {}
    true_before: Outline | None = None
    for z, number in enumerate(names):
        this = true.slice(z)
        if z and number != names[z - 1] + 1:
            before, true_before = {}, None
        for name, stack in contours.items():
            contour = np.asarray(stack[z])
            ours = this.outline_of(contour)
            found = _score_slice(number, contour, ours, this, before.get(name), true_before)
            scores[name].append(found if by_cell else replace(found, by_cell=None))
            before[name] = ours
        true_before = this.outline
        yield Progress("evaluate", z + 1, len(names), "slices")
    return {name: Evaluation(tuple(found)) for name, found in scores.items()}


def _score_slice(
    name: int,
    contour: np.ndarray,
    ours: Outline,
    true: TrueSlice,
    ours_before: Outline | None,
    true_before: Outline | None,
) -> SliceScores:
    fates = true.fates(contour)

    def likeness(this: Outline, previous: Outline | None) -> float | None:
        return None if previous is None else centreline_dice(this, previous)

    return SliceScores(
        slice=name,
        labelled=fates.share(LABELLED),
        merged=fates.share(MERGED),
        split=fates.share(SPLIT),
        cells=int(fates.ids.size),
        nsd=surface_dice(ours, true.outline),
        cldice=centreline_dice(ours, true.outline),
        neighbour_cldice=likeness(ours, ours_before),
        true_neighbour_cldice=likeness(true.outline, true_before),
        by_cell=_by_cell(fates, true),
    )


def _by_cell(fates: Partition, true: TrueSlice) -> CellScores:
    flat = true.cells.ravel()
    places = np.flatnonzero(flat)
    owner = flat[places]
    size = np.maximum(np.bincount(owner, minlength=int(flat.max(initial=0)) + 1), 1)
    y, x = np.divmod(places, true.cells.shape[1])
    centres = np.stack([np.bincount(owner, part, size.size) / size for part in (y, x)], axis=1)
    labels = np.zeros(fates.ids.size, np.int64)
    if true.labels is not None:
        # The most frequent label of each cell: the last one by count of each owner.
        pairs, counts = np.unique(
            np.stack([owner, true.labels.ravel()[places]]).astype(np.int64),
            axis=1,
            return_counts=True,
        )
        order = np.lexsort((counts, pairs[0]))
        last = np.searchsorted(pairs[0][order], fates.ids, side="right") - 1
        labels = pairs[1][order][last]
    return CellScores(fates, centres[fates.ids], labels)
