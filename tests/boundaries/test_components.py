"""Parts of masks, beside SciPy's."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_copnet.boundaries.components import connected8

masks = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda shape: arrays(bool, shape))


@given(masks, st.sampled_from("CF"))
@settings(max_examples=300, deadline=None)
def test_parts_are_those_of_the_mask_and_numbered_without_gaps(mask, order):
    parts = connected8(np.asarray(mask, order=order))
    expected, count = ndimage.label(mask, np.ones((3, 3)))
    assert np.array_equal(parts > 0, mask)
    assert len(np.unique(np.stack([parts[mask], expected[mask]]), axis=1).T) == count
    assert parts.max(initial=0) == count


def test_nothing_outside_a_wide_odd_mask_is_numbered():
    # One row of the background was, in a quarter of such masks.
    rng = np.random.default_rng(0)
    for _ in range(30):
        mask = rng.random((41, 23)) < 0.3
        assert not connected8(mask)[~mask].any() and not connected8(mask.T)[~mask.T].any()
