"""What is kept comes back as it was, and only under its own key."""

import numpy as np
import pytest

from napari_copnet.cache import FolderCache, MemoryCache
from napari_copnet.types import Cells, Closing, Frame, Preprocessed, VoxelSize


def values():
    ones = np.ones((2, 3, 4))
    frame = Frame((2, 6, 8), (2, 3, 4), np.array([[0.0, 0.0], [1.0, -2.0]]))
    return [
        ones.astype(np.float32),
        Preprocessed(ones, frame, ones > 2, (1,), VoxelSize(None, 0.1, 0.2), ("A note.",)),
        Closing(ones, ones, np.array([0.1]), ones[:1, :, 0], np.array([1, 2]), ones[:, 0, 0] > 0),
        Cells(ones.astype(np.uint32), np.array([1, 1]), "slice"),
    ]


def same(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(
            same(getattr(a, n), getattr(b, n)) for n in a.__dataclass_fields__
        )
    return a == b


@pytest.mark.parametrize("make", [lambda folder: MemoryCache(), FolderCache])
def test_each_kind_of_result_comes_back_under_its_key_only(make, tmp_path):
    for value in values():
        cache = make(tmp_path / "work")
        cache.put("stage", "key", value)
        assert same(cache.get("stage", "key"), value)
        assert cache.get("stage", "other key") is None
        assert cache.get("other stage", "key") is None


def test_a_damaged_file_counts_as_absent(tmp_path):
    cache = FolderCache(tmp_path)
    cache.put("stage", "key", np.zeros(3))
    path = tmp_path / "stage.npz"
    path.write_bytes(path.read_bytes()[:40])
    assert cache.get("stage", "key") is None
