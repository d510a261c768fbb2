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
    0.2559,
    0.1596,
    0.9061,
    0.3598,
    0.6423,
    0.5541,
    3.1974,
    0.2156,
    5.2475,
    0.4427,
)
SPREADS: tuple[float, ...] = (
    0.1109,
    0.1571,
    0.0636,
    0.1792,
    0.2517,
    0.321,
    0.5504,
    0.1461,
    2.1412,
    1.643,
)
WEIGHTS: tuple[float, ...] = (
    -0.1446,
    -0.0781,
    0.0243,
    0.0266,
    0.1017,
    0.0154,
    0.0575,
    0.0328,
    0.066,
    -0.0357,
)
CONSTANT = 0.3359


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
