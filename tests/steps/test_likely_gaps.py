"""Searching for likely gaps step by step."""

import numpy as np

from napari_copnet.steps.likely_gaps import Evidence, likely_walls
from napari_copnet.store.memory import MemoryStage


def test_cancelling_at_the_first_slice_does_not_wait_for_the_others(monkeypatch):
    labelled = []

    def label(plane, params):
        labelled.append(plane)
        return np.zeros(plane.shape, np.uint32)

    monkeypatch.setattr("napari_copnet.steps.likely_gaps.label_slice", label)
    contour = np.zeros((5, 8, 8), bool)
    evidence = Evidence(contour, contour * 1.0, contour * 1.0)
    work = likely_walls(evidence, 0.1, 0.3, MemoryStage(), [(0, 1, 2, 3, 4)])
    next(work)
    work.close()
    # The first slice and the one after it.
    assert len(labelled) == 2
