"""Fit the weights of the review queue anew, as for new default models: one command.

    python -m research.fit_queue --data ../shared/data

It runs the default models over slices whose truth is known, looks at every wall that the queue
could ask about, and fits from `error_probability.FEATURES` which of them are wrong and which
corrections leave more cells labelled. It writes ``queue_weights.json``. Nothing that the queue is
measured on is used: the slices of fib25 that `splits` keeps for validation, other seeds of
synthetic tissue, and isbi2012, whose terms do not let what is learnt from it be shipped.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from skimage.segmentation import expand_labels

from napari_copnet.boundaries.gaps import GAP, Suspect, cut
from napari_copnet.boundaries.sides import compact, shared
from napari_copnet.errors import CopnetError
from napari_copnet.files import whole_file
from napari_copnet.progress import Progress, Steps, finish
from napari_copnet.proofreading.error_probability import (
    DRAWN,
    FEATURES,
    MISSING,
    OF_IMAGE,
    WEIGHTS_FILE,
    features,
    sort_of,
    weights_for,
)
from napari_copnet.proofreading.queue import plane_of, suspects, usual_cell
from napari_copnet.proofreading.session import Session
from napari_copnet.steps.cells import true_cells
from research import splits
from research.known_runs import KnownRun, known_fib25, known_tissue
from research.proofreading_effort import GROW

SEEDS, SLICES = (5, 7, 8), 12
# A cell is labelled when so much of it is covered and no more than the rest lies elsewhere.
_OVERLAP = 0.85
# Holds the weights of features that say the same together.
_RIDGE = 2.0


def examples(known: KnownRun) -> Steps[dict[str, np.ndarray]]:
    """Measure every suspect of a stack whose truth is known.

    Parameters
    ----------
    known : KnownRun

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    dict of str to ndarray, shape (N, F + 2)
        By sort of suspect: its features, whether it is wrong, and the labelled cells that its
        correction wins.
    """
    found: dict[str, list[tuple[float, ...]]] = {DRAWN: [], MISSING: []}
    with (
        tempfile.TemporaryDirectory() as folder,
        Session.create(Path(folder) / "session", known.start) as session,
    ):
        usual = usual_cell(session)
        image = session.image
        for z in range(session.shape[0]):
            plane = plane_of(session, z, image)
            here = suspects(plane)
            truth = expand_labels(true_cells(known.truth[z]), GROW)
            tables = {
                DRAWN: _table(compact(plane.cells), truth),
                MISSING: _table(cut(plane), truth),
            }
            for suspect in here:
                sort = sort_of(suspect.kind)
                outcome = _outcome(suspect, tables[sort])
                found[sort].append((*features(suspect, usual), *outcome))
            yield Progress(f"suspects of {known.name}", z + 1, session.shape[0], "slices")
    return {sort: np.array(rows).reshape(-1, len(FEATURES) + 2) for sort, rows in found.items()}


def fit(blocks: Iterable[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Fit weights to examples.

    Parameters
    ----------
    blocks : iterable of dict
        From `examples`.

    Returns
    -------
    dict
        By the names of `error_probability.weights_for`: ``"error"`` and ``"wins"`` by feature,
        ``"gain"``, and how many examples, errors and corrections that win there were.
    """
    every = list(blocks)
    fitted = {}
    for sort in (DRAWN, MISSING):
        rows = np.concatenate([block[sort] for block in every])
        values, wrong, gain = rows[:, :-2], rows[:, -2], rows[:, -1]
        wins = gain > 0
        for seen in (True, False):
            # The same walls, as they would look without their image.
            known = values if seen else np.where(np.isin(FEATURES, OF_IMAGE), 0.0, values)
            fitted[weights_for(sort, seen)] = {
                "examples": len(rows),
                "errors": int(wrong.sum()),
                "corrections that win": int(wins.sum()),
                "gain": round(float(gain[wins].mean()) if wins.any() else 1.0, 3),
                "error": _named(logistic_fit(known, wrong)),
                "wins": _named(logistic_fit(known, wins.astype(float))),
            }
    return fitted


