"""Each bad input is one sentence with a hint, before anything large is allocated."""

import struct
import tracemalloc
from functools import partial

import mrcfile
import nibabel
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_copnet.errors import CopnetError, InputError, NeedsChoiceError
from napari_copnet.io.read import read_stack
from napari_copnet.params import ReadParams

# Without it tifffile takes three slices for red, green and blue.
imwrite = partial(tifffile.imwrite, photometric="minisblack")
DATA = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
NOISE = np.random.default_rng(0).integers(0, 255, (3, 40, 50), np.uint8)


def refused(path, match, params=ReadParams(), kind=InputError):
    with pytest.raises(kind, match=match) as caught:
        stack = read_stack(path, params)
        np.asarray(stack.data)
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")
    return caught.value


def asked(path, option):
    error = refused(path, "", kind=NeedsChoiceError)
    assert error.option == option
    assert option in error.hint


@pytest.mark.parametrize("name", ["a.tif", "a.txt", "a.png", "a.bin"])
def test_not_an_image(tmp_path, name):
    (tmp_path / name).write_text("This is a letter, not an image. " * 40)
    refused(tmp_path / name, "not a readable image")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.mrc"])
def test_not_an_image_by_a_wrong_name(tmp_path, name):
    (tmp_path / name).write_text("This is a letter, not an image. " * 40)
    refused(tmp_path / name, "damaged|can't be read")


def test_missing_empty_hdf5(tmp_path):
    refused(tmp_path / "none.tif", "does not exist")
    (tmp_path / "a.tif").touch()
    refused(tmp_path / "a.tif", "is empty")
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    refused(tmp_path / "a.h5", "can't be read|damaged")


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("imagej", [False, True])
@pytest.mark.parametrize("lazy", [False, True])
def test_truncated_tiff(tmp_path, monkeypatch, compression, imagej, lazy):
    if lazy:
        monkeypatch.setattr("napari_copnet.io.raw.LAZY_BYTES", 0)
    imwrite(tmp_path / "a.tif", NOISE, compression=compression, imagej=imagej)
    whole = (tmp_path / "a.tif").read_bytes()
    for share in (0.02, 0.3, 0.6, 0.95):
        (tmp_path / "b.tif").write_bytes(whole[: int(len(whole) * share)])
        refused(tmp_path / "b.tif", "truncated|can't be read")


def test_damaged_tiffs_raise_only_our_errors(tmp_path):
    imwrite(tmp_path / "a.tif", NOISE, compression="zlib", tile=(16, 16))
    whole = bytearray((tmp_path / "a.tif").read_bytes())
    rng = np.random.default_rng(1)
    failed = 0
    for _ in range(150):
        broken = whole.copy()
        for at in rng.integers(0, len(whole), 12):
            broken[at] = rng.integers(0, 256)
        for at in rng.integers(0, 300, 2):
            broken[at] = rng.integers(0, 256)
        (tmp_path / "b.tif").write_bytes(broken)
        try:
            np.asarray(read_stack(tmp_path / "b.tif").data)
        except CopnetError:
            failed += 1
    assert failed > 50


@pytest.mark.parametrize("compression", [1, 8])
def test_tiff_declaring_more_than_it_holds(tmp_path, compression):
    """One uncompressed or deflated strip of 64 kB that claims to be 4 GB."""
    entries = [
        (256, 4, 65536), (257, 4, 65536), (258, 3, 8), (259, 3, compression), (262, 3, 1),
        (273, 4, 1000), (277, 3, 1), (278, 4, 65536), (279, 4, 65536),
    ]  # fmt: skip
    ifd = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries
    )
    head = b"II*\0" + struct.pack("<I", 8) + ifd + bytes(4)
    (tmp_path / "a.tif").write_bytes(head.ljust(1000, b"\0") + bytes(65536))
    tracemalloc.start()
    refused(tmp_path / "a.tif", "truncated|memory")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_stack_larger_than_memory(tmp_path, monkeypatch):
    """Kept on disk when the slices fit, refused when one does not."""
    monkeypatch.setattr("napari_copnet.io.raw.LAZY_BYTES", 0)
    imwrite(tmp_path / "a.tif", NOISE)
    memory = type("Memory", (), {"available": 5000})
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    np.testing.assert_array_equal(read_stack(tmp_path / "a.tif").data[1], NOISE[1])
    memory.available = 1000
    refused(tmp_path / "a.tif", "memory")


