"""Tables, exports, repeated runs and carried contours: the user's files stay, bad ones are told."""

import json
import os
import shutil
import sqlite3
import zipfile
from contextlib import closing

import numpy as np
import pytest
import tifffile
import trust_inputs
from test_damaged_records import spoilt_texts, spoilt_values
from trust_inputs import DarkNetwork, contour_of, write_run

from napari_copnet.errors import CopnetError, InputError, OutputError
from napari_copnet.export.export import export_files
from napari_copnet.io.read import read_stack
from napari_copnet.measures.files import measure_files
from napari_copnet.params import ReadParams
from napari_copnet.progress import finish
from napari_copnet.proofreading.session import Session
from napari_copnet.runs.known_files import is_intact
from napari_copnet.runs.rerun import plan_of, rerun
from napari_copnet.store.folder import FolderStage, FolderStore
from napari_copnet.teaching.carrying.carried import (
    CarriedSlice,
    DoubtfulCell,
    read_carried,
    write_carried,
)
from napari_copnet.teaching.project import Project

unix = pytest.mark.skipif(os.name == "nt", reason="there are no pipes among files")


@pytest.fixture
def cells(tmp_path):
    write_run(tmp_path / "cells", 0, ("contours", "closed", "cells"))
    return tmp_path / "cells"


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    trust_inputs.write_whole_run(folder / "run", trust_inputs.write_stack(folder / "stack.tif"))
    return folder / "run"


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_tables_that_were_edited_by_hand_stay(tmp_path, cells):
    out = tmp_path / "tables"
    finish(measure_files(cells, out, formats=("csv",)))
    finish(measure_files(cells, out, formats=("csv",)))
    with (out / "slices.csv").open("a") as file:
        file.write("my notes\n")
    before = contents(out)
    with pytest.raises(OutputError, match=r"slices\.csv already exists, and was changed since"):
        finish(measure_files(cells, out, formats=("csv",)))
    assert contents(out) == before


def test_tables_in_a_folder_are_of_one_measuring(tmp_path, cells):
    out = tmp_path / "tables"
    finish(measure_files(cells, out))
    assert (out / "slices.parquet").exists()
    (out / "notes.txt").write_text("mine")
    finish(measure_files(cells, out, formats=("csv",)))
    assert {p.suffix for p in out.iterdir()} == {".csv", ".json", ".txt"}


@pytest.mark.parametrize("format", ["rois", "labels16", "ome-zarr"])
def test_files_that_look_like_exports_stay(tmp_path, cells, format):
    out = tmp_path / "out"
    out.mkdir()
    tifffile.imwrite(out / "cells16.tif", np.ones((2, 3), np.uint16))
    with zipfile.ZipFile(out / "rois.zip", "w") as archive:
        archive.writestr("000001-0001.roi", b"mine")
    shutil.copytree(cells, out / "labels.ome.zarr")
    before = contents(out)
    with pytest.raises(OutputError, match="did not write it"):
        finish(export_files(cells, out, [format]))
    assert contents(out) == before


def test_exports_to_other_formats_stay(tmp_path, cells):
    out = tmp_path / "out"
    for formats in (["rois"], ["labels16", "ome-zarr"], ["rois"]):
        finish(export_files(cells, out, formats))
    names = {"rois.zip", "cells16.tif", "labels.ome.zarr"}
    assert {p.name for p in out.iterdir()} == names | {"export.json"}
    record = json.loads((out / "export.json").read_text())
    assert set(record["hashes"]) == names
    assert all(is_intact(out / name, record) for name in names)


# Repeated runs ---------------------------------------------------------------


def test_a_repeated_run_replaces_no_file_of_others(tmp_path, whole_run):
    for name in ("rerun.json", "closed.tif"):
        out = tmp_path / name
        out.mkdir()
        (out / name).write_text("{}")
        with pytest.raises(OutputError, match="did not write it"):
            finish(rerun(plan_of(whole_run), out, load=DarkNetwork))
        assert [p.name for p in out.iterdir()] == [name]


