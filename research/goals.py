"""What closing shall reach on each data set, and whether it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_copnet.evaluation.baselines.comparison import CEILING, STEP1
from napari_copnet.evaluation.score_names import CONTOUR_SCORES, title_of
from research.methods import CONVERGED, OURS, DataSetOutcome

# Points of labelled cells to gain; data sets that are not here have no goal of that kind.
GAIN = {"hela": 10.0, "synthetic": 10.0, "fib25": 8.0, "isbi2012": 8.0}
MORE_SPLIT = 3.0
LOSS = 1.0


@dataclass(frozen=True)
class Goal:
    """One figure of one data set.

    Attributes
    ----------
    name : str
        What is measured, in percentage points.
    value : float
    goal : str
        Such as ``">= 8"``; empty where there is none.
    holds : bool or None
        None without a goal.
    """

    name: str
    value: float
    goal: str = ""
    holds: bool | None = None

    @property
    def text(self) -> str:
        """The value and, with a goal, whether it holds: for a table."""
        if self.holds is None:
            return f"{self.value:+.1f}"
        return f"{self.value:+.1f} ({self.goal}: {'holds' if self.holds else 'falls short'})"


def goals_of(outcome: DataSetOutcome) -> list[Goal]:
    """Return all figures of a data set, in percentage points.

    Closing is that after convergence. Against baselines counts the best of them on labelled.
    """
    methods = outcome.methods
    closed = methods[CONVERGED].scores

    def points(name: str, other: str, score: str) -> float:
        return 100 * (methods[name].scores.mean(score) - methods[other].scores.mean(score))

    def at_least(name: str, value: float, least: float) -> Goal:
        # Slack, so that rounding of a mean does not decide.
        return Goal(name, value, f">= {least:g}", value >= least - 1e-9)

    def at_most(name: str, value: float, most: float) -> Goal:
        return Goal(name, value, f"<= {most:g}", value <= most + 1e-9)

    found = []
    gain = points(CONVERGED, STEP1, "labelled")
    least = GAIN.get(outcome.dataset.name)
    name = "labelled, against Step 1"
    found.append(Goal(name, gain) if least is None else at_least(name, gain, least))
    found.append(at_most("split, against Step 1", points(CONVERGED, STEP1, "split"), MORE_SPLIT))
    for score in CONTOUR_SCORES:
        value = points(CONVERGED, STEP1, score)
        found.append(at_least(f"{title_of(score)}, against Step 1", value, 0))
    baselines = [name for name in methods if name not in (STEP1, CEILING, *OURS)]
    if baselines:
        best = max(baselines, key=lambda name: methods[name].scores.mean("labelled"))
        lead = points(CONVERGED, best, "labelled")
        found.append(Goal("labelled, against the best baseline", lead, "> 0", lead > 0))
    if "watershed" in methods:
        splits = points(CONVERGED, "watershed", "split")
        found.append(Goal("split, against watershed", splits, "< 0", splits < 0))
    if outcome.over is not None:
        last = outcome.over.scores[-1]
        for score in ("labelled", *CONTOUR_SCORES):
            value = 100 * (last.mean(score) - closed.mean(score))
            count = len(outcome.over.scores) - 1
            label = title_of(score)
            found.append(
                at_least(f"{label}, after {count} iterations against convergence", value, -LOSS)
            )
    found.append(Goal("labelled, against the ceiling", points(CONVERGED, CEILING, "labelled")))
    return found


def goal_table(outcomes: Sequence[DataSetOutcome]) -> list[list[str]]:
    """Return the figures of all data sets as rows of text with a head, a column for each."""
    by_set = [{goal.name: goal for goal in goals_of(outcome)} for outcome in outcomes]
    names = list(dict.fromkeys(name for goals in by_set for name in goals))
    head = ["percentage points", *(outcome.dataset.name for outcome in outcomes)]
    return [
        head,
        *(
            [name, *(goals[name].text if name in goals else "–" for goals in by_set)]
            for name in names
        ),
    ]