@pytest.mark.parametrize("name", ["../b.ome.tif", "/tmp/b.ome.tif", "..\\b.ome.tif"])
def test_ome_tiff_does_not_follow_names_outside(tmp_path, name):
    folder = tmp_path / "in"
    folder.mkdir()
    imwrite(tmp_path / "b.ome.tif", DATA[0])
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="5" SizeY="4" SizeZ="2" '
        'SizeC="1" SizeT="1"><TiffData FirstZ="0" IFD="0" PlaneCount="1"/>'
        f'<TiffData FirstZ="1" IFD="0"><UUID FileName="{name}">urn:uuid:1</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    imwrite(folder / "a.ome.tif", DATA[0], description=xml, metadata=None)
    refused(folder / "a.ome.tif", "outside its folder")


def test_ome_tiff_with_missing_pages(tmp_path):
    imwrite(tmp_path / "a.ome.tif", NOISE, ome=True, metadata={"axes": "ZYX"})
    whole = (tmp_path / "a.ome.tif").read_bytes()
    assert whole.count(b'SizeZ="3"') == 1
    more = whole.replace(b'SizeZ="3"', b'SizeZ="9"').replace(b'PlaneCount="3"', b'PlaneCount="9"')
    (tmp_path / "a.ome.tif").write_bytes(more)
    refused(tmp_path / "a.ome.tif", "truncated")


@pytest.mark.parametrize("suffix", [".tif", ".png"])
@pytest.mark.parametrize("samples", [3, 4])
def test_colour_is_asked_or_converted(tmp_path, suffix, samples):
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 256, (20, 30, samples)).astype(np.uint8)
    path = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        extra = ["unassalpha"] if samples == 4 else None
        imwrite(path, colour, photometric="rgb", extrasamples=extra)
    else:
        Image.fromarray(colour).save(path)
    asked(path, "rgb")
    first = read_stack(path, ReadParams(rgb="first"))
    np.testing.assert_array_equal(first.data, colour[None, ..., 0])
    grey = read_stack(path, ReadParams(rgb="luminance"))
    red, green, blue = (colour[..., i].astype(float) for i in range(3))
    expected = np.round(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    np.testing.assert_allclose(grey.data[0], expected, atol=1)
    assert grey.data.dtype == np.uint8 and grey.notes


def test_channels_and_time_with_depth(tmp_path):
    data = np.arange(2 * 60, dtype=np.uint8).reshape(2, 3, 4, 5)
    imwrite(tmp_path / "c.tif", data.swapaxes(0, 1), imagej=True, metadata={"axes": "ZCYX"})
    asked(tmp_path / "c.tif", "channel")
    chosen = read_stack(tmp_path / "c.tif", ReadParams(channel=1))
    np.testing.assert_array_equal(chosen.data, data[1])
    refused(tmp_path / "c.tif", "no channel 2", ReadParams(channel=2))
    imwrite(tmp_path / "t.tif", data, imagej=True, metadata={"axes": "TZYX"})
    asked(tmp_path / "t.tif", "time_point")
    chosen = read_stack(tmp_path / "t.tif", ReadParams(time_point=1))
    np.testing.assert_array_equal(chosen.data, data[1])


def test_axes_without_a_meaning(tmp_path):
    data = np.zeros((2, 3, 4, 5), np.uint8)
    data[1] = 1
    imwrite(tmp_path / "a.tif", data)
    asked(tmp_path / "a.tif", "axes")
    chosen = read_stack(tmp_path / "a.tif", ReadParams(axes="CZYX", channel=1))
    np.testing.assert_array_equal(chosen.data, data[1])
    refused(tmp_path / "a.tif", "do not fit", ReadParams(axes="YX"))
    refused(tmp_path / "a.tif", "not understood", ReadParams(axes="ABYX"))
    imwrite(tmp_path / "b.tif", np.zeros((20, 30, 3), np.uint8), photometric="minisblack")
    asked(tmp_path / "b.tif", "axes")


@pytest.mark.parametrize("shape", [(3, 1, 5), (3, 5, 1), (1, 1)])
def test_sides_of_one_pixel(tmp_path, shape):
    imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), metadata=None)
    refused(tmp_path / "a.tif", "pixel|axes")


def test_side_of_no_pixel(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.zeros((0, 4, 5), np.uint8))
    refused(tmp_path / "a.zarr", "slices of|0")


