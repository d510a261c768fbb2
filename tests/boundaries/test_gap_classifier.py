"""Which missing walls are drawn without asking: two cells that run into one another, and one."""

from dataclasses import replace

import numpy as np
import pytest

from napari_copnet.boundaries.gap_classifier import (
    FEATURES,
    read_gap_classifier,
    table,
    write_gap_classifier,
)
from napari_copnet.boundaries.gaps import gaps
from napari_copnet.params import CellParams
from napari_copnet.progress import finish
from napari_copnet.steps.cells import label_slice
from napari_copnet.steps.likely_gaps import Evidence, drawn, likely_walls, planes_of
from napari_copnet.store.blocks import blocks_of
from napari_copnet.store.memory import MemoryStage

ALL = CellParams(min_size=0)


def discs(*centres, radius=30.0, shape=(100, 180)):
    """Contour, shape (Y, X), around discs; what they share is open."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    inside = np.zeros(shape, bool)
    for cy, cx in centres:
        inside |= np.hypot(y - cy, x - cx) < radius
    return ~inside


def stack_of(contour, depth=3):
    contour = np.stack([contour] * depth)
    return contour, contour.astype(np.float32) * np.float32(0.9)


def walls_of(contour, probability, gain, chance=0.0, skip=(), length=2):
    """Return the walls that are worth drawing, by slice, looked for in blocks of slices."""
    evidence = Evidence(contour, probability, probability)
    blocks = blocks_of(range(len(contour)), length)
    return finish(likely_walls(evidence, gain, chance, MemoryStage(), blocks, skip))


# Two discs whose contours are open where they touch: a doorway some twelve pixels wide.
TOUCHING = discs((50, 60), (50, 117))
ROUND = discs((50, 90))


def test_two_round_cells_that_run_into_one_another_are_parted():
    contour, probability = stack_of(TOUCHING)
    # The slices around have them apart.
    contour[[0, 2], :, 87:91] = True
    walls = walls_of(contour, probability, 0.1, 0.3)
    assert list(walls) == [1]
    assert label_slice(contour[1], ALL).max() == 1
    line = drawn(walls, 1, contour.shape[1:])
    assert label_slice(contour[1] | line, ALL).max() == 2
    assert not drawn(walls, 0, contour.shape[1:]).any()


def test_a_round_cell_stays_whole():
    contour, probability = stack_of(ROUND)
    assert not walls_of(contour, probability, 0.0)


def test_a_greater_gain_is_asked_of_fewer_walls():
    contour, probability = stack_of(TOUCHING)
    contour[[0, 2], :, 87:91] = True
    counts = [
        sum(walls.size for walls in walls_of(contour, probability, least).values())
        for least in (0.0, 0.1, 2.0)
    ]
    assert counts[0] >= counts[1] > counts[2] == 0


def test_a_greater_chance_is_asked_of_fewer_walls():
    contour, probability = stack_of(TOUCHING)
    contour[[0, 2], :, 87:91] = True
    counts = [
        sum(walls.size for walls in walls_of(contour, probability, 0.0, least).values())
        for least in (0.0, 0.3, 1.0)
    ]
    assert counts[0] >= counts[1] > counts[2] == 0


def test_nothing_is_drawn_in_slices_that_are_skipped():
    contour, probability = stack_of(TOUCHING)
    contour[[0, 2], :, 87:91] = True
    assert not walls_of(contour, probability, 0.1, 0.3, skip=(1,))


def test_an_empty_contour_and_a_full_one_have_no_gaps():
    for value in (False, True):
        contour = np.full((2, 40, 40), value)
        nothing = np.zeros(contour.shape, np.float32)
        assert not walls_of(contour, nothing, 0.1, 0.3)


def test_the_table_says_what_the_shapes_are():
    contour, probability = stack_of(TOUCHING)
    plane = planes_of(contour, probability, probability)[1]
    found = list(gaps(plane))
    last = max(found, key=lambda suspect: suspect.small)
    row = dict(zip(FEATURES, table([last], usual=last.small)[0], strict=True))
    assert row["log smaller side over usual cell"] == 0
    # Discs alone are convex, and the two together are not.
    assert row["solidity of the smaller side"] > 0.95 > row["solidity of both"]
    assert row["log depth of the smaller side"] == pytest.approx(np.log(30), abs=0.05)
    # Half of the doorway.
    assert 3 < row["opening"] < 12


def test_a_judge_comes_back_from_its_file(tmp_path):
    judge = read_gap_classifier()
    path = tmp_path / "gaps.safetensors"
    write_gap_classifier(judge, path)
    again = read_gap_classifier(path)
    values = np.random.default_rng(0).normal(size=(50, len(FEATURES)))
    assert np.array_equal(again.gain(values), judge.gain(values))
    assert again.facts["fitted to"] == judge.facts["fitted to"]


def test_trees_of_an_older_file_see_the_features_they_were_fitted_to(tmp_path):
    judge = read_gap_classifier()
    fewer = replace(judge, columns=tuple(reversed(judge.columns)))
    path = tmp_path / "gaps.safetensors"
    write_gap_classifier(fewer, path)
    again = read_gap_classifier(path)
    assert again.columns == fewer.columns
    values = np.random.default_rng(0).normal(size=(50, len(FEATURES)))
    assert np.array_equal(again.gain(values), fewer.gain(values))
    swapped = values.copy()
    swapped[:, fewer.columns] = values[:, judge.columns]
    assert np.array_equal(fewer.gain(swapped), judge.gain(values))


def test_what_is_drawn_does_not_depend_on_the_blocks():
    contour, probability = stack_of(TOUCHING, depth=5)
    contour[[0, 2, 4], :, 87:91] = True
    whole = walls_of(contour, probability, 0.1, 0.3, length=5)
    assert list(whole) == [1, 3]
    for length in (1, 2, 3, 4):
        parts = walls_of(contour, probability, 0.1, 0.3, length=length)
        assert list(parts) == list(whole)
        assert all(np.array_equal(parts[z], whole[z]) for z in whole)
