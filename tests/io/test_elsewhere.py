"""Files of other segmentation programs: Cellpose, ilastik, PlantSeg, plain NumPy arrays."""

import contextlib
import io
import json
import os
import pickle
import tracemalloc

import h5py
import numpy as np
import pytest

from napari_copnet.errors import InputError, NeedsChoiceError
from napari_copnet.io.harmless_pickle import load_arrays
from napari_copnet.io.read import read_image, read_stack
from napari_copnet.params import ReadParams


def labels():
    found = np.zeros((3, 24, 30), np.uint16)
    found[:, 2:10, 3:12] = 1
    found[:, 12:20, 14:28] = 2
    return found


def seg_file(path, **more):
    np.save(path, {"masks": labels(), "outlines": labels(), "filename": "a.tif", **more})
    return path


def test_the_masks_of_cellpose(tmp_path):
    path = seg_file(tmp_path / "a_seg.npy", flows=[np.zeros((2, 3)), []], diameter=np.float64(30))
    stack = read_image(path)
    assert np.array_equal(stack.data, labels()) and "Cellpose" in stack.notes[0]


def test_what_cellpose_itself_writes(tmp_path):
    cellpose = pytest.importorskip("cellpose.io")
    masks = labels()[0]
    flows = [np.zeros((24, 30, 3), np.uint8), np.zeros((2, 24, 30)), np.zeros((24, 30))]
    cellpose.masks_flows_to_seg(np.zeros((24, 30)), masks, flows, str(tmp_path / "b.tif"))
    assert np.array_equal(read_image(tmp_path / "b_seg.npy").data[0], masks)


class Program:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_no_program_in_a_file_of_numpy_is_run(tmp_path):
    seg_file(tmp_path / "a_seg.npy", more=Program(tmp_path / "made"))
    with pytest.raises(InputError, match="could run a program"):
        read_image(tmp_path / "a_seg.npy")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [{"outlines": 1}, [1, 2], {"masks": "none"}])
def test_other_pickles_hold_no_masks(tmp_path, content):
    np.save(tmp_path / "a.npy", np.array(content, object))
    with pytest.raises(InputError, match="no Cellpose masks"):
        read_image(tmp_path / "a.npy")


def test_a_damaged_pickle_is_told(tmp_path):
    path = seg_file(tmp_path / "a_seg.npy")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(InputError, match="damaged"):
        read_image(path)


def test_a_plain_array(tmp_path):
    np.save(tmp_path / "a.npy", labels())
    for lazy in (False, True):
        assert np.array_equal(read_image(tmp_path / "a.npy", lazy=lazy).data, labels())


def ilastik_file(path, data, axes, **place):
    with h5py.File(path, "w") as file:
        made = file.create_dataset("exported_data", data=data, chunks=True, **place)
        made.attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in axes]})
    return path


@pytest.mark.parametrize("lazy", [False, True])
def test_probabilities_of_ilastik(tmp_path, lazy):
    rng = np.random.default_rng(0)
    data = rng.random((3, 8, 9, 2)).astype(np.float32)
    path = ilastik_file(tmp_path / "a.h5", data, "zyxc")
    with pytest.raises(NeedsChoiceError):
        read_stack(path)
    stack = read_stack(path, ReadParams(channel=1), lazy=lazy)
    assert np.array_equal(np.asarray(stack.data), data[..., 1]) and stack.axes == "zyx"
    # Other orders of the axes mean the same.
    path = ilastik_file(tmp_path / "b.h5", data[..., 0].T, "xyz")
    assert np.array_equal(np.asarray(read_stack(path, lazy=lazy).data), data[..., 0])


