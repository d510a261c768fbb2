"""Round trips of what is written, and independent readers of the same files."""

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_copnet.errors import OutputError
from napari_copnet.io.read import read_iterations, read_stack
from napari_copnet.io.write import write_image
from napari_copnet.types import Stack, VoxelSize

SIZE = VoxelSize(0.05, 0.015, 0.0125)
PLACE = (1.5, -2.0, 0.25)
FORMATS = ("tiff", "nifti", "ome-zarr")


def ramp(dtype, shape=(3, 4, 5)):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32"])
def test_read_back_gives_data_size_and_place(tmp_path, format, dtype):
    data = ramp(dtype)
    path = write_image(
        tmp_path / "a", data, voxel_size=SIZE, translate=PLACE, format=format, kind="cells"
    )
    read = read_stack(path)
    assert read.data.dtype == dtype
    np.testing.assert_array_equal(read.data, data)
    assert (read.voxel_size, read.translate, read.axes) == (SIZE, PLACE, "zyx")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("format", FORMATS)
def test_unknown_size_stays_unknown(tmp_path, format):
    read = read_stack(write_image(tmp_path / "a", ramp("uint8"), format=format))
    assert read.voxel_size == VoxelSize(None, None, None)


@pytest.mark.parametrize("format", ["tiff", "ome-zarr"])
def test_size_known_in_plane_only(tmp_path, format):
    size = VoxelSize(None, 0.01, 0.02)
    read = read_stack(write_image(tmp_path / "a", ramp("uint8"), voxel_size=size, format=format))
    assert read.voxel_size == size


@pytest.mark.parametrize("format", FORMATS)
def test_time_stack_keeps_its_axis(tmp_path, format):
    stack = Stack(ramp("uint8"), VoxelSize(None, 0.19, 0.19), axes="tyx")
    read = read_stack(write_image(tmp_path / "a", stack.data, like=stack, format=format))
    assert (read.axes, read.voxel_size, read.shape) == ("tyx", stack.voxel_size, (3, 4, 5))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 3, 4, 5), (2, 1, 4, 5)])
@pytest.mark.parametrize("axes", ["zyx", "tyx"])
def test_iterations_read_back(tmp_path, format, shape, axes):
    data = ramp("float16", shape)
    path = write_image(tmp_path / "i", data, kind="iterations", format=format, axes=axes)
    np.testing.assert_array_equal(read_iterations(path), data)


@settings(max_examples=20, deadline=None)
@given(
    data=arrays.arrays(
        st.sampled_from([np.uint8, np.uint32, np.float32]),
        arrays.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=6),
        elements=st.integers(0, 200),
    ),
    nanometres=st.tuples(*[st.integers(1, 99999)] * 3),
    format=st.sampled_from(["tiff", "nifti"]),
)
def test_any_stack_reads_back(tmp_path_factory, data, nanometres, format):
    size = VoxelSize(*(n / 1000 for n in nanometres))
    path = tmp_path_factory.mktemp("any") / "a"
    # A last axis of 3 or 4 is still a width here, because the writer names its axes.
    read = read_stack(write_image(path, data, voxel_size=size, format=format))
    np.testing.assert_array_equal(read.data, data)
    assert read.voxel_size == pytest.approx(size, rel=1e-7)


def test_imagej_sees_size_in_microns(tmp_path):
    path = write_image(tmp_path / "contours", ramp("float32"), voxel_size=SIZE)
    with tifffile.TiffFile(path) as tif:
        assert tif.is_imagej
        assert tif.imagej_metadata["unit"] == "micron"
        assert tif.imagej_metadata["spacing"] == 0.05
        assert tif.imagej_metadata["slices"] == 3
        count, per = tif.pages[0].tags["XResolution"].value
        assert per / count == pytest.approx(0.0125)
        assert tif.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        np.testing.assert_array_equal(tif.asarray(), ramp("float32"))


def test_labels_are_ome_with_size(tmp_path):
    data = ramp("uint32") + np.uint32(2**31)
    path = write_image(tmp_path / "cells", data, voxel_size=SIZE, kind="cells")
    with tifffile.TiffFile(path) as tif:
        pixels = tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]["Pixels"]
        assert pixels["PhysicalSizeZ"] == 0.05
        assert pixels["PhysicalSizeXUnit"] == "µm"
        assert tif.series[0].dtype == np.uint32
        np.testing.assert_array_equal(tif.asarray(), data)


def test_more_than_4_gb_becomes_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_copnet.io.write_tiff._CLASSIC_BYTES", 50)
    path = write_image(tmp_path / "a", ramp("uint8"), voxel_size=SIZE)
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff and tif.is_ome
    assert read_stack(path).voxel_size == SIZE


