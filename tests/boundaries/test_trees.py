"""Trees as arrays against the library that fitted them."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from napari_copnet.boundaries.trees import Trees, trees_of


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(400, 5)).astype(np.float32)
    # Values that lie on thresholds, too.
    values[:, 3] = rng.integers(0, 3, 400)
    outcome = values[:, 0] * values[:, 1] + values[:, 3] > 0.8
    model = GradientBoostingClassifier(n_estimators=30, max_leaf_nodes=6, random_state=0)
    return model.fit(values, outcome), values


def test_chances_are_those_of_scikit_learn(fitted):
    model, values = fitted
    reference = model.predict_proba(values)[:, 1]
    assert trees_of(model).chance(values) == pytest.approx(reference, abs=1e-5)
    assert reference.std() > 0.2


def test_trees_come_back_from_their_arrays(fitted):
    model, values = fitted
    trees = trees_of(model)
    again = Trees.of_arrays(trees.arrays("wins"), "wins")
    assert np.array_equal(again.chance(values), trees.chance(values))
