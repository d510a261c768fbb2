"""The share of cells that is probably right, estimated from measures that need no truth.

A ridge regression of the square root of the share of labelled cells, fitted to runs on many kinds
of tissue with known cells; `research.verdict_table` fits it, and docs/verdict.md says how well it
does on kinds that it was not fitted to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

# Where a slice does not tell, it is taken for as bad as it can be.
_WORST = {
    "contour": 1.0,
    "largest": 1.0,
    "certainty": 0.8,
    "decided": 0.0,
    "parting": 0.0,
    "dark": 0.0,
    "diameter": 5.0,
    "specks": 1.0,
    "width": 3.0,
}
# Contours of this width and less are as the networks draw them where the size is right, px.
WIDE = 6.0

TERMS = (
    "contour",
    "largest",
    "certainty",
    "decided",
    "parting",
    "dark",
    "log diameter",
    "specks",
    "width",
    "too wide",
)
# Of each term: its mean and spread in the runs it was fitted to, and its weight per spread.
MEANS: tuple[float, ...] = (
    0.256,
    0.1589,
    0.9062,
    0.3599,
    0.6428,
    0.5549,
    3.1969,
    0.2155,
    5.2458,
    0.4407,
)
SPREADS: tuple[float, ...] = (
    0.1107,
    0.157,
    0.0634,
    0.1788,
    0.2512,
    0.3205,
    0.5492,
    0.1457,
    2.1365,
    1.6396,
)
WEIGHTS: tuple[float, ...] = (
    -0.1444,
    -0.078,
    0.0241,
    0.0267,
    0.1015,
    0.0153,
    0.0574,
    0.0328,
    0.0659,
    -0.0357,
)
CONSTANT = 0.3361


def terms(measures: Mapping[str, float]) -> np.ndarray:
    """Return the terms of the regression, shape (T,), in the order of `TERMS`.

    Parameters
    ----------
    measures : mapping
        From `measures.slice_measures`, or their medians.
    """
    m = {
        name: value if math.isfinite(value := float(measures.get(name, math.nan))) else worst
        for name, worst in _WORST.items()
    }
    return np.array(
        [
            m["contour"],
            m["largest"],
            m["certainty"],
            m["decided"],
            m["parting"],
            m["dark"],
            math.log(max(m["diameter"], 1.0)),
            m["specks"],
            m["width"],
            max(0.0, m["width"] - WIDE),
        ]
    )


def expected_labelled(measures: Mapping[str, float]) -> float:
    """Return the share of cells that is probably labelled correctly, 0 to 1."""
    z = (terms(measures) - np.array(MEANS)) / np.array(SPREADS)
    return float(np.clip(CONSTANT + z @ np.array(WEIGHTS), 0, 1) ** 2)
