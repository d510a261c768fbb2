"""Every format that is read, made by its own library; the frame it states."""

import gzip
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import mrcfile
import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
import zarr
from PIL import Image

from napari_copnet.errors import InputError
from napari_copnet.io.read import read_iterations, read_stack
from napari_copnet.io.write import write_image
from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import ReadParams
from napari_copnet.types import VoxelSize

# Without it tifffile takes three slices for red, green and blue.
imwrite = partial(tifffile.imwrite, photometric="minisblack")
DATA = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
UNKNOWN = VoxelSize()
NOISY = np.random.default_rng(0).integers(0, 255, (3, 40, 50), np.uint8)


@pytest.fixture(params=[False, True], ids=["eager", "lazy"])
def lazy(request, monkeypatch):
    """Read as a small file, and as one too large for memory."""
    if request.param:
        monkeypatch.setattr("napari_copnet.io.raw.LAZY_BYTES", 0)
    return request.param


def check(stack, data=DATA, lazy=False):
    assert stack.shape == data.shape
    assert stack.data.dtype == data.dtype
    assert isinstance(stack.data, np.ndarray) is not lazy
    np.testing.assert_array_equal(np.asarray(stack.data), data)
    np.testing.assert_array_equal(stack.data[1:, 2, ::2], data[1:, 2, ::2])
    np.testing.assert_array_equal(stack.data[-1], data[-1])


# -- TIFF -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".tif", ".nii", ".mrc", ".zarr", ""])
def test_a_small_stack_stays_on_disk_when_asked_to(tmp_path, suffix):
    if suffix:
        kind = {".tif": "tiff", ".nii": "nifti", ".zarr": "ome-zarr"}.get(suffix)
        path = tmp_path / f"a{suffix}"
        if kind is None:
            with mrcfile.new(path) as mrc:
                mrc.set_data(DATA.astype(np.int8))
        else:
            path = write_image(path, DATA, format=kind)
    else:
        path = tmp_path
        for z, plane in enumerate(DATA):
            imwrite(path / f"{z}.tif", plane)
    assert isinstance(read_stack(path).data, np.ndarray)
    data = read_stack(path, lazy=True).data
    assert isinstance(data, LazyArray) and data.shape == DATA.shape
    for z in (2, 0, 1):
        np.testing.assert_array_equal(data[z], DATA[z])
    np.testing.assert_array_equal(np.asarray(data), DATA)
    # What was asked for once does not stay.
    assert isinstance(read_stack(path).data, np.ndarray)


def test_slices_of_a_compressed_tiff_are_decoded_on_their_own(tmp_path):
    path = write_image(tmp_path / "a.tif", NOISY)
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[1]
        at, count = page.dataoffsets[0], page.databytecounts[0]
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * count)
    data = read_stack(path, lazy=True).data
    for z in (2, 0):
        np.testing.assert_array_equal(data[z], NOISY[z])
    with pytest.raises(InputError, match="damaged"):
        data[1]


@pytest.mark.parametrize("letters", ["TZYX", "CZYX", "ZYX", "ZTYX"])
def test_iterations_are_read_by_slice_when_asked_to(tmp_path, letters):
    values = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    if letters == "ZYX":
        values = values[0]
    imwrite(tmp_path / "i.ome.tif", values, metadata={"axes": letters})
    whole = read_iterations(tmp_path / "i.ome.tif")
    lazily = read_iterations(tmp_path / "i.ome.tif", lazy=True)
    assert isinstance(whole, np.ndarray) and isinstance(lazily, LazyArray)
    expected = {"ZYX": values[None]}.get(letters, values)
    expected = expected.swapaxes(0, 1) if letters == "ZTYX" else expected
    np.testing.assert_array_equal(whole, expected)
    for k, z in np.ndindex(expected.shape[:2]):
        np.testing.assert_array_equal(lazily[k, z], expected[k, z])


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}])
def test_plain_tiff_has_unknown_size(tmp_path, lazy, options):
    data = DATA.astype(np.uint16) * 300
    imwrite(tmp_path / "a.tif", data, metadata=None, **options)
    stack = read_stack(tmp_path / "a.tif")
    check(stack, data, lazy)
    assert (stack.voxel_size, stack.axes, stack.name) == (UNKNOWN, "zyx", "a")


