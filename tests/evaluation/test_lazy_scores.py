"""Scores of stacks that are read slice by slice are those of the same stacks in memory."""

import numpy as np
import pytest
from scipy import ndimage

from napari_copnet.errors import InputError
from napari_copnet.evaluation.baselines.base import SliceBlock, fingerprint
from napari_copnet.evaluation.baselines.comparison import compare
from napari_copnet.evaluation.baselines.disk_masks import DiskMasks
from napari_copnet.evaluation.baselines.threshold import Threshold
from napari_copnet.evaluation.baselines.watershed import ProbabilityWatershed
from napari_copnet.evaluation.over_iterations import score_iterations
from napari_copnet.evaluation.scores import evaluate
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.io.contour_kinds import image_kind, image_values
from napari_copnet.io.probability import as_probability, probability_slices
from napari_copnet.lazy_array import chosen_slices
from napari_copnet.progress import finish
from napari_copnet.types import Stack


class OnDisk:
    """An array of which only single slices can be had."""

    def __init__(self, values):
        self._values = values
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim

    def __getitem__(self, key):
        first = key if isinstance(key, int) else key[0]
        assert isinstance(first, int), f"more than a slice was asked for: {key}"
        return self._values[key]

    def __array__(self, *_args, **_kwargs):
        raise AssertionError("the whole stack was read")


def grid(shift=0):
    """Twelve rooms in each of four slices, whose walls move by a pixel from slice to slice."""
    walls = np.zeros((4, 60, 80), np.uint8)
    for z in range(4):
        walls[z, (20 + z + shift) % 60 :: 20] = walls[z, :, (19 + z) % 20 :: 20] = 1
    return walls


def soft(walls, seed=0):
    noise = np.random.default_rng(seed).random(walls.shape)
    blurred = ndimage.gaussian_filter(walls.astype(float), (0, 0.8, 0.8))
    return np.clip(blurred * 1.4 + 0.1 * noise, 0, 1).astype(np.float32)


def cells(walls):
    return np.stack([ndimage.label(plane == 0)[0] for plane in walls]).astype(np.uint16) * 3


def missing(walls):
    """A mask of two uncommon values, of which slice 2 has only the lower one."""
    mask = walls * np.uint8(70) + np.uint8(10)
    mask[2] = 10
    return mask


KINDS = {
    "mask": grid(),
    "probability": soft(grid()),
    "8-bit probability": np.rint(soft(grid()) * 255).astype(np.uint8),
    "16-bit probability": np.rint(soft(grid()) * 65535).astype(np.uint16),
    "labels": cells(grid()),
    "two values": missing(grid()),
    "bool": grid() > 0,
}


@pytest.mark.parametrize("predicted", KINDS)
@pytest.mark.parametrize("truth", ["mask", "labels"])
def test_the_scores_are_the_same_number_for_number(predicted, truth):
    excluded = np.zeros(grid().shape[1:], np.uint8)
    excluded[:12, :9] = 1
    structure = np.zeros(grid().shape, np.uint8)
    structure[1:, 30:34, 30:34] = 1
    more = {"exclude_pixels": excluded, "exclude_cell": structure, "baseline": soft(grid(3), 1)}
    whole = finish(evaluate(KINDS[predicted], KINDS[truth], **more))
    more = {name: OnDisk(array) if array.ndim == 3 else array for name, array in more.items()}
    lazily = finish(evaluate(OnDisk(KINDS[predicted]), OnDisk(KINDS[truth]), **more))
    assert lazily.as_dict() == whole.as_dict()
    assert list(lazily.cell_rows()) == list(whole.cell_rows())


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_an_image_is_that_of_all_its_slices(kind):
    assert image_kind(OnDisk(KINDS[kind])) == image_kind(KINDS[kind])
    values = image_values(OnDisk(KINDS[kind]))
    assert (values.low, values.high) == (KINDS[kind].min(), KINDS[kind].max())
    assert values.two == (len(np.unique(KINDS[kind])) <= 2)


def test_slices_of_two_values_each_are_no_mask_of_two():
    image = np.zeros((2, 8, 8), np.uint8)
    image[0, 2] = 7
    image[1, 3] = 9
    assert not image_values(image).two
    image[1, 3] = 7
    assert image_values(image).two


@pytest.mark.parametrize("kind", ["probability", "8-bit probability", "two values", "mask"])
def test_probabilities_are_the_same(kind):
    lazily = probability_slices(Stack(OnDisk(KINDS[kind])))
    expected = as_probability(Stack(KINDS[kind]))
    for z in range(4):
        np.testing.assert_array_equal(lazily[z], expected[z])
    for dtype in (np.float32, np.uint8, np.uint16):
        with pytest.raises(InputError, match="cell labels"):
            probability_slices(Stack(OnDisk(cells(grid()).astype(dtype))))


def test_padding_and_some_slices_of_a_stack():
    padding = np.zeros(grid().shape, bool)
    padding[:, :, 70:] = True
    numbers = [3, 1, 2]

    def scored(change):
        true = TrueStack(
            chosen_slices(change(KINDS["mask"]), numbers),
            padding=chosen_slices(change(padding), numbers),
        )
        iterations = np.stack([soft(grid(3), 1), soft(grid())])[:, numbers]
        over = finish(score_iterations(change(iterations), true, numbers))
        return over.as_dict()

    class Iterations(OnDisk):
        def __getitem__(self, key):
            assert self.ndim == 3 or len(key) == 2, f"all slices of an iteration: {key}"
            return super().__getitem__(key)

    assert scored(Iterations) == scored(lambda array: array)


def test_a_comparison_on_disk_is_that_in_memory(tmp_path):
    u, truth = soft(grid(), 2), grid()
    baselines = [Threshold(), ProbabilityWatershed()]

    def compared(change, masks=None):
        test = SliceBlock(change(u))
        training = SliceBlock(change(u[:1]), true=TrueStack(change(truth[:1])))
        closed = {"shifted": change(grid(1))}
        true = TrueStack(change(truth))
        return finish(
            compare(baselines, training, test, true, tmp_path, closed=closed, masks=masks)
        )

    expected = compared(lambda array: array)
    with DiskMasks(tmp_path / "out", u.shape) as masks:
        found = compared(OnDisk, masks.new)
        for name, one in expected.items():
            plain = found[name].as_dict()
            assert {**plain, "seconds": {}} == {**one.as_dict(), "seconds": {}}
            for z in range(4):
                np.testing.assert_array_equal(found[name].mask[z], one.mask[z])
        assert not isinstance(found["threshold"].mask, np.ndarray)
        assert any((tmp_path / "out").iterdir())
    assert not any((tmp_path / "out").iterdir()), "masks were left behind"


def test_the_fingerprint_of_a_block_does_not_depend_on_where_it_lies():
    def block(change):
        return SliceBlock(change(soft(grid())), change(grid()), TrueStack(change(grid())))

    assert fingerprint(block(OnDisk), epochs=3) == fingerprint(block(lambda a: a), epochs=3)
    assert fingerprint(block(OnDisk), epochs=4) != fingerprint(block(OnDisk), epochs=3)