@pytest.mark.parametrize("lazy", [False, True])
def test_complex_values(tmp_path, monkeypatch, lazy):
    if lazy:
        monkeypatch.setattr("napari_copnet.io.raw.LAZY_BYTES", 0)
    imwrite(tmp_path / "a.tif", DATA.astype(np.complex64))
    refused(tmp_path / "a.tif", "complex")
    mrcfile.new(tmp_path / "a.mrc", DATA.astype(np.complex64)).close()
    refused(tmp_path / "a.mrc", "complex")
    zarr.create_array(tmp_path / "a.zarr", data=DATA.astype(np.complex64))
    refused(tmp_path / "a.zarr", "complex")


def test_truncated_others(tmp_path):
    nibabel.save(nibabel.Nifti1Image(NOISE.T, np.eye(4)), tmp_path / "a.nii")
    nibabel.save(nibabel.Nifti1Image(NOISE.T, np.eye(4)), tmp_path / "a.nii.gz")
    mrcfile.new(tmp_path / "a.mrc", NOISE.astype(np.float32)).close()
    Image.fromarray(NOISE[0]).save(tmp_path / "a.png")
    for path in sorted(tmp_path.iterdir()):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        refused(path, "truncated|can't be read")


def test_nifti_declaring_more_than_it_holds(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((5, 4, 3), np.uint8), np.eye(4))
    image.header["dim"][1:4] = 30000
    (tmp_path / "a.nii").write_bytes(image.header.binaryblock + bytes(100))
    refused(tmp_path / "a.nii", "truncated")


def test_damaged_zarr(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.attrs["x"] = 1
    refused(tmp_path / "a.zarr", "without an OME-Zarr image")
    group.attrs["ome"] = {"multiscales": [{"datasets": [{"path": "../b"}]}]}
    refused(tmp_path / "a.zarr", "outside its folder")
    group.attrs["ome"] = {"multiscales": [{"datasets": [{"path": "0"}]}]}
    refused(tmp_path / "a.zarr", "damaged|missing")
    zarr.create_array(tmp_path / "c.zarr", data=DATA)
    chunk = next(p for p in (tmp_path / "c.zarr" / "c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:5])
    refused(tmp_path / "c.zarr", "damaged|can't be read")
    (tmp_path / "c.zarr" / "zarr.json").write_text("{")
    refused(tmp_path / "c.zarr", "damaged")


def test_folders(tmp_path):
    refused(tmp_path, "holds no images")
    (tmp_path / "01").mkdir()
    assert "/01" in refused(tmp_path, "holds no images").hint
    imwrite(tmp_path / "s1.tif", DATA[0])
    imwrite(tmp_path / "s2.tif", DATA[0, :3])
    refused(tmp_path, "differ in size")
    imwrite(tmp_path / "s2.tif", DATA[0].astype(np.uint16))
    refused(tmp_path, "differ in type")
    imwrite(tmp_path / "s2.tif", DATA[0])
    Image.fromarray(DATA[0]).save(tmp_path / "s3.png")
    refused(tmp_path, "several kinds")


def test_frames_with_depth_are_asked(tmp_path):
    for t in range(2):
        imwrite(tmp_path / f"t{t:03}.tif", DATA)
    asked(tmp_path, "time_point")
    refused(tmp_path, "no time point", ReadParams(time_point=2))


@pytest.mark.parametrize("text", ["0.05", "1,2", "a,b,c", "1,2,-3", "1,2,nan", "1,2,0"])
def test_voxel_size_that_is_none(tmp_path, text):
    imwrite(tmp_path / "a.tif", DATA)
    refused(tmp_path / "a.tif", "voxel size", ReadParams(voxel_size=text))


def test_imagej_declares_slices_that_are_missing(tmp_path):
    imwrite(tmp_path / "a.tif", DATA[0], description="ImageJ=1.53\nimages=9\n", metadata=None)
    refused(tmp_path / "a.tif", "truncated")


def test_chain_of_pages_in_a_circle(tmp_path):
    imwrite(tmp_path / "a.tif", DATA[0], metadata=None)
    whole = bytearray((tmp_path / "a.tif").read_bytes())
    first = struct.unpack("<I", whole[4:8])[0]
    count = struct.unpack("<H", whole[first : first + 2])[0]
    at = first + 2 + 12 * count
    whole[at : at + 4] = struct.pack("<I", first)
    (tmp_path / "a.tif").write_bytes(whole)
    refused(tmp_path / "a.tif", "truncated")


def test_pages_of_different_sizes(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(DATA[0], metadata=None)
        tif.write(DATA[0, :3], metadata=None)
    refused(tmp_path / "a.tif", "different sizes")
