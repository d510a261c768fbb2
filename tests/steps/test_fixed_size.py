"""The size that follows from settings alone."""

import numpy as np
import pytest

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.params import PreprocessParams
from napari_copnet.progress import finish
from napari_copnet.steps.fixed_size import fixed_size, size_for_membranes
from napari_copnet.steps.preprocess import preprocess
from napari_copnet.types import Stack, VoxelSize


def stack(voxel=VoxelSize(0.05, 0.01, 0.01), shape=(2, 40, 250)):
    noise = np.random.default_rng(0).integers(0, 255, shape)
    return Stack(noise.astype(np.uint8), voxel)


def test_membranes_become_as_wide_as_networks_know_them():
    # 250 px of 10 nm, membranes of 25 nm: 2.5 px wide, and 4 px at 400 px.
    size, note = size_for_membranes(stack(), 25.0)
    assert size == 400
    assert "25 nm" in note
    assert "4 px" in note
    # A model may know others.
    assert size_for_membranes(stack(), 25.0, {"membrane_width": 6})[0] == 600


def test_a_stack_is_resized_to_it_without_a_network():
    ready = finish(preprocess(stack(), PreprocessParams(membrane_width=50, align=False)))
    assert ready.data.shape == (2, 32, 200)
    assert any("50 nm" in note for note in ready.notes)


def test_without_a_pixel_size_it_says_nothing():
    with pytest.raises(InputError, match="pixel size is unknown") as caught:
        fixed_size(stack(VoxelSize()), PreprocessParams(membrane_width=25))
    assert "voxel size" in caught.value.hint


def test_size_and_membrane_width_exclude_each_other():
    with pytest.raises(CopnetError, match="Both a size and a membrane width"):
        fixed_size(stack(), PreprocessParams(size=300, membrane_width=25))


def test_what_is_given_is_taken_and_what_is_left_open_without_networks_is_said():
    assert fixed_size(stack(), PreprocessParams(size=0)) == (0, "")
    assert fixed_size(stack(), PreprocessParams(size=300)) == (300, "")
    size, note = fixed_size(stack(), PreprocessParams())
    assert size == 512
    assert "512 px" in note
