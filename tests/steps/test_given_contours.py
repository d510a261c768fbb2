"""Contour probability from elsewhere lies where the image lies, and only a probability is taken."""

import numpy as np
import pytest
from skimage.transform import resize

from napari_copnet.errors import InputError
from napari_copnet.params import PreprocessParams
from napari_copnet.progress import finish
from napari_copnet.steps.given_contours import given_probability, place_contours
from napari_copnet.steps.preprocess import preprocess
from napari_copnet.store.memory import MemoryStage
from napari_copnet.types import Stack

RNG = np.random.default_rng(5)


def tissue(shape=(3, 60, 80)):
    """Return smooth slices that registration finds again."""
    z, y, x = shape
    fine = resize(RNG.random((y // 4, x // 4)), (y, x), order=3)
    return np.stack([fine] * z).astype(np.float32)


def probability(shape=(3, 60, 80)):
    return np.clip(tissue(shape), 0, 1)


def test_it_is_resized_as_scikit_image_does():
    given, stack = probability(), Stack(tissue())
    ready = finish(preprocess(stack, PreprocessParams(size=40, align=False)))
    placed = finish(place_contours(given, ready))
    expected = np.stack(
        [resize(one, (30, 40), order=1, mode="symmetric", anti_aliasing=True) for one in given]
    )
    np.testing.assert_allclose(placed, expected, atol=1e-4)


def test_it_moves_with_its_slices():
    image = tissue((1, 60, 80))[0]
    data = np.stack([image, np.roll(image, (2, -3), (0, 1)), image])
    given = np.clip(data, 0, 1)
    ready = finish(preprocess(Stack(data), PreprocessParams(size=80)))
    assert ready.frame.shifts.any()
    placed = finish(place_contours(given, ready))
    # The image is normalised slice by slice: what a shift does to it, it does to the contours.
    inside = (slice(None), slice(6, -6), slice(6, -6))
    mean, deviation = placed[inside].mean((1, 2)), placed[inside].std((1, 2))
    normal = (placed[inside] - mean[:, None, None]) / deviation[:, None, None]
    image = ready.data[inside]
    shown = (image - image.mean((1, 2))[:, None, None]) / image.std((1, 2))[:, None, None]
    np.testing.assert_allclose(normal, shown, atol=0.05)


def test_padding_and_blank_slices_have_no_contour():
    data = (tissue() * 200 + 20).astype(np.uint8)
    data[1] = 0
    data[:, :, :20] = 0
    ready = finish(preprocess(Stack(data), PreprocessParams(size=0, align=False)))
    placed = finish(place_contours(np.full(data.shape, 0.7, np.float32), ready))
    assert ready.padding is not None
    assert not placed[1].any() and not placed[:, :, :20].any()
    np.testing.assert_allclose(placed[0, :, 20:], 0.7, atol=1e-6)


def test_eight_bits_count_as_fractions():
    given = (probability() * 255).astype(np.uint8)
    found = given_probability(Stack(given), Stack(tissue()))
    np.testing.assert_allclose(np.asarray(found), given / np.float32(255), atol=1e-6)


@pytest.mark.parametrize(
    ("contours", "says"),
    [
        (np.ones((3, 60, 79), np.float32), "shape"),
        ((probability() > 0.5).astype(np.uint8), "mask"),
        ((probability() > 0.5).astype(np.float32), "mask"),
        (np.repeat(np.arange(9, dtype=np.uint16), 1600).reshape(3, 60, 80), "labels"),
        (np.zeros((3, 60, 80), np.float32), "everywhere"),
        (np.linspace(-1, 2, 3 * 60 * 80, dtype=np.float32).reshape(3, 60, 80), "between 0 and 1"),
    ],
)
def test_what_is_no_probability_of_the_stack_is_refused(contours, says):
    with pytest.raises(InputError, match=says) as refused:
        given_probability(Stack(contours), Stack(tissue()))
    assert refused.value.hint


def test_an_open_file_is_not_sent_to_workers():
    class Workers:
        def run(self, work, blocks, shared):
            raise AssertionError("the file would be sent")

    ready = finish(preprocess(Stack(tissue()), PreprocessParams(size=40, align=False)))
    stage = MemoryStage()
    stage.workers = Workers()
    assert finish(place_contours(probability(), ready, stage=stage)).any()
