"""Simulated maps that likely gaps are fitted to."""

import numpy as np

from research.gap_blocks import _simulated


def test_simulated_blocks_are_maps_of_their_truth():
    y, x = np.mgrid[:96, :96]
    cells = (1 + y // 32 + 3 * (x // 48)).astype(np.uint16)[None]
    blocks = list(_simulated("rooms", cells, 192))
    assert [block.name for block in blocks] == ["rooms, fading", "rooms, degraded"]
    for block in blocks:
        truth = block.true.contours[0] > 0
        assert block.contours.shape == (1, 192, 192) == block.true.shape
        assert block.contours[0][truth].mean() > block.contours[0][~truth].mean() + 0.1
        assert np.array_equal(
            block.contours,
            {b.name: b for b in _simulated("rooms", cells, 192)}[block.name].contours,
        )
