"""Means over slices, and the test whether one method is better than another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# The paper calls a gain significant below this.
SIGNIFICANT = 0.05


def mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation over slices; zeros where there are none.

    The deviation is that of the slices themselves (divided by n), 0 for a single slice.
    """
    if len(values) == 0:
        return 0.0, 0.0
    return float(np.mean(values)), float(np.std(values))


def mann_whitney(ours: Sequence[float], theirs: Sequence[float], better: str = "greater") -> float:
    """One-sided Mann–Whitney U test, by slice.

    Parameters
    ----------
    ours, theirs : sequence of float
        A score of each slice under two methods.
    better : {"greater", "less"}
        Which way a score gets better.

    Returns
    -------
    float
        Probability of a difference at least as large when `ours` is no better; 1 where there is
        nothing to compare. Significant below 0.05.
    """
    # Slow to import, and it looks for torch.
    from scipy.stats import mannwhitneyu

    if len(ours) == 0 or len(theirs) == 0:
        return 1.0
    return float(mannwhitneyu(ours, theirs, alternative=better).pvalue)
