"""What speaks against a run: measures out of the range that good runs have, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from napari_copnet.verdict.types import AMBER, INVERT, RED, SIZES, TEACH, Reason


@dataclass(frozen=True)
class Rule:
    """A measure and the range that it has in good runs.

    Attributes
    ----------
    measure : str
        As of `measures.slice_measures` and `judge.judge`.
    amber, red : float
        Where a run stops to be good, and where it surely is not. With `amber` over `red` small
        values are bad, else large ones. A `red` that can't be reached leaves it at amber.
    says : callable
        Takes the value and returns a sentence.
    next : str
        The way on.
    """

    measure: str
    amber: float
    red: float
    says: Callable[[float], str]
    next: str

    def reason(self, value: float) -> Reason | None:
        """Return what a value says against a run; None where it is good, or not known."""
        if not math.isfinite(value):
            return None
        sign = 1 if self.red >= self.amber else -1
        if sign * value <= sign * self.amber:
            return None
        light = RED if sign * value > sign * self.red else AMBER
        return Reason(self.measure, light, self.says(value), self.next)


_NEVER = math.inf

# The gravest first: of two that are out of range alike, the first is said first.
RULES = (
    Rule(
        "cells_per_slice",
        2.0,
        0.5,
        lambda v: (
            f"There are hardly any cells ({v:.1f} per slice on average): try other sizes, and "
            "teach the networks this tissue if none is better."
        ),
        SIZES,
    ),
    Rule(
        "dark",
        0.3,
        0.0,
        lambda _: (
            "The contour does not follow lines that are darker than their surroundings: if "
            "membranes are light, set Invert to the other value."
        ),
        INVERT,
    ),
    Rule(
        "largest",
        0.4,
        0.75,
        lambda v: (
            f"One cell covers {v:.0%} of a slice, so contours are open somewhere: try other sizes, "
            "or teach the networks this tissue."
        ),
        SIZES,
    ),
    Rule(
        "parting",
        0.65,
        0.25,
        lambda v: (
            f"Only {v:.0%} of the contour of Step 1 separates cells; the rest are dead ends and "
            "lines with gaps: try other sizes, or teach the networks this tissue."
        ),
        SIZES,
    ),
    Rule(
        "certainty",
        0.9,
        0.7,
        lambda v: (
            f"The contour network is not certain of its lines ({v:.2f} of 1): it does not know "
            "this tissue at this size, so try other sizes, or teach it."
        ),
        TEACH,
    ),
    Rule(
        "decided",
        0.3,
        0.05,
        lambda v: (
            f"Only {v:.0%} of the pixels that may be contour are certain: the contour network does "
            "not know this tissue at this size, so try other sizes, or teach it."
        ),
        TEACH,
    ),
    Rule(
        "added",
        0.15,
        _NEVER,
        lambda v: (
            f"Closing drew {v:.0%} of the lines between cells, so much of the result is a "
            "guess: teach the contour network this tissue."
        ),
        TEACH,
    ),
    Rule(
        "contour",
        0.3,
        0.5,
        lambda v: (
            f"Contours cover {v:.0%} of the tissue, too much for cells of this size: try larger "
            "sizes, even beyond the size of the stack."
        ),
        SIZES,
    ),
    Rule(
        "diameter",
        17.0,
        9.0,
        lambda v: (
            f"Half of the cells are under {v:.0f} px across for the networks, hardly wider than "
            "their contours: try larger sizes, even beyond the size of the stack."
        ),
        SIZES,
    ),
    Rule(
        "specks",
        0.3,
        0.8,
        lambda v: (
            f"{v:.0%} of the cells are specks: try larger sizes, or raise the smallest cell size "
            "if they lie inside cells."
        ),
        SIZES,
    ),
    Rule(
        "width",
        6.9,
        _NEVER,
        lambda v: (
            f"Contours are {v:.1f} px wide for the networks, more than they were trained on: try "
            "smaller sizes."
        ),
        SIZES,
    ),
    Rule(
        "same",
        0.5,
        -_NEVER,
        lambda v: (
            f"Only {v:.0%} of the area of cells is found again in the next slice: check "
            "whether slices are aligned and thin enough, and try other sizes."
        ),
        SIZES,
    ),
    Rule(
        "clipped",
        0.1,
        0.6,
        lambda v: (
            f"{v:.0%} of the pixels are at the darkest or brightest grey value: save the stack "
            "again without clipping its contrast if you can."
        ),
        "",
    ),
    Rule(
        "at_padding",
        0.5,
        _NEVER,
        lambda v: (
            f"{v:.0%} of the cells are cut by padding or by the edge that alignment left: leave "
            "them out of measurements."
        ),
        "",
    ),
    Rule(
        "empty",
        0.1,
        0.9,
        lambda v: (
            f"{v:.0%} of the slices have no cells at all: check whether they are blank or blurred, "
            "and leave them out."
        ),
        "",
    ),
    Rule(
        "unsettled",
        0.2,
        _NEVER,
        lambda v: (
            f"Closing was stopped before {v:.0%} of the slices had converged: allow it more "
            "iterations, or teach the closing network this tissue."
        ),
        TEACH,
    ),
)


def reasons(measures: Mapping[str, float]) -> tuple[Reason, ...]:
    """Return what speaks against a run, red before amber.

    Parameters
    ----------
    measures : mapping
        Medians of `measures.slice_measures`, and those of the whole stack; see `judge.judge`.
    """
    found = [
        reason
        for rule in RULES
        if (reason := rule.reason(float(measures.get(rule.measure, math.nan)))) is not None
    ]
    return tuple(sorted(found, key=lambda reason: reason.light != RED))
