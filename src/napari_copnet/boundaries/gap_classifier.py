"""Which gaps are likely enough to be closed without asking.

A closing network sees a slice's contour and nothing else. What it leaves open may still show in
the shape of a cell (two round cells that run into one another), in the slices around, and in a
trace of probability. For each wall that may be missing (`gaps.gaps`) two sums of trees tell how
likely drawing it leaves more cells labelled in the sense of the paper, and how likely fewer. They
were fitted by ``python -m research.fit_gap_classifier`` to slices whose truth is known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.boundaries.gaps import Suspect
from napari_copnet.boundaries.trees import Trees

WEIGHTS_FILE = Path(__file__).with_name("likely_gaps.safetensors")
# What a wall is judged by, in the order of the columns.
FEATURES = (
    "log width over the smaller side",
    "log width over the depth of the smaller side",
    "log width over the depth of the larger side",
    "log smaller side",
    "log smaller side over usual cell",
    "log smaller over larger side",
    "log depth of the smaller side",
    "solidity of the smaller side",
    "solidity of the larger side",
    "solidity of both",
    "solidity lost by both",
    "opening",
    "log probability after closing",
    "log probability of Step 1",
    "log weakest probability",
    "strongest probability of Step 1",
    "median probability of Step 1",
    "witness",
    "fit of the smaller side",
    "fit of the larger side",
    "fit of both",
    "echo",
    "lowest probability of Step 1",
    "rise of Step 1 above the higher basin",
    "log rise of Step 1 above the higher basin",
    "log mean of Step 1 over its ground",
    "probability of the ground",
    # How much the slices around can tell of this stack.
    "usual fit of both",
    "usual echo",
)
# Of the stack, not of the wall: the last columns.
_OF_STACK = 2
_SMALL = FEATURES.index("log smaller side")
_USUAL = FEATURES.index("log smaller side over usual cell")
_FIT, _ECHO = FEATURES.index("fit of both"), FEATURES.index("echo")


@dataclass(frozen=True)
class GapClassifier:
    """What was fitted.

    Attributes
    ----------
    wins, loses : Trees
        How likely drawing a wall leaves more labelled cells, and fewer.
    won, lost : float
        How many more and fewer on the average, when it does.
    facts : dict
        What it was fitted to, for people.
    columns : tuple of int
        Indices of the `FEATURES` it was fitted to; trees in older files use fewer.
    """

    wins: Trees
    loses: Trees
    won: float
    lost: float
    facts: dict[str, Any]
    columns: tuple[int, ...] = tuple(range(len(FEATURES)))

    def chance(self, values: np.ndarray) -> np.ndarray:
        """Return the probability that drawing a wall gains labelled cells, for rows of `table`."""
        return self.wins.chance(values[:, self.columns])

    def gain(self, values: np.ndarray) -> np.ndarray:
        """Return the labelled cells that drawing walls gains, as expected.

        Parameters
        ----------
        values : ndarray, shape (N, F)
            From `table`.

        Returns
        -------
        ndarray, shape (N,), float64
            Below 0 where it loses.
        """
        loss = self.loses.chance(values[:, self.columns]) * self.lost
        return self.chance(values) * self.won - loss


def table(suspects: Sequence[Suspect], usual: float) -> np.ndarray:
    """Return what `FEATURES` names, for all suspects of a stack.

    Parameters
    ----------
    suspects : sequence of Suspect
        Of one stack: the last columns are medians over all of them.
    usual : float
        Median area of a cell of the stack, px.

    Returns
    -------
    ndarray, shape (N, F), float32
    """
    values = rows(suspects)
    return completed(values, usual, medians(witnesses(values)))


def rows(suspects: Sequence[Suspect]) -> np.ndarray:
    """Return what `FEATURES` names, without what takes the whole stack; see `completed`.

    Returns
    -------
    ndarray, shape (N, F), float32
    """
    values = np.zeros((len(suspects), len(FEATURES)), np.float32)
    for row, suspect in zip(values, suspects, strict=True):
        row[:-_OF_STACK] = _features(suspect)
    return values


def witnesses(values: np.ndarray) -> np.ndarray:
    """Return what the slices around tell of rows (N, F), shape (N, 2)."""
    return values[:, [_FIT, _ECHO]]


def medians(values: np.ndarray) -> np.ndarray:
    """Return the medians over all `witnesses` of a stack, which its last columns hold, (2,)."""
    return np.median(values, axis=0) if len(values) else np.zeros(_OF_STACK, np.float32)


def completed(values: np.ndarray, usual: float, over_stack: np.ndarray) -> np.ndarray:
    """Return rows, shape (N, F), with what takes the whole stack.

    Parameters
    ----------
    values : ndarray, shape (N, F), float32
        From `rows`.
    usual : float
        Median area of a cell of the stack, px.
    over_stack : ndarray, shape (2,)
        From `medians`, of all rows of the stack.
    """
    values = values.copy()
    values[:, _USUAL] = values[:, _SMALL] - math.log(max(usual, 1.0))
    values[:, -_OF_STACK:] = over_stack
    return values


def _features(suspect: Suspect) -> tuple[float, ...]:
    length = max(suspect.pixels.size, 1)
    small, large = max(suspect.small, 1), max(suspect.large, 1)
    shallow, deep = (max(depth, 0.5) for depth in suspect.depths)
    solid, solid_large, together = suspect.solid
    mean = (small * solid + large * solid_large) / (small + large)
    return (
        math.log(suspect.width),
        math.log(length / (2 * shallow)),
        math.log(length / (2 * deep)),
        math.log(small),
        0.0,
        math.log(small / large),
        math.log(shallow),
        solid,
        solid_large,
        together,
        mean - together,
        suspect.opening,
        math.log(suspect.probability + 0.01),
        math.log(suspect.first_probability + 0.01),
        math.log(max(suspect.weakest, 0.0) + 0.01),
        suspect.strongest,
        suspect.middle,
        suspect.witness,
        *suspect.fits,
        suspect.echo,
        suspect.saddle,
        suspect.saddle - max(suspect.basins),
        math.log((suspect.saddle + 0.01) / (max(suspect.basins) + 0.01)),
        math.log((suspect.first_probability + 0.01) / (suspect.ground + 0.01)),
        suspect.ground,
    )


def worth_drawing(
    values: np.ndarray,
    least_gain: float,
    least_chance: float = 0.0,
    judge: GapClassifier | None = None,
) -> np.ndarray:
    """Return which walls are missing and worth drawing, shape (N,), bool.

    Parameters
    ----------
    values : ndarray, shape (N, F)
        From `completed`.
    least_gain : float
        Labelled cells that a wall has to gain, as expected.
    least_chance : float
        How likely it has to gain any, 0 to 1.
    judge : GapClassifier, optional
        The shipped one if not given.
    """
    judge = judge or read_gap_classifier()
    return (judge.gain(values) > least_gain) & (judge.chance(values) >= least_chance)


def usual_area(cells: Sequence[np.ndarray]) -> float:
    """Return the median area of a cell over slices of labels (Y, X), px; 1 without cells."""
    areas = [cell_areas(plane) for plane in cells]
    return usual_of(np.concatenate(areas) if areas else np.zeros(0))


def cell_areas(labels: np.ndarray) -> np.ndarray:
    """Return the area of each cell of a slice (Y, X), px."""
    areas = np.bincount(labels.ravel())[1:]
    return areas[areas > 0]


def usual_of(areas: np.ndarray) -> float:
    """Return the median of areas, px; 1 if there is none."""
    return float(np.median(areas)) if areas.size else 1.0


@cache
def read_gap_classifier(path: Path = WEIGHTS_FILE) -> GapClassifier:
    """Return the judge in a file."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = json.loads(file.metadata()["facts"])
    unknown = set(facts["features"]) - set(FEATURES)
    if unknown:
        raise ValueError(f"{path.name} was fitted to other features: fit it anew.")
    columns = tuple(FEATURES.index(name) for name in facts["features"])
    wins, loses = (Trees.of_arrays(arrays, name) for name in ("wins", "loses"))
    return GapClassifier(wins, loses, facts["won"], facts["lost"], facts, columns)


def write_gap_classifier(judge: GapClassifier, path: Path) -> None:
    """Write a judge for `read_gap_classifier`."""
    from safetensors.numpy import save_file

    from napari_copnet.files import whole_file

    names = [FEATURES[column] for column in judge.columns]
    facts = {**judge.facts, "features": names, "won": judge.won, "lost": judge.lost}
    with whole_file(path) as beside:
        save_file(
            {**judge.wins.arrays("wins"), **judge.loses.arrays("loses")},
            beside,
            metadata={"facts": json.dumps(facts)},
        )
