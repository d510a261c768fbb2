"""Walls that run through slices: which belong together."""

import numpy as np

from napari_copnet.proofreading.edits import Patch
from napari_copnet.proofreading.merge_across_slices import LONGEST, chained


def wall(z, left, height=20):
    """An upright line."""
    return Patch.of(z, np.ones((height, 1), bool), (5, left))


def test_a_wall_that_drifts_from_slice_to_slice_is_one_chain():
    patches = [wall(z, 10 + 3 * z) for z in range(4)] + [wall(0, 60), wall(2, 60)]
    chains = chained(patches, [0.5, 0.9, 0.6, 0.7, 0.8, 0.8])
    # The likeliest comes first; slice 1 has nothing at column 60, so these two stay apart.
    assert [sorted(chain) for chain in chains] == [[0, 1, 2, 3], [4], [5]]
    assert chains[0][0] == 1


def test_of_two_walls_of_a_slice_the_one_of_the_same_length_joins():
    patches = [wall(0, 10), wall(1, 11, height=40), wall(1, 12)]
    assert sorted(map(sorted, chained(patches, [0.9, 0.5, 0.5]))) == [[0, 2], [1]]


def test_what_is_far_less_likely_an_error_is_asked_alone():
    patches = [wall(0, 10), wall(1, 10), wall(2, 10)]
    assert chained(patches, [0.9, 0.1, 0.8]) == [[0], [2], [1]]
    assert [sorted(chain) for chain in chained(patches, [0.9, 0.3, 0.8])] == [[0, 1, 2]]


def test_a_chain_has_an_end():
    patches = [wall(z, 10) for z in range(2 * LONGEST + 1)]
    lengths = [len(chain) for chain in chained(patches, [0.5] * len(patches))]
    assert max(lengths) == LONGEST and sum(lengths) == len(patches)


def test_nothing_makes_no_chain():
    assert chained([], []) == []
