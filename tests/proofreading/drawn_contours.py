"""What the tests of the review draw and compare."""

import numpy as np


def two_rooms(slices=3, height=7, width=9):
    """Slices with a wall down the middle; that of slice 1 has a gap."""
    contour = np.zeros((slices, height, width), np.uint8)
    contour[:, :, width // 2] = 1
    if slices > 1:
        contour[1, height // 2, width // 2] = 0
    return contour


def same_up_to_ids(first, second):
    pairs = np.unique(np.stack([first.ravel(), second.ravel()]), axis=1)
    one_to_one = len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
    return one_to_one and np.array_equal(first == 0, second == 0)