@pytest.mark.parametrize(
    ("unit", "per_micron"),
    [
        ("micron", 1),
        ("um", 1),
        ("\\u00B5m", 1),
        ("nm", 1e-3),
        ("mm", 1e3),
        ("cm", 1e4),
        ("inch", 25400),
    ],
)
def test_imagej_units(tmp_path, lazy, unit, per_micron):
    # Of 1/8 and 1/4 µm, as pixels of a quarter of an inch are meant for printing.
    imwrite(
        tmp_path / "a.tif", DATA, imagej=True, resolution=(8 * per_micron, 4 * per_micron),
        metadata={"axes": "ZYX", "spacing": 2.0 / per_micron, "unit": unit},
    )  # fmt: skip
    stack = read_stack(tmp_path / "a.tif")
    check(stack, DATA, lazy)
    assert stack.voxel_size == pytest.approx((2, 0.25, 0.125))


def test_imagej_without_a_unit_or_spacing(tmp_path):
    imwrite(tmp_path / "a.tif", DATA, imagej=True, resolution=(8, 4), metadata={
        "axes": "ZYX", "unit": "pixel", "spacing": 1.0})  # fmt: skip
    assert read_stack(tmp_path / "a.tif").voxel_size == UNKNOWN
    imwrite(tmp_path / "b.tif", DATA, imagej=True, resolution=(8, 4), metadata={
        "axes": "ZYX", "unit": "um"})  # fmt: skip
    assert read_stack(tmp_path / "b.tif").voxel_size == VoxelSize(None, 0.25, 0.125)


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((1, 1), 1, UNKNOWN),
        ((1, 1), 2, UNKNOWN),
        ((5, 5), 1, UNKNOWN),
        ((72, 72), 2, UNKNOWN),
        ((2_000_000, 1_000_000), 3, VoxelSize(None, 0.01, 0.005)),
        ((2_540_000, 2_540_000), 2, VoxelSize(None, 0.01, 0.01)),
    ],
)
def test_plain_resolution_counts_only_with_a_real_unit(tmp_path, resolution, unit, expected):
    imwrite(tmp_path / "a.tif", DATA, metadata=None, resolution=resolution, resolutionunit=unit)
    assert read_stack(tmp_path / "a.tif").voxel_size == expected


def test_ome_tiff_units_and_position(tmp_path, lazy):
    imwrite(
        tmp_path / "a.ome.tif", DATA, ome=True,
        metadata={
            "axes": "ZYX", "PhysicalSizeX": 5, "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.01, "PhysicalSizeZ": 1, "PhysicalSizeZUnit": "mm",
            "Plane": {"PositionX": [7.0] * 3, "PositionXUnit": ["nm"] * 3},
        },
    )  # fmt: skip
    stack = read_stack(tmp_path / "a.ome.tif")
    check(stack, DATA, lazy)
    assert stack.voxel_size == VoxelSize(1000.0, 0.01, 0.005)
    assert stack.translate == (0, 0, 0.007)
    assert stack.name == "a"


def test_ome_tiff_of_several_files_in_one_folder(tmp_path):
    from uuid import uuid4

    names, ids = ["a.ome.tif", "b.ome.tif"], [f"urn:uuid:{uuid4()}" for _ in range(2)]
    data = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{name}">{id}</UUID></TiffData>'
        for z, (name, id) in enumerate(zip(names, ids, strict=True))
    )
    for z, name in enumerate(names):
        xml = (
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{ids[z]}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
            'Type="uint8" SizeX="5" SizeY="4" SizeZ="2" SizeC="1" SizeT="1">'
            f"{data}</Pixels></Image></OME>"
        )
        imwrite(tmp_path / name, DATA[z], description=xml, metadata=None)
    check(read_stack(tmp_path / names[0]), DATA[:2])


def test_one_slice_and_bool(tmp_path):
    imwrite(tmp_path / "a.tif", DATA[0] > 3)
    stack = read_stack(tmp_path / "a.tif")
    assert stack.data.dtype == np.uint8
    np.testing.assert_array_equal(stack.data, (DATA[:1] > 3).astype(np.uint8))


def test_time_axis(tmp_path, lazy):
    imwrite(tmp_path / "a.tif", DATA, imagej=True, resolution=(4, 4), metadata={
        "axes": "TYX", "unit": "um"})  # fmt: skip
    stack = read_stack(tmp_path / "a.tif")
    check(stack, DATA, lazy)
    assert (stack.axes, stack.voxel_size) == ("tyx", VoxelSize(None, 0.25, 0.25))


def test_axes_and_voxel_size_by_option(tmp_path, lazy):
    imwrite(tmp_path / "a.tif", DATA, metadata=None)
    stack = read_stack(tmp_path / "a.tif", ReadParams(axes="YXZ", voxel_size="0.05,0.01,0.02"))
    check(stack, np.moveaxis(DATA, 2, 0), lazy)
    assert stack.voxel_size == VoxelSize(0.05, 0.01, 0.02)


