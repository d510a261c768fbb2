"""A stack is told from others, whatever is known of its files."""

import dataclasses

import numpy as np
import pytest

from napari_copnet.fingerprint import fingerprint
from napari_copnet.io.read import read_stack
from napari_copnet.io.write import write_image

PLACED = {"scale": [1.0] * 3, "translate": [0.0] * 3, "units": ["pixel"] * 3}


@pytest.fixture
def file(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (7, 8, 9)).astype(np.uint8)
    return write_image(tmp_path / "stack.tif", image)


def test_a_layer_that_was_changed_is_another_stack_than_its_file(file):
    read = read_stack(file)
    layer = dataclasses.replace(read, placed=PLACED)
    before = fingerprint(layer)
    assert fingerprint(dataclasses.replace(layer, data=read.data.copy())) == before
    # A slice that was put in place of a bad one, not among the first, middle and last.
    layer.data[5] = layer.data[4]
    assert fingerprint(layer) != before


def test_a_file_is_known_by_its_stamp_and_three_slices(file, monkeypatch):
    stack = read_stack(file, lazy=True)
    before = fingerprint(stack)
    monkeypatch.setattr("napari_copnet.fingerprint.stack_hash", None)
    assert fingerprint(read_stack(file, lazy=True)) == before
    # One that stays on the disk is that of its file in a viewer, too.
    assert fingerprint(dataclasses.replace(stack, placed=PLACED)) == before
