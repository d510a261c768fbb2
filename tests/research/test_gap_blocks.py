"""What likely gaps are fitted to stays away from what is validated on."""

import numpy as np

from napari_copnet.training.cases import MARGIN
from research.default_models import VALIDATION
from research.gap_blocks import DEPTH, FIB25, SNEMI3D, SNEMI3D_WHOLE, _simulated

# Of snemi3d, the first slice that is validated on.
SNEMI3D_VALIDATION = 60


def test_slices_keep_their_distance_from_those_that_are_validated_on():
    assert max(FIB25) + DEPTH - 1 + MARGIN < VALIDATION[0]
    firsts = [first for first, _, _ in SNEMI3D] + list(SNEMI3D_WHOLE)
    assert max(firsts) + DEPTH - 1 + MARGIN < SNEMI3D_VALIDATION


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
