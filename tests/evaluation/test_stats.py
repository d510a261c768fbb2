"""Means and the one-sided test."""

import pytest

from napari_copnet.evaluation.stats import mann_whitney, mean_sd


def test_mean_and_deviation():
    assert mean_sd([1.0, 3.0]) == (2.0, 1.0)
    assert mean_sd([5.0]) == (5.0, 0.0)
    assert mean_sd([]) == (0.0, 0.0)


def test_p_of_a_clear_order_is_one_over_the_arrangements():
    # 3 of 6 all above: 1 of 20 arrangements
    assert mann_whitney([4, 5, 6], [1, 2, 3]) == pytest.approx(1 / 20)
    assert mann_whitney([4, 5, 6], [1, 2, 3], "less") == pytest.approx(1)
    assert mann_whitney([1, 2, 3], [4, 5, 6], "less") == pytest.approx(1 / 20)


def test_nothing_to_compare_is_not_significant():
    assert mann_whitney([], [1.0]) == 1
    assert mann_whitney([1.0] * 9, [1.0] * 9) >= 0.5