def test_reading_does_not_change_the_file(tmp_path):
    imwrite(tmp_path / "a.tif", DATA)
    before = (tmp_path / "a.tif").read_bytes()
    read_stack(tmp_path / "a.tif").data[:] = 0
    assert (tmp_path / "a.tif").read_bytes() == before


# -- NIfTI and MRC ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("micron", (3.0, 0.5, 2.0)), ("mm", (3000.0, 500.0, 2000.0)), ("unknown", UNKNOWN)],
)
def test_nifti_units(tmp_path, lazy, unit, expected):
    image = nibabel.Nifti1Image(DATA.T, np.diag([2.0, 0.5, 3.0, 1.0]))
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "a.nii")
    stack = read_stack(tmp_path / "a.nii")
    check(stack, DATA, lazy)
    assert stack.voxel_size == VoxelSize(*expected)


def test_nifti_of_itk(tmp_path):
    image = SimpleITK.GetImageFromArray(DATA)
    SimpleITK.WriteImage(image, str(tmp_path / "bare.nii.gz"))
    assert read_stack(tmp_path / "bare.nii.gz").voxel_size == UNKNOWN
    image.SetSpacing((0.015e-3, 0.02e-3, 0.05e-3))
    image.SetOrigin((1e-3, 2e-3, -3e-3))
    SimpleITK.WriteImage(image, str(tmp_path / "a.nii.gz"))
    stack = read_stack(tmp_path / "a.nii.gz")
    check(stack)
    assert stack.voxel_size == VoxelSize(0.05, 0.02, 0.015)
    assert stack.translate == (-3.0, 2.0, 1.0)


