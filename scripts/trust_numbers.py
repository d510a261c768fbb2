"""Honest numbers: scores against references that are slow, and too simple to be wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from trust_inputs import counted

from napari_copnet.evaluation.metrics import centreline_dice, outline, partition, surface_dice
from napari_copnet.params import CellParams
from napari_copnet.steps.cells import label_slice

# What the tests compare the scores with.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "evaluation"))


def honest_numbers(_: Path, count: int, seed: int) -> tuple[int, int, int]:
    """Compare scores and cells of random images with references; return tried, same, other."""
    from test_metrics import NAMES, by_hand, cldice_by_hand, nsd_by_hand

    rng = np.random.default_rng(seed)

    def one(_: int) -> str:
        shape = tuple(int(n) for n in rng.integers(6, 22, 2))
        truth, predicted = (_labels(rng, shape) for _ in range(2))
        overlap = int(rng.integers(50, 101))
        found = partition(truth, predicted, overlap / 100)
        fates = dict(zip(found.ids.tolist(), (NAMES[f] for f in found.fates), strict=True))
        same = fates == by_hand(truth, predicted, overlap)
        first, second = truth == 0, predicted == 0
        tolerance = float(rng.choice([0, 1, 1.5, 2, 3]))
        nsd = surface_dice(outline(first, tolerance), outline(second, tolerance))
        same &= bool(np.isclose(nsd, nsd_by_hand(first, second, tolerance)))
        with np.errstate(invalid="ignore"), _quiet():
            expected = cldice_by_hand(first, second, "zhang")
        if np.isfinite(expected):
            same &= bool(np.isclose(centreline_dice(outline(first), outline(second)), expected))
        same &= _same_cells(first.astype(np.uint8), int(rng.integers(0, 6)))
        return "" if same else f"of seed {seed} has other scores"

    return counted(count, one)


def _labels(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Draw cells with walls between them, some of which have gaps."""
    rows = np.cumsum(rng.random(shape[0]) < 0.25)
    columns = np.cumsum(rng.random(shape[1]) < 0.25)
    labels = (1 + rows[:, None] + 10 * columns[None]).astype(np.uint32)
    labels[rng.random(shape) < 0.2] = 0
    return labels


def _same_cells(contour: np.ndarray, min_size: int) -> bool:
    """Whether cells are the 4-connected regions of no contour that are large enough."""
    found = label_slice(contour, CellParams(min_size=min_size))
    expected = np.zeros(contour.shape, int)
    left, number = {(int(y), int(x)) for y, x in np.argwhere(contour == 0)}, 0
    while left:
        region, front = set(), [min(left)]
        left.discard(front[0])
        while front:
            y, x = front.pop()
            region.add((y, x))
            for spot in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if spot in left:
                    left.discard(spot)
                    front.append(spot)
        if len(region) >= min_size:
            number += 1
            for spot in region:
                expected[spot] = number
    pairs = {(int(a), int(b)) for a, b in zip(found.ravel(), expected.ravel(), strict=True)}
    return len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs) and all(
        (a == 0) == (b == 0) for a, b in pairs
    )


def _quiet() -> object:
    import warnings

    return warnings.catch_warnings(action="ignore")
