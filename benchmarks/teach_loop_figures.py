"""What the lines of `bench_teach_loop` say, set by set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.figure import Figure, machine_name

# How many slices are annotated when the model learns; it does so for as many steps a slice.
COUNTS = (1, 2, 4)
_BEFORE = dict(zip(COUNTS, (0, *COUNTS), strict=False))
# Learning from slices that are done; from those and what was carried from them; from those and what
# the model itself agrees on.
SELF = "self"
ARMS = ("annotated", "carried", SELF)
_MORE = {"carried": "carried slices", SELF: "slices that the model drew itself"}


@dataclass(frozen=True)
class Line:
    """A model of a sequence after some slices, and what those since the line before took.

    Attributes
    ----------
    name, arm : str
    seed, slices : int
        `slices` is how many were annotated.
    labelled, merged, split, nsd : float
        Mean over the scored slices.
    drawn, run, offered : int
        Clicks for these slices: from nothing, from the first model, from what the loop offers.
    came : str
        What the loop offered for the last of them: ``"carried"`` or ``"model"``.
    beside : int
        Slices that have carried contours now.
    seconds : float
        Of training.
    """

    name: str
    arm: str
    seed: int
    slices: int
    labelled: float
    merged: float
    split: float
    nsd: float
    drawn: int
    run: int
    offered: int
    came: str
    beside: int
    seconds: float


def figures(lines: Sequence[Line], steps: int) -> list[Figure]:
    """Return what a table says, set by set."""
    found: list[Figure] = []
    for name in dict.fromkeys(line.name for line in lines):
        mine = [line for line in lines if line.name == name]
        found += _of_set(name, mine, steps)
    return found


def _of_set(name: str, lines: Sequence[Line], steps: int) -> list[Figure]:
    by = {(one.arm, one.seed, one.slices): one for one in lines}
    seeds = sorted({one.seed for one in lines})
    found = []
    for arm, count in ((arm, count) for arm in _MORE for count in COUNTS):
        pairs = [
            (by[arm, seed, count], by["annotated", seed, count])
            for seed in seeds
            if (arm, seed, count) in by and ("annotated", seed, count) in by
        ]
        if not pairs:
            continue
        gains = [with_.labelled - without.labelled for with_, without in pairs]
        start = _mean([by["annotated", seed, 0].labelled for seed in seeds])
        found.append(
            _figure(
                f"{name}, {count} slice(s), labelled with {_MORE[arm]} minus without",
                100 * _mean(gains),
                "points",
                ">= 0",
                _mean(gains) >= 0,
                f"{_mean([one.labelled for one, _ in pairs]):.3f} labelled, NSD "
                f"{_mean([one.nsd for one, _ in pairs]):.3f}, {pairs[-1][0].beside} slices "
                f"more; by seed {', '.join(f'{100 * gain:+.1f}' for gain in gains)}",
                f"{_mean([one.labelled for _, one in pairs]):.3f}, NSD "
                f"{_mean([one.nsd for _, one in pairs]):.3f} after as many steps ({count * steps}) "
                f"on annotated slices alone; {start:.3f} before",
            )
        )
    for arm in ARMS[:2]:
        last = [by[arm, seed, COUNTS[-1]] for seed in seeds if (arm, seed, COUNTS[-1]) in by]
        if not last:
            continue
        offered, drawn, of_run = (
            sum(getattr(one, what) for one in last) for what in ("offered", "drawn", "run")
        )
        found.append(
            _figure(
                f"{name}, {arm}, two slices offered after two rounds, correcting over drawing",
                offered / max(drawn, 1),
                "x",
                "<= 0.33",
                3 * offered <= drawn,
                f"{offered} clicks in {2 * len(last)} slices, the last from "
                f"{' and '.join(sorted({one.came for one in last}))}",
                f"{drawn} clicks to draw, {of_run} to correct the first model's",
            )
        )
    found += _costs(name, by, seeds)
    rounds = [
        one.labelled >= by[arm, seed, _BEFORE[count]].labelled
        for (arm, seed, count), one in by.items()
        if count
    ]
    if rounds:
        found.append(
            _figure(
                f"{name}, rounds after which as many cells or more are labelled",
                _mean(rounds),
                "share",
                ">= 0.8",
                _mean(rounds) >= 0.8,
                f"{sum(rounds)} of {len(rounds)} rounds, {steps} steps for each new slice",
                "",
            )
        )
    return found


def _costs(name: str, by: dict[tuple[str, int, int], Line], seeds: Sequence[int]) -> list[Figure]:
    """Compare what the loop takes with fine-tuning, for what that labels with all slices.

    Fine-tuning corrects the first model's contours, or draws, whichever takes fewer clicks. What
    the loop takes for the same share lies on straight lines between its points.
    """
    counts = (0, *COUNTS)
    found = []
    for arm in ARMS[:2]:
        both = [
            ([by[arm, seed, n] for n in counts], [by["annotated", seed, n] for n in counts])
            for seed in seeds
            if all((one, seed, n) in by for n in counts for one in (arm, "annotated"))
        ]
        ours = [_clicks_until(mine, today[-1].labelled) for mine, today in both]
        theirs = [min(_sum(today, "drawn"), _sum(today, "run")) for _, today in both]
        met = [number for number, one in enumerate(ours) if one is not None]
        if not both:
            continue
        ratio = sum(ours[n] or 0 for n in met) / max(sum(theirs[n] for n in met), 1)
        found.append(
            _figure(
                f"{name}, {arm}, clicks of the loop over fine-tuning's, for as much labelled",
                ratio if met else float("nan"),
                "x",
                "<= 0.5",
                len(met) == len(both) and ratio <= 0.5,
                f"reached by {len(met)} of {len(both)} seeds; "
                + ", ".join("-" if one is None else f"{one:.0f}" for one in ours)
                + " clicks",
                f"{', '.join(map(str, theirs))} clicks for {COUNTS[-1]} slices; labelled "
                + ", ".join(f"{today[-1].labelled:.3f}" for _, today in both),
            )
        )
    return found


def _clicks_until(lines: Sequence[Line], labelled: float) -> float | None:
    """Return the clicks after which a sequence labels a share, or None where it never does."""
    costs = np.cumsum([one.offered for one in lines])
    for at, one in enumerate(lines):
        if one.labelled >= labelled:
            if not at:
                return 0.0
            before = lines[at - 1].labelled
            part = (labelled - before) / (one.labelled - before)
            return float(costs[at - 1] + part * (costs[at] - costs[at - 1]))
    return None


def _sum(lines: Sequence[Line], what: str) -> int:
    return sum(getattr(one, what) for one in lines)


def _mean(values: Sequence[Any]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _figure(
    name: str, value: float, unit: str, goal: str, holds: bool, ours: str, theirs: str
) -> Figure:
    return Figure(name, float(value), unit, goal, bool(holds), ours, theirs, machine_name())
