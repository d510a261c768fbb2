"""Gaps cut anew into binary contours, as a training of Chen's network sees them."""

import random

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_copnet.params import DegradeParams
from napari_copnet.training.nnunet_trainer_data import NO_MAP, FreshGaps

CHEN = DegradeParams(0, 16, radius_min=6, radius_max=21, method="circles")


@pytest.fixture
def truth():
    lines = torch.zeros(1, 256, 256, dtype=torch.int16)
    lines[0, ::32] = lines[0, 1::32] = 1
    lines[0, :, ::32] = lines[0, :, 1::32] = 1
    return lines


def examples(truth, image, count):
    transform = FreshGaps(CHEN)
    for seed in range(count):
        random.seed(seed)
        example = transform.apply({"image": image.clone(), "segmentation": truth.clone()})
        assert torch.equal(example["segmentation"], truth)
        yield example["image"][0].numpy()


def test_gaps_are_new_each_time_and_as_many_as_the_area_asks_for(truth):
    seen = list(examples(truth, torch.full((1, 256, 256), NO_MAP), 6))
    contour = truth[0].numpy() > 0
    for image in seen:
        assert set(np.unique(image)) == {0, 1}
        assert not (image[~contour]).any()
        # 16 in 512×512 are 4 in a quarter of it; a disk cuts one piece or more out of the grid.
        lost = ndimage.binary_dilation(contour & (image == 0), iterations=9)
        assert 1 <= ndimage.label(lost)[1] <= 4
    assert not np.array_equal(seen[0], seen[1])


def test_real_maps_are_rounded(truth):
    real = torch.rand(1, 256, 256, generator=torch.Generator().manual_seed(0))
    rounded = (real[0] > 0.5).numpy()
    same = [np.array_equal(image, rounded) for image in examples(truth, real, 40)]
    assert 0.5 < np.mean(same) < 0.9