def test_records_of_runs_to_repeat_are_not_trusted(tmp_path, whole_run):
    folder = shutil.copytree(whole_run, tmp_path / "run")
    stack = whole_run.parent / "stack.tif"
    path, told = folder / "run.json", 0
    text = path.read_text()
    values = json.loads(text)
    # each has its models and its stack looked up: every third is enough
    spoilt = [json.dumps(v).encode() for v in spoilt_values(values, few=True)][::3]
    for data in [*spoilt_texts(text), *spoilt]:
        path.write_bytes(data)
        try:
            plan_of(path, stack)
        except CopnetError:
            told += 1
    assert told > 50
    path.write_text(text)
    assert plan_of(path, stack).stack == stack


@unix
def test_a_run_to_repeat_names_no_pipe_or_device(tmp_path, whole_run):
    folder = shutil.copytree(whole_run, tmp_path / "run")
    record = json.loads((folder / "run.json").read_text())
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", str(tmp_path / "pipe")):
        record["inputs"]["stack"]["path"] = path
        (folder / "run.json").write_text(json.dumps(record))
        with pytest.raises(InputError, match="can't be found"):
            plan_of(folder)
    with pytest.raises(InputError, match="not a plain file"):
        plan_of(tmp_path / "pipe")


def test_a_store_killed_while_an_array_was_made_can_be_used_again(tmp_path):
    stage = FolderStage(tmp_path / "store" / "step", "a key")
    stage.array("made", (2, 8, 8), np.uint8)
    partial = tmp_path / "store/step/arrays/made/zarr.2d33e39bf7f14b459d6c642d80c9bd8c.partial"
    partial.write_bytes(b"{")
    with FolderStore(tmp_path / "store").alone():
        assert not partial.exists()


# Sessions and projects -------------------------------------------------------


def test_the_runs_of_a_session_are_of_the_form_that_is_read(session_folder):
    path = session_folder / "session.json"
    text = path.read_text()
    for wrong in (
        [],
        [{"settings": []}],
        [{"settings": {"preprocess": {"size": "large"}}}],
        [{"iterations_by_slice": ["a", "b"]}],
        [{"models": []}],
        [{"frame": {"shifts": 1}}],
    ):
        path.write_text(json.dumps({**json.loads(text), "runs": wrong}))
        with pytest.raises(InputError, match="runs"):
            Session.open(session_folder, read_only=True)


def carried():
    contour = contour_of()[0] > 0
    return CarriedSlice(0, (1,), contour, contour, (DoubtfulCell(1, 2, 0.5, 9),), 3)


def test_a_carried_slice_that_is_damaged_counts_as_none(tmp_path):
    path, whole = tmp_path / "carried-0000.npz", carried()
    write_carried(path, whole, "print")
    data = path.read_bytes()
    assert read_carried(path, 0, whole.contour.shape)[0].doubtful == whole.doubtful
    rng = np.random.default_rng(0)
    told = 0
    for number in range(300):
        spoilt = bytearray(data[: int(rng.integers(len(data)))] if number % 3 else data)
        for at in rng.integers(0, max(len(spoilt), 1), 3):
            spoilt[at : at + 1] = rng.bytes(1)
        path.write_bytes(spoilt)
        try:
            read_carried(path, 0, whole.contour.shape)
        except InputError:
            told += 1
    assert told > 200


@pytest.mark.parametrize(
    "change",
    [
        {"about": np.array("[]")},
        {"about": np.array('{"format": 1, "print": 1, "sources": [], "cells": 1}')},
        {"about": np.array('{"format": 1, "print": "", "sources": ["a"], "cells": 1}')},
        {"doubtful": np.array([[1e9, 1, 0.5, 9]])},
        {"doubtful": np.array([[np.inf, 1, 0.5, 9]])},
        {"known": np.zeros(100 << 20, np.uint8)},
    ],
    ids=["list", "print", "sources", "outside", "infinite", "large"],
)
def test_a_carried_slice_that_nobody_carried_is_refused(tmp_path, change):
    path, whole = tmp_path / "carried-0000.npz", carried()
    write_carried(path, whole, "print")
    with np.load(path) as file:
        parts = dict(file)
    np.savez_compressed(path, **{**parts, **change})
    with pytest.raises(InputError, match="can't be read"):
        read_carried(path, 0, whole.contour.shape)


