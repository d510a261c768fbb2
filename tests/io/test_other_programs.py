"""Intact files as other programs write them: each is read whole, with the values that it means."""

from functools import partial

import mrcfile
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_copnet.errors import InputError
from napari_copnet.io.read import read_stack
from napari_copnet.params import ReadParams
from napari_copnet.types import VoxelSize

imwrite = partial(tifffile.imwrite, photometric="minisblack")
GREY = np.random.default_rng(0).integers(0, 255, (4, 20, 37), np.uint8)


@pytest.fixture(params=[False, True], ids=["eager", "lazy"])
def lazy(request):
    """Read whole, and slice by slice."""
    return request.param


def values(path, lazy=False, params=ReadParams()):
    return np.asarray(read_stack(path, params, lazy=lazy).data)


# -- TIFF -------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_masks_of_one_bit(tmp_path, lazy, compression):
    # 37 pixels: each row ends within a byte.
    imwrite(tmp_path / "a.tif", GREY > 128, compression=compression)
    np.testing.assert_array_equal(values(tmp_path / "a.tif", lazy), GREY > 128)


@pytest.mark.parametrize("compression", [None, "group4", "tiff_lzw"])
def test_masks_of_pillow(tmp_path, lazy, compression):
    slices = [Image.fromarray(plane > 128) for plane in GREY]
    slices[0].save(
        tmp_path / "a.tif", save_all=True, append_images=slices[1:], compression=compression
    )
    np.testing.assert_array_equal(values(tmp_path / "a.tif", lazy), GREY > 128)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_bits_of_cameras(tmp_path, lazy, bits):
    data = GREY.astype(np.uint16) << (bits - 8)
    imwrite(tmp_path / "a.tif", data, bitspersample=bits, metadata=None)
    stack = read_stack(tmp_path / "a.tif", lazy=lazy)
    assert stack.data.dtype == np.uint16
    np.testing.assert_array_equal(np.asarray(stack.data), data)


def test_packed_bits_that_are_cut_off_are_refused(tmp_path):
    imwrite(tmp_path / "a.tif", GREY > 128, metadata=None)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[:-20])
    with pytest.raises(InputError, match="truncated"):
        read_stack(tmp_path / "a.tif")


def write_in_a_loop(path, **options):
    with tifffile.TiffWriter(path, **options) as file:
        for plane in GREY:
            file.write(plane)


def append(path):
    for plane in GREY:
        tifffile.imwrite(path, plane, append=True)


def write_unlike_pages(path):
    """Every other page in strips or compression of its own."""
    with tifffile.TiffWriter(path) as file:
        for z, plane in enumerate(GREY):
            options = [{}, {"rowsperstrip": 7}, {"compression": "zlib"}, {}][z]
            file.write(plane, metadata=None, **options)


def write_blocks(path):
    with tifffile.TiffWriter(path) as file:
        for block in (GREY[:1], GREY[1:]):
            file.write(block, photometric="minisblack")


def write_blocks_of_one_page(path):
    with tifffile.TiffWriter(path) as file:
        for block in (GREY[:2], GREY[2:]):
            file.write(block, photometric="minisblack", truncate=True)


@pytest.mark.parametrize(
    "write",
    [
        write_in_a_loop,
        partial(write_in_a_loop, bigtiff=True),
        append,
        write_unlike_pages,
        write_blocks,
        write_blocks_of_one_page,
    ],
    ids=["loop", "bigtiff", "append", "unlike", "blocks", "truncated"],
)
def test_slices_written_one_by_one_are_a_stack(tmp_path, lazy, write):
    write(tmp_path / "a.tif")
    np.testing.assert_array_equal(values(tmp_path / "a.tif", lazy), GREY)


def test_ome_slices_written_one_by_one_are_a_stack(tmp_path, lazy):
    write_in_a_loop(tmp_path / "a.ome.tif", ome=True)
    np.testing.assert_array_equal(values(tmp_path / "a.ome.tif", lazy), GREY)


def test_ome_positions_are_no_slices_and_it_is_said(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        for _ in range(2):
            file.write(GREY, metadata={"axes": "ZYX"}, photometric="minisblack")
    stack = read_stack(tmp_path / "a.ome.tif")
    assert stack.shape == GREY.shape
    assert "2 images" in stack.notes[0]


def test_a_thumbnail_is_no_slice_and_it_is_said(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY, metadata=None, photometric="minisblack")
        file.write(GREY[0, ::2, ::2], subfiletype=1, metadata=None)
    stack = read_stack(tmp_path / "a.tif")
    np.testing.assert_array_equal(np.asarray(stack.data), GREY)
    assert "left out" in stack.notes[0]


def test_pages_of_different_types_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY[0], metadata=None)
        file.write(GREY[1].astype(np.uint16), metadata=None)
    with pytest.raises(InputError, match="uint16, uint8"):
        read_stack(tmp_path / "a.tif")


