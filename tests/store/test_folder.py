"""What a store in a folder keeps, and what it never touches."""

import numpy as np
import pytest

from napari_copnet.errors import CopnetError, OutputError
from napari_copnet.progress import Progress, finish
from napari_copnet.store.blocks import block_length, blocks_of, once, over_blocks
from napari_copnet.store.folder import FolderStage, FolderStore, is_store
from napari_copnet.store.memory import MemoryStage, MemoryStore


def doubled(block, arrays):
    """Write twice a slice, and return its sum."""
    source, target = arrays
    sums = []
    for index, z in enumerate(block):
        target[z] = 2 * np.asarray(source[z])
        sums.append(int(np.asarray(source[z]).sum()))
        yield Progress("double", index + 1, len(block), "slices")
    return {"sums": np.array(sums)}


@pytest.fixture
def stage(tmp_path):
    return FolderStage(tmp_path / "step", "a key")


def filled(stage, depth=5):
    source = stage.array("source", (depth, 2, 3), np.float32)
    for z in range(depth):
        source[z] = np.full((2, 3), z, np.float32)
    return source, stage.array("target", (depth, 2, 3), np.float32)


def test_arrays_and_values_are_there_for_the_next_process(stage):
    finish(over_blocks(stage, "double", doubled, blocks_of(range(5), 2), filled(stage), "double"))
    again = FolderStage(stage.folder, "a key")
    target = again.array("target", (5, 2, 3), np.float32)
    np.testing.assert_array_equal(target[3], np.full((2, 3), 6, np.float32))
    assert not again.worked
    values = finish(over_blocks(again, "double", None, blocks_of(range(5), 2), None, "double"))
    assert [one["sums"].tolist() for one in values] == [[0, 6], [12, 18], [24]]
    assert not again.worked


def test_only_the_blocks_that_are_missing_are_done(stage):
    arrays, blocks, done = filled(stage), blocks_of(range(5), 2), []

    def noted(block, shared):
        done.append(block)
        return (yield from doubled(block, shared))

    work = over_blocks(stage, "double", noted, blocks, arrays, "double")
    # Stopped in the second block.
    while len(done) < 2:
        next(work)
    work.close()
    seen = []
    values = finish(over_blocks(stage, "double", noted, blocks, arrays, "double"), seen.append)
    assert done == [(0, 1), (2, 3), (2, 3), (4,)]
    assert [one["sums"].tolist() for one in values] == [[0, 6], [12, 18], [24]]
    assert [step.done for step in seen] == [2, 3, 4, 5]
    assert {step.total for step in seen} == {5}


def test_another_key_begins_anew(stage):
    arrays = filled(stage)
    finish(over_blocks(stage, "double", doubled, [(0,)], arrays, "double"))
    other = FolderStage(stage.folder, "another key")
    assert other.recalled("double", "0-0-whatever") is None
    assert not np.asarray(other.array("source", (5, 2, 3), np.float32)[4]).any()


def test_a_damaged_record_counts_as_missing(stage):
    finish(over_blocks(stage, "double", doubled, [(0,)], filled(stage), "double"))
    (record,) = (stage.folder / "done" / "double").glob("*.npz")
    record.write_bytes(record.read_bytes()[:40])
    values = finish(over_blocks(stage, "double", doubled, [(0,)], filled(stage), "double"))
    assert values[0]["sums"].tolist() == [0] and stage.worked


def test_what_is_done_once_is_recalled(stage):
    def measure():
        yield Progress("measure", 1, 1)
        return {"value": np.array(7)}

    assert finish(once(stage, "measure", measure()))["value"] == 7
    again = FolderStage(stage.folder, "a key")

    def never():
        raise AssertionError
        yield

    assert finish(once(again, "measure", never()))["value"] == 7


def test_a_folder_with_files_of_others_is_refused_and_kept(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="did not write"):
        FolderStore(tmp_path)
    store = FolderStore(tmp_path / "work")
    filled(store.stage("contours", "key"))
    assert is_store(store.folder)
    (store.folder / "contours" / "notes.txt").write_text("mine")
    with store.alone():
        store.clear()
    assert (store.folder / "contours" / "notes.txt").exists()
    (store.folder / "contours" / "notes.txt").unlink()
    with store.alone():
        store.clear()
    assert not store.folder.exists() and tmp_path.exists()


def test_dropped_arrays_are_gone(stage):
    filled(stage)
    stage.drop("source", "no such array")
    assert not np.asarray(stage.array("source", (5, 2, 3), np.float32)[4]).any()


def test_memory_keeps_a_finished_step_under_its_key():
    store = MemoryStore()
    stage = store.stage("cells", "a")
    stage.value = "result"
    assert store.stage("cells", "a").value == "result"
    assert store.stage("cells", "b").value is None
    assert store.stage("cells", "a").value is None
    assert isinstance(stage.array("x", (1, 2, 2), np.uint8), np.ndarray)
    assert MemoryStage().recalled("phase", "block") is None


def test_blocks_are_short_where_slices_are_large():
    assert block_length((512, 512)) == 8
    assert block_length((1024, 1024)) < 8
    assert block_length((6000, 6000)) == 1
    assert blocks_of([5, 3, 4], 2) == [(5, 3), (4,)]
    assert blocks_of([], 2) == []


def test_only_one_run_works_in_a_folder(tmp_path):
    store = FolderStore(tmp_path / "store")
    with store.alone():
        filled(store.stage("contours", "key"))
        with pytest.raises(CopnetError, match="Another run"), FolderStore(store.folder).alone():
            raise AssertionError
    with FolderStore(store.folder).alone():
        assert is_store(store.folder)


def test_a_damaged_chunk_is_told(tmp_path):
    store = FolderStore(tmp_path / "out" / "store")
    with store.alone():
        array = store.stage("step", "key").array("made", (2, 8, 8), np.uint8)
        array[:] = np.arange(128, dtype=np.uint8).reshape(2, 8, 8)
    chunk = next(path for path in store.folder.rglob("c/1/0/0"))
    chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(CopnetError, match="is damaged"), store.alone():
        np.asarray(store.stage("step", "key").array("made", (2, 8, 8), np.uint8)[1])
    with pytest.raises(ZeroDivisionError), store.alone():
        _ = 1 / 0


def test_what_a_killed_run_was_writing_is_removed_by_the_next(tmp_path):
    from napari_copnet.leftovers import in_work

    store = FolderStore(tmp_path / "store")
    with store.alone():
        store.stage("step", "key").keep("phase", "0-1", {"sums": np.arange(2)})
    dead = in_work("writing").rsplit("-", 2)[0] + "-4194304-0123.npz"
    left = [store.folder / "step" / "done" / "phase" / dead, store.folder / "step" / dead]
    for path in left:
        path.touch()
    with store.alone():
        assert not any(path.exists() for path in left)