def test_a_project_with_a_damaged_carried_slice_opens(session_folder):
    with Project.open(session_folder) as project:
        assert project.take_carried(carried())
    path = session_folder / "annotation" / "carried-0000.npz"
    path.write_bytes(path.read_bytes()[:-30])
    with Project.open(session_folder) as project:
        assert project.carried(0) is None and project.doubts(0) == []


# Found by changing bytes -----------------------------------------------------


def test_damaged_headers_of_numpy_are_told(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((2, 8, 8), np.uint8))
    path.write_bytes(path.read_bytes().replace(b"}", b"{"))
    with pytest.raises(InputError, match="damaged"):
        read_stack(path)


def test_damaged_text_of_an_edit_is_told(tmp_path, run):
    folder = trust_inputs.write_session(tmp_path / "edited", run, 3)
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database:
        database.execute("UPDATE steps SET text = CAST(x'ff41' AS TEXT) WHERE id = 2")
        database.commit()
    with pytest.raises(InputError, match="can't be read"), Session.open(folder) as session:
        [session.history[n] for n in range(len(session.history))]


# What is no plain run or label image ------------------------------------------


def test_a_damaged_run_is_not_taken_for_a_folder_of_slices(tmp_path):
    """A run of one slice: its results would be three slices of a stack."""
    run = tmp_path / "run"
    run.mkdir()
    for number, name in enumerate(("closed", "cells", "padding")):
        labels = np.arange(144, dtype=np.uint8).reshape(12, 12) // 12 + number
        tifffile.imwrite(run / f"{name}.tif", labels)
    for record in ("{", json.dumps({"command": "run", "unfinished": True})):
        (run / "run.json").write_text(record)
        with pytest.raises(InputError, match=r"JSON|two runs"):
            finish(measure_files(run, tmp_path / "tables"))
        with pytest.raises(InputError, match=r"JSON|two runs"):
            finish(export_files(run, tmp_path / "out", ["rois"]))


def test_labels_saved_as_floats_are_exported(tmp_path):
    labels = np.kron([[0, 7], [70000, 5]], np.ones((6, 6)))[None]
    for kind in ("float32", "uint32"):
        tifffile.imwrite(tmp_path / f"{kind}.tif", labels.astype(kind))
        finish(export_files(tmp_path / f"{kind}.tif", tmp_path / kind, ["rois", "labels16"]))
    first, second = (tifffile.imread(tmp_path / k / "cells16.tif") for k in ("float32", "uint32"))
    np.testing.assert_array_equal(first, second)
    with zipfile.ZipFile(tmp_path / "float32" / "rois.zip") as archive:
        assert "070000-0001.roi" in archive.namelist()


def test_labels_that_would_be_mixed_up_are_refused(tmp_path):
    """In 32 bits, 2³² + 5 is 5."""
    labels = np.kron([[0, 7], [(1 << 32) + 5, 5]], np.ones((6, 6))).astype(np.uint64)[None]
    np.save(tmp_path / "labels.npy", labels)
    with pytest.raises(InputError, match="more than 32 bits"):
        finish(measure_files(tmp_path / "labels.npy", tmp_path / "tables"))


def test_a_format_that_is_named_twice_is_written_once(tmp_path, cells):
    record = finish(export_files(cells, tmp_path / "out", ["labels16", "labels16", "rois"]))
    assert set(record["files"]) == {"labels16", "rois"}
    read = ReadParams(voxel_size="1,1,1")
    labels = np.kron(np.arange(1, 5).reshape(2, 2), np.ones((4, 6, 6))).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", labels, photometric="minisblack")
    finish(export_files(tmp_path / "a.tif", tmp_path / "meshes", ["ply", "ply"], read))


@unix
def test_an_out_that_is_a_link_to_nothing_is_told_before_work_begins(tmp_path, cells):
    for target in ("nowhere", "loop"):
        (tmp_path / "loop").unlink(missing_ok=True)
        (tmp_path / "loop").symlink_to(target)
        with pytest.raises(OutputError, match="a folder is needed"):
            next(measure_files(cells, tmp_path / "loop"))
        with pytest.raises(OutputError, match="a folder is needed"):
            next(export_files(cells, tmp_path / "loop", ["rois"]))