def write_ome(path, uuid, filename, planes=4):
    own = f' UUID="{uuid}"' if uuid else ""
    # The slices are stored from the last to the first.
    data = "".join(
        f'<TiffData FirstC="0" FirstT="0" FirstZ="{z}" IFD="{3 - z}" PlaneCount="1">'
        f'<UUID FileName="{filename}">urn:uuid:1</UUID></TiffData>'
        for z in range(planes)
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"{own}><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="37" SizeY="20" '
        f'SizeZ="{planes}" SizeC="1" SizeT="1" PhysicalSizeX="8" PhysicalSizeXUnit="nm" '
        'PhysicalSizeY="8" PhysicalSizeYUnit="nm"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        f"{data}</Pixels></Image></OME>"
    )
    imwrite(path, GREY[::-1], description=xml, metadata=None)


@pytest.mark.parametrize("uuid", ["urn:uuid:1", None], ids=["own", "none"])
@pytest.mark.parametrize("name", ["export.ome.tif", "animal3.ome.tif", "animal3.tif"])
def test_a_renamed_ome_tiff_is_its_own_file(tmp_path, lazy, uuid, name):
    write_ome(tmp_path / name, uuid, "export.ome.tif")
    stack = read_stack(tmp_path / name, lazy=lazy)
    np.testing.assert_array_equal(np.asarray(stack.data), GREY)
    assert stack.voxel_size == VoxelSize(None, 0.008, 0.008)


def test_an_ome_tiff_of_a_set_is_not_taken_for_a_renamed_one(tmp_path):
    write_ome(tmp_path / "a.ome.tif", "urn:uuid:2", "b.ome.tif")
    with pytest.raises(InputError, match="one part of a set"):
        read_stack(tmp_path / "a.ome.tif")


@pytest.mark.parametrize(
    ("unit", "resolution"),
    [
        ("inch", 72),
        ("inch", 300),
        ("cm", 28.35),
        ("cm", 118.11),
        ("cm", 37.8),
        ("inch", 1),
        ("mm", 2.835),
        ("micron", 72 / 25400),
    ],
)
def test_imagej_resolution_for_printing_is_no_size(tmp_path, unit, resolution):
    imwrite(
        tmp_path / "a.tif", GREY, imagej=True, resolution=(resolution, resolution),
        metadata={"unit": unit, "axes": "ZYX", "spacing": 1.0},
    )  # fmt: skip
    stack = read_stack(tmp_path / "a.tif")
    assert stack.voxel_size == VoxelSize()
    assert "printing" in stack.notes[0]


def test_ome_resolution_for_printing_is_no_size(tmp_path):
    frame = {"axes": "ZYX", "PhysicalSizeX": 25400 / 72, "PhysicalSizeY": 25400 / 72}
    imwrite(tmp_path / "a.ome.tif", GREY, ome=True, metadata=frame)
    assert read_stack(tmp_path / "a.ome.tif").voxel_size == VoxelSize()


def test_imagej_unit_of_z_alone(tmp_path):
    imwrite(
        tmp_path / "a.tif", GREY, imagej=True, resolution=(1 / 15, 1 / 15),
        metadata={"unit": "nm", "zunit": "micron", "spacing": 0.05, "axes": "ZYX"},
    )  # fmt: skip
    assert read_stack(tmp_path / "a.tif").voxel_size == pytest.approx((0.05, 0.015, 0.015))


def test_slices_saved_as_frames_are_named(tmp_path):
    imwrite(
        tmp_path / "a.tif", GREY, imagej=True, resolution=(20, 20),
        metadata={"unit": "micron", "spacing": 0.1, "axes": "TYX"},
    )  # fmt: skip
    stack = read_stack(tmp_path / "a.tif")
    assert stack.axes == "tyx" and "set axes to ZYX" in stack.notes[-1]
    stack = read_stack(tmp_path / "a.tif", ReadParams(axes="ZYX"))
    assert stack.axes == "zyx" and stack.voxel_size == VoxelSize(0.1, 0.05, 0.05)


# -- MRC --------------------------------------------------------------------------------------

STAMPS = {
    "serialem": b"\x44\0\0\0",
    "imod": b"\x44\x20\x20\x20",
    "none": b"\0\0\0\0",
    "wrong": b"\x11\x11\0\0",
    "ccp4": b"\x44\x41\0\0",
}


