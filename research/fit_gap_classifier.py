"""Fit again which gaps are closed without asking, as for new default models, with one command.

    python -m research.fit_gap_classifier --data ../shared/data

It closes maps with ground truth (`gap_blocks`), draws each wall that may be missing, and scores the
cells beside it by the paper's rule. Trees are fitted to the probability that a wall leaves more
cells labelled, and to the probability that it leaves fewer. The result is written to
``boundaries/likely_gaps.safetensors``. The validation slices of fib25 and snemi3d, the five slices
before them, the bundled sample, gala's test crop, isbi2012, HeLa, and all packed cells except those
of plants are not used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from napari_copnet.boundaries.gap_classifier import (
    WEIGHTS_FILE,
    GapClassifier,
    table,
    usual_area,
    write_gap_classifier,
)
from napari_copnet.boundaries.gaps import SlicePlane, Suspect, cut, gaps
from napari_copnet.boundaries.trees import trees_of
from napari_copnet.errors import CopnetError
from napari_copnet.evaluation.metrics import LABELLED, partition
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import find_model
from napari_copnet.params import ClosingParams
from napari_copnet.progress import Progress, Steps, finish
from napari_copnet.steps.cells import scoring_labels
from napari_copnet.steps.certainty import certainty
from napari_copnet.steps.closing import close
from napari_copnet.steps.contours import predict_contours
from napari_copnet.steps.likely_gaps import planes_of
from research.gap_blocks import FitBlock, blocks

LICENCE = (
    "CC BY 3.0. Fitted to FIB-25 (FlyEM, Janelia; CC BY 3.0; Takemura et al. 2015), which has to "
    "be named; to SNEMI3D (Kasthuri et al. 2015; given as Open Data Commons Attribution, not "
    "proved here), to gala's example data (BSD-3), to plant cells of WSU_PlantBio_ML (MIT), and to "
    "synthetic tissue."
)
# Margin around a side, px; cells further away are not affected by a wall drawn in it.
_MARGIN = 16
# Settings of the trees; more trees fit the examples better and other data worse.
TREES = {
    "n_estimators": 120,
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 30,
    "subsample": 0.5,
    "max_features": 0.5,
    "random_state": 0,
}


def examples(
    planes: Sequence[SlicePlane], truth: Sequence[np.ndarray]
) -> Steps[tuple[np.ndarray, np.ndarray]]:
    """Measure every wall that may be missing in a stack whose truth is known.

    Parameters
    ----------
    planes : sequence of SlicePlane
    truth : sequence of ndarray, shape (Y, X), unsigned int
        True cells of each slice.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    values : ndarray, shape (N, F), float32
        See `judge.table`.
    gains : ndarray, shape (N,), int64
        Labelled cells that drawing the wall gains, below 0 where it loses.
    """
    suspects: list[Suspect] = []
    gains: list[int] = []
    for z, plane in enumerate(planes):
        pieces = cut(plane)
        for suspect in gaps(plane):
            suspects.append(suspect)
            gains.append(gain_of(suspect, plane.contour, pieces, truth[z]))
        yield Progress("walls", z + 1, len(planes), "slices")
    usual = usual_area([plane.cells for plane in planes])
    return table(suspects, usual), np.array(gains, np.int64)


def gain_of(suspect: Suspect, contour: np.ndarray, pieces: np.ndarray, cells: np.ndarray) -> int:
    """Return the labelled cells that drawing a wall gains, when its two sides stand alone.

    Parameters
    ----------
    suspect : Suspect
    contour : ndarray, shape (Y, X), bool
    pieces : ndarray, shape (Y, X), int
        From `gaps.cut`.
    cells : ndarray, shape (Y, X), unsigned int
        True cells.
    """
    numbers = np.concatenate(suspect.sides)
    chosen = np.zeros(int(pieces.max()) + 1, bool)
    chosen[numbers] = True
    both = chosen[pieces]
    rows, columns = np.flatnonzero(both.any(axis=1)), np.flatnonzero(both.any(axis=0))
    top, left = max(rows[0] - _MARGIN, 0), max(columns[0] - _MARGIN, 0)
    box = (slice(top, rows[-1] + _MARGIN + 1), slice(left, columns[-1] + _MARGIN + 1))
    both, near = both[box], cells[box]
    # Other pieces of the cell do not count: the walls to them are other questions.
    alone = contour[box] | (~both & ndimage.binary_dilation(both))
    parted = alone.copy()
    y, x = np.divmod(suspect.pixels, contour.shape[1])
    parted[y - top, x - left] = True
    # Cells that are cut off by the box have no fate in it.
    whole = np.bincount(cells.ravel(), minlength=1)
    touched = np.unique(near[ndimage.binary_dilation(both, iterations=3)])
    labelled = []
    for mask in (alone, parted):
        found = partition(near, scoring_labels(mask.astype(np.uint8)))
        counts = np.isin(found.ids, touched) & (whole[found.ids] == found.sizes)
        labelled.append(int(np.count_nonzero(found.fates[counts] == LABELLED)))
    return labelled[1] - labelled[0]


def measure(block: FitBlock) -> Steps[tuple[np.ndarray, np.ndarray]]:
    """Run the networks over a block, and measure its walls as a stack and slice by slice.

    Seen alone, each slice is a stack of one: so the trees also learn to do without the slices
    around.
    """
    given = block.contours
    if given is None:
        assert block.image is not None
        model = Network.load(find_model("shipped", "contours"))
        given = yield from predict_contours(block.image, model)
    # The trees see what closing sees.
    contours = certainty(given).of(given)
    network = Network.load(find_model("shipped", "closing"))
    closed = yield from close(given, network, ClosingParams(likely_gaps=False))
    planes = planes_of(closed.mask > 0, contours, closed.probability)
    truth = [block.true.slice(z).cells for z in range(len(planes))]
    parts = [(yield from examples(planes, truth))]
    for z in range(0, len(planes) if len(planes) > 1 else 0, 2):
        alone = replace(planes[z], around=())
        parts.append((yield from examples([alone], truth[z : z + 1])))
    values, gains = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    return values, gains


def fit(values: np.ndarray, gains: np.ndarray, names: Sequence[str]) -> GapClassifier:
    """Fit trees to examples.

    Parameters
    ----------
    values : ndarray, shape (N, F), float32
    gains : ndarray, shape (N,), int
    names : sequence of str
        What they come from.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    wins, loses = gains > 0, gains < 0
    win, lose = (
        trees_of(GradientBoostingClassifier(**TREES).fit(values, outcome))
        for outcome in (wins, loses)
    )
    facts = {
        "fitted to": list(names),
        "licence": LICENCE,
        "examples": len(gains),
        "walls that win": int(wins.sum()),
        "walls that lose": int(loses.sum()),
    }
    return GapClassifier(win, lose, float(gains[wins].mean()), float(-gains[loses].mean()), facts)


def fit_defaults(data: Path) -> Steps[GapClassifier]:
    """Measure all blocks and fit."""
    names, values, gains = [], [], []
    for block in blocks(data):
        found = yield from measure(block)
        names.append(block.name)
        values.append(found[0])
        gains.append(found[1])
        yield Progress(f"walls of {block.name}", 1, 1, "blocks")
    return fit(np.concatenate(values), np.concatenate(gains), names)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit and write the trees; a line of progress for each block."""
    parser = argparse.ArgumentParser(prog="fit_walls", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data")
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE, help="where the trees go")
    chosen = parser.parse_args(arguments)
    try:
        judge = finish(fit_defaults(chosen.data), _say)
    except CopnetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    write_gap_classifier(judge, chosen.out)
    return 0


def _say(progress: Progress) -> None:
    if progress.unit == "blocks":
        sys.stderr.write(f"{progress.step}\n")


if __name__ == "__main__":
    sys.exit(main())