def test_itk_and_nibabel_agree_on_nifti(tmp_path):
    path = write_image(
        tmp_path / "a", ramp("uint16"), voxel_size=SIZE, translate=PLACE, format="nifti"
    )
    image = SimpleITK.ReadImage(str(path))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), ramp("uint16"))
    # ITK counts in mm along x, y, z.
    assert image.GetSpacing() == pytest.approx((0.0125e-3, 0.015e-3, 0.05e-3))
    assert image.GetOrigin() == pytest.approx((0.25e-3, -2.0e-3, 1.5e-3))
    assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert nibabel.load(path).header.get_xyzt_units()[0] == "micron"


def test_omezarr_pyramid_of_cells_has_no_new_label(tmp_path):
    cells = np.zeros((2, 1030, 520), np.uint32)
    cells[:, :, 1::2] = 7
    cells[:, 500:, :] = 100
    path = write_image(
        tmp_path / "cells", cells, voxel_size=SIZE, translate=PLACE, kind="cells", format="ome-zarr"
    )
    group = zarr.open_group(path, mode="r")
    ome = group.attrs["ome"]
    assert ome["version"] == "0.5"
    levels = ome["multiscales"][0]["datasets"]
    assert len(levels) == 3
    coarse = group[levels[2]["path"]]
    np.testing.assert_array_equal(coarse[...], cells[:, ::4, ::4])
    scale, move = levels[2]["coordinateTransformations"]
    assert scale["scale"] == pytest.approx([0.05, 0.06, 0.05])
    assert move["translation"] == pytest.approx(list(PLACE))


def test_omezarr_pyramid_of_probability_is_a_mean(tmp_path):
    rng = np.random.default_rng(0)
    data = rng.random((1, 600, 8), np.float32)
    path = write_image(tmp_path / "c", data, voxel_size=SIZE, kind="contours", format="ome-zarr")
    group = zarr.open_group(path, mode="r")
    level = group.attrs["ome"]["multiscales"][0]["datasets"][1]
    expected = data.reshape(1, 300, 2, 4, 2).mean((2, 4))
    np.testing.assert_allclose(group[level["path"]][...], expected, rtol=1e-6)
    # The centre of a pixel of 2×2 lies half a fine pixel further.
    move = level["coordinateTransformations"][1]["translation"]
    assert move == pytest.approx([0, 0.0075, 0.00625])


def test_ome_zarr_library_reads_what_is_written(tmp_path):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    path = write_image(tmp_path / "a", ramp("uint8"), voxel_size=SIZE, format="ome-zarr")
    node = next(iter(Reader(parse_url(path))()))
    np.testing.assert_array_equal(np.asarray(node.data[0]), ramp("uint8"))


@pytest.mark.parametrize(
    ("name", "format", "expected"),
    [
        ("cells", None, "cells.tif"),
        ("cells.tiff", None, "cells.tiff"),
        ("cells.nii", None, "cells.nii"),
        ("cells.tif", "nifti", "cells.nii.gz"),
        ("run.1", "ome-zarr", "run.1.ome.zarr"),
        ("a.ome.zarr", "tiff", "a.tif"),
    ],
)
def test_suffix_and_format(tmp_path, name, format, expected):
    path = write_image(tmp_path / name, ramp("uint8"), format=format)
    assert path == tmp_path / expected and path.exists()
    np.testing.assert_array_equal(read_stack(path).data, ramp("uint8"))


def test_types_are_made_plain(tmp_path):
    for given_type, expected in [("bool", "uint8"), ("float16", "float32"), ("int64", "uint32")]:
        path = write_image(tmp_path / given_type, ramp(given_type))
        assert read_stack(path).data.dtype == expected


def test_label_too_large_is_refused_and_old_file_kept(tmp_path):
    path = write_image(tmp_path / "cells", ramp("uint32"), kind="cells")
    before = path.read_bytes()
    with pytest.raises(OutputError, match="do not fit"):
        write_image(path, ramp("uint64") + np.uint64(2**40), kind="cells")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["cells.tif"]


@pytest.mark.parametrize("format", FORMATS)
def test_failure_while_writing_leaves_nothing(tmp_path, format):
    class Failing:
        shape, ndim, dtype = (3, 4, 5), 3, np.dtype("uint8")

        def __getitem__(self, key):
            raise OSError(28, "No space left on device")

        def __array__(self, dtype=None, copy=None):
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"no(t enough)? space"):
        write_image(tmp_path / "a", Failing(), format=format)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (np.zeros((4, 5), np.uint8), {}),
        (np.zeros((0, 4, 5), np.uint8), {}),
        (np.zeros((2, 4, 5), np.complex64), {}),
        (np.zeros((2, 4, 5), np.uint8), {"format": "jpeg"}),
        (np.zeros((2, 4, 5), np.uint8), {"kind": "picture"}),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path, data, options):
    with pytest.raises(OutputError):
        write_image(tmp_path / "a", data, **options)
    assert list(tmp_path.iterdir()) == []
