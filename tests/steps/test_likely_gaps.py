"""Searching for likely gaps step by step."""

import numpy as np

from napari_copnet.steps.likely_gaps import close_likely_gaps


def test_the_first_slice_can_be_cancelled_before_the_others_are_labelled(monkeypatch):
    labelled = []

    def label(plane, params):
        labelled.append(plane)
        return np.zeros(plane.shape, np.uint32)

    monkeypatch.setattr("napari_copnet.steps.likely_gaps.label_slice", label)
    contour = np.zeros((5, 8, 8), bool)
    work = close_likely_gaps(contour, contour * 1.0, contour * 1.0, 0.1, 0.3)
    next(work)
    work.close()
    assert len(labelled) == 1