def test_sizes_of_plantseg(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = labels()
        file["predictions"] = labels() / 2
        file["predictions"].attrs["element_size_um"] = [0.5, 0.1, 0.2]
    stack = read_stack(tmp_path / "a.h5")
    assert stack.voxel_size == (0.5, 0.1, 0.2) and stack.data.max() == 1


def test_several_images_and_none_are_told(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["one"], file["inner/two"] = labels(), labels()
        file["text"] = "no image"
    with pytest.raises(InputError, match="inner/two, one"):
        read_stack(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["text"] = "no image"
    with pytest.raises(InputError, match="no image"):
        read_stack(tmp_path / "b.h5")


def test_no_other_file_is_opened(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(range(200)))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["exported_data"] = labels()
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["exported_data"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "exported_data")
        file["predictions"] = h5py.SoftLink("/exported_data")
    with pytest.raises(InputError, match="no image"):
        read_stack(tmp_path / "link.h5")
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file.create_dataset(
            "exported_data", (10, 20), np.uint8, external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
        )
    with pytest.raises(InputError, match="other files"):
        read_stack(tmp_path / "raw.h5")
    layout = h5py.VirtualLayout((3, 24, 30), np.uint16)
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "exported_data", (3, 24, 30))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("exported_data", layout)
    with pytest.raises(InputError, match="other files"):
        read_stack(tmp_path / "virtual.h5")


def test_pickles_of_old_protocols(tmp_path):
    path = tmp_path / "a_seg.npy"
    content = np.array({"masks": labels()}, object)
    for protocol in (2, 3, 4, 5):
        with path.open("wb") as file:
            header = {"descr": "|O", "fortran_order": False, "shape": ()}
            np.lib.format.write_array_header_1_0(file, header)
            pickle.dump(content, file, protocol=protocol)
        assert np.array_equal(read_image(path).data, labels())


def test_arrays_beside_all_that_cellpose_writes_are_as_numpy_reads_them():
    """Big-endian and Fortran arrays too, in every protocol; lists and numbers are passed over."""
    content = {
        "masks": labels(),
        "columns": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "big": np.arange(5, dtype=">i4"),
        "flags": np.array([True, False]),
        "texts": np.array(["a", "bc"]),
        "diameter": np.float64(30),
        "channels": [0, np.int64(2), (1, None)],
        "flows": [np.zeros((2, 3), np.float32), []],
        "lists": np.array([[1, 2], [3]], object),
    }
    for protocol in (2, 3, 4, 5):
        packed = io.BytesIO(pickle.dumps(np.array(content, object), protocol=protocol))
        found = load_arrays(packed)
        assert list(found) == ["masks", "columns", "big", "flags", "texts"]
        for name, array in found.items():
            assert array.dtype == content[name].dtype and np.array_equal(array, content[name])


def test_lists_that_hold_each_other_are_not_unfolded(tmp_path):
    """60 lists of two, each the one before twice: as a tree they would have 2 to the 60 leaves."""
    nested = []
    for _ in range(60):
        nested = [nested, nested]
    circle = []
    circle.append(circle)
    path = seg_file(tmp_path / "a_seg.npy", flows=nested, more=circle)
    assert np.array_equal(read_image(path).data, labels())


def test_a_changed_type_in_a_pickle_does_not_change_those_of_numpy(tmp_path):
    """NumPy's own `dtype.__setstate__` would mark uint16 itself, and no array could be copied."""
    path = seg_file(tmp_path / "a_seg.npy")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(3000):
        spoilt = bytearray(whole)
        # In the first bytes are the types; most of the others are pixels.
        for at in rng.integers(80, 700, int(rng.integers(1, 4))):
            spoilt[at] = rng.integers(256)
        path.write_bytes(spoilt)
        with contextlib.suppress(InputError):
            read_image(path)
    for kind in "?bBhHiIlLqQefd":
        assert not np.dtype(kind).hasobject
        assert np.array_equal(np.ones(3, kind).copy(), np.ones(3, kind))


def test_a_pickle_that_claims_more_than_there_is_takes_no_memory(tmp_path):
    path = tmp_path / "a_seg.npy"
    far = b"N" + b"r" + b"\xff" * 4 + b"."  # None, noted in place 4,294,967,295
    size = (1 << 40).to_bytes(8, "little")
    for claim in (b"\x96" + size, b"\x8e" + size, far):  # a bytearray, bytes
        with path.open("wb") as file:
            header = {"descr": "|O", "fortran_order": False, "shape": ()}
            np.lib.format.write_array_header_1_0(file, header)
            file.write(b"\x80\x05" + claim + b"abc.")
        tracemalloc.start()
        with pytest.raises(InputError, match="damaged"):
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 1e7
        tracemalloc.stop()


def test_a_header_that_claims_to_be_long_takes_no_memory(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x02\x00" + (3 << 30).to_bytes(4, "little") + b"{'descr': '|u1'}")
    tracemalloc.start()
    with pytest.raises(InputError, match="damaged"):
        read_image(path)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()