def logistic_fit(values: np.ndarray, outcome: np.ndarray, ridge: float = _RIDGE) -> np.ndarray:
    """Fit a logistic model by Newton's method.

    The penalty is ridge / 2 times the squared weights of the standardised values, the first
    (constant) one left out.

    Parameters
    ----------
    values : ndarray, shape (N, F)
        The first column is 1.
    outcome : ndarray, shape (N,)
        0 or 1.
    ridge : float

    Returns
    -------
    ndarray, shape (F,)
        Weights of the values as they are.
    """
    mean, spread = values[:, 1:].mean(axis=0), values[:, 1:].std(axis=0) + 1e-9
    scaled = np.hstack([np.ones((len(values), 1)), (values[:, 1:] - mean) / spread])
    penalty = np.full(scaled.shape[1], ridge)
    # A little on the constant too, so that an outcome that never occurs has finite weights.
    penalty[0] = 1e-3
    weights = np.zeros(scaled.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(scaled @ weights, -50, 50)))
        slope = scaled.T @ (chance - outcome) + penalty * weights
        bend = (scaled * (chance * (1 - chance))[:, None]).T @ scaled + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    plain = weights.copy()
    plain[1:] /= spread
    plain[0] -= plain[1:] @ mean
    return plain


def fit_defaults(data: Path) -> Steps[dict[str, Any]]:
    """Run the default models over all that the queue is fitted to, and fit.

    Parameters
    ----------
    data : Path
        Folder above ``fib25``.

    Returns
    -------
    dict
        ``"fitted to"`` and ``"weights"``: what is written to `error_probability.WEIGHTS_FILE`.
    """
    runs = [known_fib25(data, block[0], block[-1]) for block in splits.QUEUE]
    runs += [known_tissue(SLICES, seed) for seed in SEEDS]
    names, blocks = [], []
    for run in runs:
        known = yield from run
        names.append(known.name)
        blocks.append((yield from examples(known)))
    return {"fitted to": names, "weights": fit(blocks)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit and write the weights; a line of progress for each stage."""
    parser = argparse.ArgumentParser(prog="fit_queue", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with fib25")
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE, help="where the weights go")
    chosen = parser.parse_args(arguments)
    work = fit_defaults(chosen.data)
    try:
        fitted = finish(work, _say)
    except CopnetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    write(fitted, chosen.out)
    return 0


def _say(progress: Progress) -> None:
    if progress.done == progress.total and progress.step.startswith("suspects"):
        sys.stderr.write(f"{progress.step}: {progress.total:.0f} {progress.unit}\n")


def write(fitted: dict[str, Any], path: Path) -> None:
    """Write weights for `error_probability.read_weights`."""
    with whole_file(path) as beside:
        beside.write_text(json.dumps(fitted, indent=1) + "\n")


def _table(parts: np.ndarray, truth: np.ndarray) -> np.ndarray:
    grown = expand_labels(parts, GROW)
    return shared(grown, truth, int(parts.max(initial=0)) + 1, int(truth.max(initial=0)) + 1)


def _outcome(suspect: Suspect, table: np.ndarray) -> tuple[float, float]:
    """Return whether a suspect is wrong, and the labelled cells that its correction wins."""
    sizes = table.sum(axis=0)[1:]
    first, second = (table[numbers].sum(axis=0) for numbers in suspect.sides)
    if not sizes.size or not first[1:].any() or not second[1:].any():
        return 0.0, 0.0
    apart = first[1:].argmax() != second[1:].argmax()
    gain = (
        _is_labelled(first, sizes)
        + _is_labelled(second, sizes)
        - _is_labelled(first + second, sizes)
    )
    if suspect.kind == GAP:
        return float(apart), float(gain)
    return float(not apart), float(-gain)


def _is_labelled(row: np.ndarray, sizes: np.ndarray) -> int:
    """Whether a predicted cell labels a true one: pixels shared with each, and with none first."""
    inside = row[1:]
    fits = (inside >= _OVERLAP * sizes) & (row.sum() - inside <= (1 - _OVERLAP) * sizes)
    return int(fits.any())


def _named(weights: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(FEATURES, weights, strict=True)}


if __name__ == "__main__":
    sys.exit(main())
