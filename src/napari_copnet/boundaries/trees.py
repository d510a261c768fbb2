"""Boosted trees that were fitted by scikit-learn, kept as plain arrays.

A file of arrays runs no code when it is read, as a pickled model does, and depends on no version
of the library that fitted it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Trees:
    """A sum of decision trees: the logit of a chance.

    Attributes
    ----------
    feature : ndarray, shape (T, N), int16
        What each node of each tree looks at; -1 in leaves.
    threshold : ndarray, shape (T, N), float32
        Values up to it go left.
    left, right : ndarray, shape (T, N), int16
        The nodes that follow; a leaf follows itself.
    value : ndarray, shape (T, N), float32
        What a leaf adds.
    start : ndarray, shape (1,), float32
        The logit without any tree.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    start: np.ndarray

    def chance(self, values: np.ndarray) -> np.ndarray:
        """Return the chance for each row of values, shape (M, F), as (M,), 0 to 1."""
        values = np.asarray(values, np.float32)
        rows = np.arange(len(values))
        logit = np.full(len(values), self.start[0], np.float64)
        for feature, threshold, left, right, value in zip(
            self.feature, self.threshold, self.left, self.right, self.value, strict=True
        ):
            node = np.zeros(len(values), np.int16)
            while True:
                inner = feature[node] >= 0
                if not inner.any():
                    break
                goes_left = values[rows, feature[node]] <= threshold[node]
                node = np.where(goes_left, left[node], right[node])
            logit += value[node]
        return 1 / (1 + np.exp(-logit))

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays by name, for a file that holds several."""
        return {f"{name}.{field.name}": getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray], name: str) -> Trees:
        """Return what `arrays` gave."""
        return cls(*(arrays[f"{name}.{field.name}"] for field in fields(cls)))


def trees_of(fitted: Any) -> Trees:
    """Return the trees of a fitted `sklearn.ensemble.GradientBoostingClassifier` of two classes.

    Its initial estimator has to be the default one, the share of the classes.
    """
    grown = [row[0].tree_ for row in fitted.estimators_]
    most = max(tree.node_count for tree in grown)
    shape = (len(grown), most)
    feature, left, right = (np.full(shape, -1, np.int16) for _ in range(3))
    left[:] = right[:] = np.arange(most)
    threshold, value = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for number, tree in enumerate(grown):
        inner = tree.children_left >= 0
        nodes = np.flatnonzero(inner)
        feature[number, nodes] = tree.feature[nodes]
        # scikit-learn compares single-precision values with double-precision thresholds: the
        # single one below gives the same answer.
        threshold[number, nodes] = _below(tree.threshold[nodes])
        left[number, nodes], right[number, nodes] = (
            tree.children_left[nodes],
            tree.children_right[nodes],
        )
        leaves = np.flatnonzero(~inner)
        value[number, leaves] = fitted.learning_rate * tree.value[leaves, 0, 0]
    share = float(fitted.init_.class_prior_[1])
    start = np.array([np.log(share / (1 - share))], np.float32)
    return Trees(feature, threshold, left, right, value, start)


def _below(values: np.ndarray) -> np.ndarray:
    single = values.astype(np.float32)
    return np.where(single > values, np.nextafter(single, np.float32(-np.inf)), single)