def write_mrc(path, data, big=False, **patches):
    """Write a file and put bytes at offsets of its header, such as b212=... for the stamp."""
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(data)
        file.voxel_size = (150.0, 150.0, 500.0)
        file.header.origin = (1000.0, 2000.0, 3000.0)
    if big:
        with mrcfile.open(path, permissive=True) as file:
            header, stored = file.header.copy(), file.data.copy()
        swapped = header.astype(header.dtype.newbyteorder(">"))
        content = bytearray(
            swapped.tobytes() + stored.astype(stored.dtype.newbyteorder(">")).tobytes()
        )
    else:
        content = bytearray(path.read_bytes())
    for offset, value in patches.items():
        content[int(offset[1:]) : int(offset[1:]) + len(value)] = value
    path.write_bytes(content)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.float32])
@pytest.mark.parametrize("stamp", STAMPS)
def test_any_machine_stamp(tmp_path, stamp, dtype, big):
    data = (GREY // 2).astype(dtype)
    write_mrc(tmp_path / "a.mrc", data, big, b212=STAMPS[stamp])
    stack = read_stack(tmp_path / "a.mrc", lazy=big)
    assert stack.data.dtype == dtype
    np.testing.assert_array_equal(np.asarray(stack.data), data)
    assert stack.voxel_size == VoxelSize(0.05, 0.015, 0.015)
    assert stack.translate == (0.3, 0.2, 0.1)


@pytest.mark.parametrize("name", ["a.mrc", "a.rec", "a.st", "a.ali", "a.map"])
def test_no_name_of_the_map_and_no_stamp(tmp_path, lazy, name):
    write_mrc(tmp_path / name, GREY.astype(np.int16), b208=bytes(8))
    np.testing.assert_array_equal(values(tmp_path / name, lazy), GREY)


OF_IMOD = (1146047817).to_bytes(4, "little")
SIGNED = GREY.view(np.int8)


def flags(number):
    return {"b152": OF_IMOD, "b156": number.to_bytes(4, "little")}


def range_of(low, high, version=0):
    """The lowest and highest value that the header states, and the version of its standard."""
    return {
        "b76": np.array([low, high], "<f4").tobytes(),
        "b108": version.to_bytes(4, "little"),
    }


@pytest.mark.parametrize(
    ("patches", "expected"),
    [
        (flags(0), GREY),
        (flags(1), SIGNED),
        ({}, SIGNED),
        (range_of(0, 254), GREY),
        (range_of(-128, 127), SIGNED),
        (range_of(0, 254, 20140), SIGNED),
        (range_of(0, 254) | flags(1), SIGNED),
    ],
)
@pytest.mark.parametrize("suffix", [".mrc", ".mrc.gz"])
def test_whether_bytes_are_signed(tmp_path, lazy, patches, expected, suffix):
    import gzip

    write_mrc(tmp_path / "a.mrc", SIGNED, **patches)
    path = tmp_path / f"a{suffix}"
    if suffix.endswith("gz"):
        path.write_bytes(gzip.compress((tmp_path / "a.mrc").read_bytes()))
    stack = read_stack(path, lazy=lazy)
    assert stack.data.dtype == expected.dtype and not stack.notes
    np.testing.assert_array_equal(np.asarray(stack.data), expected)


def test_bytes_of_which_nothing_is_said(tmp_path):
    write_mrc(tmp_path / "a.mrc", SIGNED, **range_of(0, 0))
    assert "signed" in read_stack(tmp_path / "a.mrc").notes[0]


@pytest.mark.parametrize(("flag", "sign"), [(1, -1), (5, 1)])
def test_origin_of_imod_counts_the_other_way(tmp_path, flag, sign):
    write_mrc(tmp_path / "a.mrc", SIGNED, **range_of(0, 0), **flags(flag))
    assert read_stack(tmp_path / "a.mrc").translate == (0.3 * sign, 0.2 * sign, 0.1 * sign)


@pytest.mark.parametrize("order", [(2, 1, 3), (1, 3, 2), (3, 2, 1)])
def test_axes_in_another_order(tmp_path, lazy, order):
    write_mrc(tmp_path / "a.mrc", GREY.astype(np.int16), b64=np.array(order, "<i4").tobytes())
    columns, rows, sections = ("zyx".index(" xyz"[n]) for n in order)
    expected = np.moveaxis(GREY, [0, 1, 2], [sections, rows, columns])
    np.testing.assert_array_equal(values(tmp_path / "a.mrc", lazy), expected)


def test_four_bits_a_pixel_are_named(tmp_path):
    write_mrc(tmp_path / "a.mrc", SIGNED, **flags(17))
    with pytest.raises(InputError, match="4 bits"):
        read_stack(tmp_path / "a.mrc")
