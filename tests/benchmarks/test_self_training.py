"""What a model's closed contours agree on from slice to slice."""

import numpy as np

from benchmarks.self_training import agreeing


def test_cells_that_neighbours_show_alike_are_known():
    contour = np.zeros((4, 60, 60), bool)
    contour[:, ::20] = contour[:, :, ::20] = True
    contour[2, 1:20, 30] = True  # a cell is cut in two
    found = {one.z: one for one in agreeing(contour, [5, 6, 7, 8], [3])}
    # Only those with neighbours on both sides.
    assert sorted(found) == [6, 7] and found[6].sources == (3,)
    for one in found.values():
        assert not one.known[3:18, 24:38].any()
        assert one.known[24:58, 24:58].all() and one.known[3:18, 3:15].all()
    np.testing.assert_array_equal(found[6].contour, contour[1])