def test_nifti_with_scaled_values(tmp_path, lazy):
    image = nibabel.Nifti1Image(DATA.T.astype(np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, 3)
    nibabel.save(image, tmp_path / "a.nii")
    stored = nibabel.load(tmp_path / "a.nii").get_fdata().T
    check(read_stack(tmp_path / "a.nii"), stored.astype(np.float32), lazy)


@pytest.mark.parametrize("suffix", [".mrc", ".mrc.gz"])
def test_mrc_in_angstrom(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with mrcfile.new(path, compression="gzip" if suffix.endswith("gz") else None) as mrc:
        mrc.set_data(DATA.astype(np.float32))
        mrc.voxel_size = (50.0, 60.0, 500.0)
        mrc.header.origin.x = 1000.0
    stack = read_stack(path)
    check(stack, DATA.astype(np.float32))
    assert stack.voxel_size == VoxelSize(0.05, 0.006, 0.005)
    assert stack.translate == (0.0, 0.0, 0.1)


@pytest.mark.parametrize("size", [None, 1.0])
def test_mrc_without_a_size(tmp_path, lazy, size):
    with mrcfile.new(tmp_path / "a.mrc", DATA.astype(np.int16)) as mrc:
        if size:
            mrc.voxel_size = size
    stack = read_stack(tmp_path / "a.mrc")
    check(stack, DATA.astype(np.int16), lazy)
    assert stack.voxel_size == UNKNOWN


# -- OME-Zarr ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_omezarr_of_the_reference_library(tmp_path, lazy, version):
    from ome_zarr.format import FormatV04, FormatV05
    from ome_zarr.writer import write_image

    kind = {"0.4": FormatV04, "0.5": FormatV05}[version]()
    write_image(
        DATA[None], str(tmp_path / "a.zarr"), scale_factors=(), fmt=kind, axes="czyx",
        scale={"c": 1, "z": 40, "y": 10, "x": 5},
        axes_units=dict.fromkeys("zyx", "nanometer"),
    )  # fmt: skip
    stack = read_stack(tmp_path / "a.zarr")
    check(stack, DATA, lazy)
    assert stack.voxel_size == VoxelSize(0.04, 0.01, 0.005)


def test_omezarr_transformations_multiply(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=DATA)
    axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"]
    group.attrs["multiscales"] = [{
        "version": "0.4", "axes": axes,
        "datasets": [{"path": "0", "coordinateTransformations": [
            {"type": "scale", "scale": [2, 1, 1]},
            {"type": "translation", "translation": [3, 0, 1]}]}],
        "coordinateTransformations": [{"type": "scale", "scale": [0.5, 0.25, 0.25]}],
    }]  # fmt: skip
    stack = read_stack(tmp_path / "a.zarr")
    assert stack.voxel_size == VoxelSize(1.0, 0.25, 0.25)
    assert stack.translate == (1.5, 0.0, 0.25)


def test_bare_zarr_array(tmp_path, lazy):
    zarr.create_array(tmp_path / "a.zarr", data=DATA)
    stack = read_stack(tmp_path / "a.zarr")
    check(stack, DATA, lazy)
    assert stack.voxel_size == UNKNOWN


# -- folders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_folder_in_natural_order(tmp_path, lazy, suffix):
    for z, name in enumerate(["s1", "s2", "s10"]):
        if suffix == ".tif":
            imwrite(tmp_path / f"{name}.tif", DATA[z])
        else:
            Image.fromarray(DATA[z]).save(tmp_path / f"{name}.png")
    (tmp_path / "notes.txt").write_text("x")
    stack = read_stack(tmp_path)
    check(stack, DATA, lazy)
    assert stack.axes == "zyx"


def test_folder_with_a_gap_says_so(tmp_path):
    for number in (1, 2, 4):
        imwrite(tmp_path / f"s{number}.tif", DATA[0])
    assert "Slices are missing" in read_stack(tmp_path).notes[0]
    assert read_stack(tmp_path).notes[0].endswith(": 3.")


def test_cell_tracking_challenge_is_a_time_stack(tmp_path, lazy):
    folder = tmp_path / "HeLa" / "01"
    folder.mkdir(parents=True)
    for t in range(3):
        imwrite(folder / f"t{t:03}.tif", DATA[t])
    stack = read_stack(folder)
    check(stack, DATA, lazy)
    assert stack.axes == "tyx"


def test_cell_tracking_challenge_with_depth(tmp_path):
    for t in range(2):
        imwrite(tmp_path / f"t{t:03}.tif", DATA + t)
    stack = read_stack(tmp_path, ReadParams(time_point=1))
    check(stack, DATA + 1)
    assert stack.axes == "zyx"


def test_palette_of_greys_is_grey(tmp_path):
    Image.fromarray(DATA[0] * 4).convert("P").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_stack(tmp_path / "a.png").data, DATA[:1] * 4)


@pytest.mark.parametrize("name", ["a.b.ome.tif", "a.b.tiff", "a.b.tif"])
def test_name_without_suffix(tmp_path, name):
    imwrite(tmp_path / name, DATA)
    assert read_stack(tmp_path / name, ReadParams(axes="ZYX")).name == "a.b"


def test_imagej_stack_with_a_single_page(tmp_path):
    """ImageJ writes large stacks as one page, and the other slices right behind it."""
    path = tmp_path / "a.tif"
    said = "ImageJ=1.53\nimages=3\nslices=3\nunit=nm\nspacing=30\n"
    imwrite(path, DATA[0], description=said, metadata=None, resolution=(0.1, 0.2))
    with path.open("ab") as file:
        file.write(DATA[1:].tobytes())
    stack = read_stack(path)
    check(stack)
    assert stack.voxel_size == VoxelSize(0.03, 0.005, 0.01)


def test_single_picture_of_16_bits(tmp_path):
    data = DATA[0].astype(np.uint16) * 1000
    Image.fromarray(data).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_stack(tmp_path / "a.png").data, data[None])


def test_gzipped_nifti_by_any_name_is_not_guessed(tmp_path):
    from napari_copnet.errors import InputError

    (tmp_path / "a.gz").write_bytes(gzip.compress(b"x" * 500))
    with pytest.raises(InputError, match="not a readable image"):
        read_stack(tmp_path / "a.gz")


@pytest.mark.parametrize("looped", [False, True], ids=["one series", "page by page"])
def test_threads_that_read_at_once_get_their_own_slices(tmp_path, looped):
    """As the writer of OME-Zarr does; without a lock a few of a hundred slices are others."""
    values = np.arange(200 * 32 * 32, dtype=np.uint32).reshape(200, 32, 32)
    path = tmp_path / "s.tif"
    if looped:
        with tifffile.TiffWriter(path) as writer:
            for plane in values:
                writer.write(plane, compression="zlib", photometric="minisblack", metadata=None)
    else:
        tifffile.imwrite(path, values, compression="zlib", photometric="minisblack")
    for _ in range(12):
        data = read_stack(path, lazy=True).data
        assert isinstance(data, LazyArray)
        with ThreadPoolExecutor(8) as threads:
            read = list(threads.map(lambda z, data=data: np.asarray(data[z]), range(199, -1, -1)))
        np.testing.assert_array_equal(np.stack(read[::-1]), values)
