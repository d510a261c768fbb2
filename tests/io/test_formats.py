"""The list of formats, and what has to agree with it."""

from importlib.resources import files
from typing import get_args

import pytest
import yaml

from napari_copnet.io.formats import FORMATS, SUFFIXES, FormatName, format_of


@pytest.mark.parametrize(
    ("name", "format", "suffix"),
    [
        ("a.tif", "tiff", ".tif"),
        ("a.OME.TIFF", "tiff", ".ome.tiff"),
        ("a.ome.zarr", "ome-zarr", ".ome.zarr"),
        ("a.zarr", "ome-zarr", ".zarr"),
        ("a.nii.gz", "nifti", ".nii.gz"),
        ("a.b", "", ""),
    ],
)
def test_the_longest_suffix_says_the_format(name, format, suffix):
    assert format_of(name) == (format, suffix)


def test_what_is_written_is_of_its_own_format():
    assert get_args(FormatName) == tuple(FORMATS)
    assert all(format_of("a" + suffix)[0] == name for name, (suffix, _) in FORMATS.items())


def test_napari_saves_in_these_formats():
    manifest = yaml.safe_load(files("napari_copnet").joinpath("napari.yaml").read_text())
    writers = manifest["contributions"]["writers"]
    assert len(writers) == 2
    for writer in writers:
        # napari tells by the last part: .zarr stands for .ome.zarr.
        assert set(writer["filename_extensions"]) == set(SUFFIXES) - {".ome.zarr"}
