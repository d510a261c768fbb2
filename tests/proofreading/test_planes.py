"""Slices kept packed are those of a plain array, however few are in memory."""

import threading
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_copnet.errors import InputError
from napari_copnet.proofreading.planes import Planes, pack, unpack
from napari_copnet.proofreading.slice_cache import SliceCache
from napari_copnet.proofreading.slice_ids import SliceIds
from napari_copnet.proofreading.stored_array import StoredArray

SHAPE = (5, 4, 7)


def array(seed=0, is_mask=True):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2 if is_mask else 8, SHAPE).astype(np.uint8)


@pytest.fixture
def few(monkeypatch):
    """Two slices in memory."""
    monkeypatch.setattr("napari_copnet.proofreading.planes.slices_in", lambda *_, **__: 2)
    monkeypatch.setattr("napari_copnet.proofreading.slice_ids._AT_HAND", 2)


@pytest.mark.parametrize("is_mask", [True, False])
def test_changed_slices_are_kept_when_others_are_looked_at(few, is_mask):
    expected = array(is_mask=is_mask)
    planes = Planes.of(expected.copy(), is_mask=is_mask)
    for z in (0, 3, 1, 4, 0):
        planes.change(z)[1, 2:5] ^= 1
        expected[z, 1, 2:5] ^= 1
        assert np.array_equal(planes, expected)
        assert len(planes._cache._values) <= 2
    assert sorted(planes.changed()) == [0, 1, 3, 4]


@pytest.mark.parametrize(
    "key",
    [1, -1, (2, 3), (2, slice(1, 3), 4), slice(1, 4), (slice(None), 2), (..., 3), (slice(0, 2), 1)],
)
def test_it_is_indexed_as_an_array(key):
    assert np.array_equal(Planes.of(array())[key], array()[key])


def test_what_an_array_can_be_asked():
    planes, plain = Planes.of(array()), array()
    assert planes.shape == plain.shape and planes.any() and len(planes) == len(plain)
    assert np.array_equal(planes > 0, plain > 0) and np.array_equal(planes & 1, plain & 1)
    assert np.array_equal(planes.copy(), plain) and not Planes(SHAPE).any()
    for write in (lambda: planes.__setitem__(0, 1), lambda: planes[0].__setitem__(0, 1)):
        with pytest.raises(ValueError, match="read-only"):
            write()
    with pytest.raises(IndexError):
        planes[5]


def test_slices_taken_along_stay_what_they_were(few):
    planes, before = Planes.of(array()), array()
    planes.change(2)[:] = 1
    before[2] = 1
    still = planes.still()
    for z in range(5):
        planes.change(z)[:] = 0
    still.change(1)[:] = 1
    assert not planes.any()
    before[1] = 1
    assert np.array_equal(still, before)


def test_a_slice_is_looked_at_only_when_asked():
    read = []

    def base(z):
        read.append(z)
        return np.ones(SHAPE[1:], np.uint8)

    planes = Planes(SHAPE, base, {3: pack(np.zeros(SHAPE[1:], np.uint8))})
    assert read == [] and not planes[3].any() and planes[1].all() and planes[1].all()
    assert read == [1]


def test_whether_anything_is_set():
    marks = Planes(SHAPE, is_mask=False)
    assert not any(marks.is_set(z) for z in range(5)) and not marks._cache._values
    marks.change(1)[0, 0] = 4
    assert [z for z in range(5) if marks.is_set(z)] == [1]
    marks.change(1)[0, 0] = 0
    assert not marks.is_set(1)


def test_damaged_bytes_are_told():
    data = pack(array()[0])
    assert np.array_equal(unpack(data, SHAPE[1:]), array()[0])
    for bad in (data[:-2], data[:5] + b"x" + data[6:], zlib.compress(b"")):
        with pytest.raises((zlib.error, ValueError)):
            unpack(bad, SHAPE[1:])


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.dictionaries(st.integers(0, 27), st.integers(1, 99))),
        max_size=12,
    )
)
def test_ids_are_those_of_plain_dicts(steps):
    counts = np.array([2, 0, 1, 0, 3])
    ids = SliceIds(5, counts, np.array([0, 5, 3, 1, 2, 9]), np.arange(1, 7))
    plain = [{0: 1, 5: 2}, {}, {3: 3}, {}, {1: 4, 2: 5, 9: 6}]
    ids._cache._most = 2
    for z, new in steps:
        changed = ids.change(z)
        for seed in list(plain[z])[:1]:
            del changed[seed], plain[z][seed]
        changed.update(new)
        plain[z].update(new)
        still = ids.still()
        assert list(ids) == plain and [ids.count(z) for z in range(5)] == [*map(len, plain)]
        assert list(SliceIds(5, *ids.tables())) == plain
        ids.change(z)[77] = 1
        assert list(still) == plain
        del ids.change(z)[77]


def test_a_cache_keeps_those_used_last():
    loaded, kept = [], {}
    cache = SliceCache(lambda z: loaded.append(z) or [z], 2, kept.__setitem__)
    for z in (0, 1, 0, 2, 0):
        assert cache[z][0] == z
    assert loaded == [0, 1, 2] and 1 not in cache and cache.peek(1) is None
    cache.change(0).append("changed")
    cache[3], cache[4]
    assert kept == {0: [0, "changed"]}
    cache.drop(4)
    assert 4 not in cache


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 4, 5), (6, 9)])
def test_a_stored_array_reads_what_numpy_wrote(tmp_path, shape):
    data = np.random.default_rng(0).random(shape).astype(np.float32)
    np.save(tmp_path / "a.npy", data)
    stored = StoredArray(tmp_path / "a.npy")
    assert np.array_equal(np.asarray(stored).reshape(shape), data)
    assert np.array_equal(np.asarray(stored[-1]).reshape(shape[1:]), data[-1])
    assert np.array_equal((stored > 0.5).reshape(shape), data > 0.5)
    found = []

    def read(z):
        found.append(np.array_equal(stored[z].ravel(), data[z].ravel()))

    threads = [threading.Thread(target=read, args=(z,)) for z in 5 * [*range(shape[0])]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found) and len(found) == len(threads)


def test_a_file_that_is_no_whole_array_is_refused(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((3, 4, 5)))
    whole = path.read_bytes()
    for bad in (b"", b"nothing", whole[:-1], whole[:40]):
        path.write_bytes(bad)
        with pytest.raises(ValueError):
            StoredArray(path)


def test_a_damaged_slice_is_told():
    planes = Planes(SHAPE, changed={1: pack(array()[1])[:-3], 2: b"", 3: pack(array()[3])})
    assert np.array_equal(planes[3], array()[3])
    for z in (1, 2):
        with pytest.raises(InputError, match=f"slice {z + 1} is damaged"):
            planes[z]
