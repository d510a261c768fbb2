"""The results in a folder are of one run, whatever was there before and whenever it was killed."""

import json
import os
import shutil

import numpy as np
import pytest
import tifffile
from trust_inputs import contour_of, killed_at, write_run

from napari_copnet.errors import InputError, OutputError
from napari_copnet.locks import only_writer
from napari_copnet.proofreading.session_start import from_run_folder
from napari_copnet.runs import generation
from napari_copnet.runs.finished_run import finished_run
from napari_copnet.runs.run_folder import read_run


def test_new_results_take_the_place_of_all_those_before(tmp_path):
    write_run(tmp_path, 0, ("contours", "closed", "iterations"))
    record = write_run(tmp_path, 1)
    assert sorted(os.listdir(tmp_path)) == ["closed.tif", "contours.tif", "run.json"]
    assert record["files"]["closed"] == str(tmp_path / "closed.tif")
    start = from_run_folder(tmp_path)
    np.testing.assert_array_equal(start.contour, contour_of(1))
    assert start.iterations is None


def test_results_of_an_equal_run_that_were_not_written_again_stay(tmp_path):
    write_run(tmp_path, 0, ("closed",))
    write_run(tmp_path, 0, ("contours",))
    assert set(read_run(tmp_path)) == {"contours", "closed", "run"}


def test_what_a_record_does_not_name_is_not_taken_in(tmp_path, run):
    tifffile.imwrite(run / "iterations.tif", np.ones((2, 2, 12, 14), np.float32))
    assert from_run_folder(run).iterations is None


@pytest.mark.parametrize("name", ["closed.tif", "run.json"])
def test_files_of_others_stay(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        generation.check_results(tmp_path, ["closed.tif"])
    with pytest.raises(OutputError, match="already exists"):
        write_run(tmp_path)
    assert (tmp_path / name).read_text() == "mine" and os.listdir(tmp_path) == [name]


def test_a_result_that_was_changed_by_hand_is_told_and_stays(run):
    mine = contour_of(5)
    tifffile.imwrite(run / "closed.tif", mine)
    with pytest.raises(InputError, match="has changed since the run wrote it"):
        from_run_folder(run)
    assert finished_run(run, "run 0", "original", "tiff", ["closed"]) is None
    with pytest.raises(OutputError, match="changed since"):
        write_run(run, 1)
    np.testing.assert_array_equal(tifffile.imread(run / "closed.tif"), mine)


def test_a_record_that_names_other_files_does_not_give_them_away(tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")
    record = {"command": "run", "files": {"closed": "thesis.docx", "cells": "/etc/passwd"}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    write_run(tmp_path)
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_copied_results_are_known_by_their_hash(tmp_path, run):
    shutil.copytree(run, tmp_path / "copy", copy_function=shutil.copyfile)
    from_run_folder(tmp_path / "copy")
    data = bytearray((tmp_path / "copy" / "closed.tif").read_bytes())
    data[-1] ^= 1
    (tmp_path / "copy" / "closed.tif").write_bytes(data)
    with pytest.raises(InputError, match="has changed since the run wrote it"):
        read_run(tmp_path / "copy")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed by fork")
def test_killed_at_any_change_of_names_a_folder_is_never_taken_for_whole(tmp_path):
    """A process ends at its n-th rename, for every n; the next run puts all right."""
    states = []
    for n in range(1, 40):
        folder = tmp_path / str(n)
        write_run(folder, 0, ("contours", "closed", "iterations"))
        ended = killed_at(n, lambda folder=folder: write_run(folder, 1))
        try:
            start = from_run_folder(folder)
            whole = [np.array_equal(start.contour, contour_of(k)) for k in (0, 1)]
            step1 = [np.array_equal(start.step1 > 0, contour_of(k) > 0) for k in (0, 1)]
            assert whole == step1 and any(whole)
            states.append(whole.index(True))
        except InputError as error:
            states.append(error.message.rpartition(" come from ")[2])
        write_run(folder, 2)
        assert sorted(os.listdir(folder)) == ["closed.tif", "contours.tif", "run.json"]
        np.testing.assert_array_equal(from_run_folder(folder).contour, contour_of(2))
        if ended:
            break
    assert ended
    assert set(states) == {0, 1, "two runs, one of which was stopped."}
    assert (
        states[0] == 0
        and states[-1] == 1
        and states.count("two runs, one of which was stopped.") >= 3
    )


def test_one_writer_at_a_time(tmp_path):
    with only_writer(tmp_path), pytest.raises(OutputError, match="Another program"):
        write_run(tmp_path)
    write_run(tmp_path)
