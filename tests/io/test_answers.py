"""A file that can be read in several ways names the likely ones, and each of them reads it."""

import numpy as np
import pytest
import tifffile

from napari_copnet.errors import NeedsChoiceError
from napari_copnet.io.read import read_image
from napari_copnet.params import ReadParams

NUMBERS = np.arange(6 * 20 * 24, dtype=np.uint8).reshape(6, 20, 24)


def imagej(path, data, **more):
    tifffile.imwrite(path, data, imagej=True, **more)
    return path


def asked(path, params=None):
    with pytest.raises(NeedsChoiceError) as caught:
        read_image(path, params=params or ReadParams())
    return dict(caught.value.answers)


def test_slices_that_a_library_wrote_as_channels(tmp_path):
    path = imagej(tmp_path / "a.tif", NUMBERS)
    answers = asked(path)
    assert list(answers) == ["They are 6 slices"]
    found = read_image(path, params=ReadParams(**answers["They are 6 slices"]))
    assert np.array_equal(found.data, NUMBERS) and found.axes == "zyx"


def test_few_channels(tmp_path):
    path = imagej(tmp_path / "a.tif", NUMBERS[:2], metadata={"axes": "CYX"})
    answers = asked(path)
    assert list(answers) == [
        "They are 2 slices",
        "Use the first channel",
        "Use the second channel",
    ]
    found = read_image(path, params=ReadParams(**answers["Use the second channel"]))
    assert np.array_equal(found.data, NUMBERS[1:2])
    assert read_image(path, params=ReadParams(**answers["They are 2 slices"])).shape == (2, 20, 24)


def test_channels_of_slices(tmp_path):
    path = imagej(tmp_path / "a.tif", NUMBERS.reshape(3, 2, 20, 24), metadata={"axes": "ZCYX"})
    answers = asked(path)
    assert list(answers) == ["Use the first channel", "Use the second channel"]
    found = read_image(path, params=ReadParams(**answers["Use the second channel"]))
    assert np.array_equal(found.data, NUMBERS[1::2])


def test_slices_at_points_in_time(tmp_path):
    path = imagej(tmp_path / "a.tif", NUMBERS.reshape(2, 3, 20, 24), metadata={"axes": "TZYX"})
    answers = asked(path)
    assert list(answers) == ["Use the first time point", "Use the second time point"]
    found = read_image(path, params=ReadParams(**answers["Use the second time point"]))
    assert np.array_equal(found.data, NUMBERS[3:])


def test_a_colour_image(tmp_path):
    colours = np.zeros((20, 24, 3), np.uint8)
    colours[..., 0], colours[..., 1] = 100, 50
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="rgb")
    answers = asked(tmp_path / "a.tif")
    assert list(answers) == ["Make it grey", "Use the first colour"]
    first = read_image(tmp_path / "a.tif", params=ReadParams(**answers["Use the first colour"]))
    assert np.unique(first.data).tolist() == [100]
    grey = read_image(tmp_path / "a.tif", params=ReadParams(**answers["Make it grey"]))
    assert np.unique(grey.data).tolist() == [round(0.2126 * 100 + 0.7152 * 50)]


def test_axes_without_a_name(tmp_path):
    np.save(tmp_path / "a.npy", NUMBERS.reshape(2, 3, 20, 24))
    answers = asked(tmp_path / "a.npy")
    assert list(answers) == ["They are channels of slices", "They are slices at points in time"]
    # which leads to the next question
    then = asked(tmp_path / "a.npy", ReadParams(**answers["They are channels of slices"]))
    assert list(then) == ["Use the first channel", "Use the second channel"]
    np.save(tmp_path / "b.npy", np.zeros((20, 24, 3), np.uint8))
    assert list(asked(tmp_path / "b.npy")) == [
        "They are slices",
        "They are points in time",
        "It is a colour image",
    ]


def test_more_than_can_be_offered(tmp_path):
    data = np.zeros((3, 6, 20, 24), np.uint8)
    path = imagej(tmp_path / "a.tif", data, metadata={"axes": "ZCYX"})
    assert asked(path) == {}
