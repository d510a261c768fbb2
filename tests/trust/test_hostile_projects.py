"""Projects, trainings and records of runs from elsewhere, which may be damaged or made to harm."""

import contextlib
import json
import os
import shutil
import zipfile

import numpy as np
import pytest
import tifffile
import trust_inputs
from test_damaged_records import spoilt_texts, spoilt_values
from trust_inputs import DarkNetwork, contour_of

from napari_copnet.errors import CopnetError, InputError, OutputError
from napari_copnet.progress import finish
from napari_copnet.proofreading.session import Session
from napari_copnet.runs import rerun as rerun_module
from napari_copnet.runs.rerun import plan_of, rerun
from napari_copnet.teaching import loop
from napari_copnet.teaching.loop_state import Point, read_points, write_points
from napari_copnet.teaching.prefilled import PrefilledSlice, read_prefilled, write_prefilled
from napari_copnet.teaching.project import Project
from napari_copnet.training import fit
from napari_copnet.training.losses import read_losses
from napari_copnet.training.work import check_work_folder

unix = pytest.mark.skipif(os.name == "nt", reason="there are no pipes among files")


def prefilled():
    return PrefilledSlice(0, "a" * 64, contour_of()[0] > 0)


def test_a_prefilled_slice_that_is_damaged_counts_as_none(tmp_path):
    path, whole = tmp_path / "prefilled-0000.npz", prefilled()
    write_prefilled(path, whole, "print")
    data, rng, told = path.read_bytes(), np.random.default_rng(0), 0
    for number in range(300):
        spoilt = bytearray(data[: int(rng.integers(len(data)))] if number % 3 else data)
        for at in rng.integers(0, max(len(spoilt), 1), 3):
            spoilt[at : at + 1] = rng.bytes(1)
        path.write_bytes(spoilt)
        try:
            read_prefilled(path, 0, whole.contour.shape)
        except InputError:
            told += 1
    assert told > 200


def test_a_prefilled_slice_does_not_explode(tmp_path):
    path, whole = tmp_path / "prefilled-0000.npz", prefilled()
    write_prefilled(path, whole, "print")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more.npy", bytes(100 << 20))
    with pytest.raises(InputError, match="can't be read"):
        read_prefilled(path, 0, whole.contour.shape)


@unix
def test_a_pipe_in_place_of_a_slice_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "prefilled-0000.npz")
    with pytest.raises(InputError, match="plain file"):
        read_prefilled(tmp_path / "prefilled-0000.npz", 0, (4, 4))


def test_a_damaged_curve_is_told_and_one_of_a_newer_version_stays(tmp_path):
    write_points(tmp_path, [Point(1, 2, "model", "b" * 64, 0.5, None)])
    path = tmp_path / "loop.json"
    text = path.read_text()
    spoilt = [json.dumps(value).encode() for value in spoilt_values(json.loads(text), few=True)]
    for data in [*spoilt_texts(text), *spoilt]:
        path.write_bytes(data)
        with contextlib.suppress(InputError):
            read_points(tmp_path)
    path.write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(InputError, match="newer version"):
        read_points(tmp_path)


def test_rounds_that_lie_elsewhere_are_not_trained_or_removed(session_folder, tmp_path):
    (session_folder / "annotation").mkdir(exist_ok=True)
    (tmp_path / "models").mkdir()
    (session_folder / "annotation" / "rounds").symlink_to(tmp_path / "models")
    with pytest.raises(InputError, match="is a link"):
        Project.open(session_folder)


def test_the_loop_does_not_write_into_a_project_that_is_open_elsewhere(session_folder):
    with Session.open(session_folder), Project.open(session_folder) as second:
        assert second.session.read_only
        for work in (loop.advance(second), loop.measure(second, [0]), loop.train_round(second)):
            with pytest.raises(CopnetError, match="open in another window"):
                finish(work)
    assert not (session_folder / "annotation" / "loop.json").exists()


@pytest.mark.parametrize("name", ["../../elsewhere", "/elsewhere", "a" * 400, "..", "a\0b"])
def test_an_export_stays_in_the_folder_that_was_chosen(tmp_path, name):
    """The name of a stack is that which a session from elsewhere gives it."""
    from napari_copnet.gui.stages.export_panel import _free

    (tmp_path / "notes.txt").write_text("mine")
    out = _free(tmp_path, name)
    out.mkdir()
    assert out.resolve().parent == tmp_path.resolve()


# Trainings -------------------------------------------------------------------


@pytest.fixture
def work(tmp_path):
    """The folder of a training that was stopped."""
    folder = tmp_path / "model.training"
    folder.mkdir()
    (folder / "finetune.json").write_text("{}")
    check_work_folder(folder)
    return folder


@pytest.mark.parametrize("name", ["log.txt", "lock", "progress.jsonl", "losses.csv", "stop"])
def test_a_training_does_not_write_into_what_its_folder_links_to(tmp_path, work, name):
    (tmp_path / "thesis.txt").write_text("years of work")
    (work / name).symlink_to(tmp_path / "thesis.txt")
    with pytest.raises(OutputError, match="is a link"):
        check_work_folder(work)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@unix
def test_pipes_in_the_folder_of_a_training(tmp_path, work):
    os.mkfifo(work / "losses.csv")
    assert read_losses(tmp_path / "model") == []
    with pytest.raises(OutputError, match="no plain file"):
        check_work_folder(work)


def test_what_a_damaged_training_trains_on_is_told():
    whole = {
        "sources": [
            {"type": "Source", "truth": "a.tif", "planes": []},
            {"type": "SyntheticTissue", "params": None},
        ]
    }
    assert len(fit._sources_of(whole)) == 2
    told = 0
    for values in spoilt_values(whole):
        try:
            fit._sources_of(values)
        except InputError as error:
            told += "damaged" in error.message
    assert told > 20


# Runs to be repeated ---------------------------------------------------------


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    trust_inputs.write_whole_run(folder / "run", trust_inputs.write_stack(folder / "stack.tif"))
    return folder / "run"


def test_a_folder_that_is_no_image_is_not_read_from_end_to_end(tmp_path, whole_run, monkeypatch):
    folder = shutil.copytree(whole_run, tmp_path / "run")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    record = json.loads((folder / "run.json").read_text())
    record["inputs"]["stack"]["path"] = str(tmp_path / "home")
    (folder / "run.json").write_text(json.dumps(record))
    hashed = []
    monkeypatch.setattr(rerun_module, "sha256", lambda path: hashed.append(path) or "")
    with pytest.raises(InputError, match="holds no images"):
        plan_of(folder)
    assert hashed == []


def test_damaged_results_before_do_not_take_those_repeated(tmp_path, whole_run):
    folder = shutil.copytree(whole_run, tmp_path / "run")
    with tifffile.TiffFile(folder / "closed.tif") as tif:
        places = [page.dataoffsets[0] for page in tif.pages]
    data = bytearray((folder / "closed.tif").read_bytes())
    for at in places:
        data[at : at + 20] = bytes(20)
    (folder / "closed.tif").write_bytes(data)
    report = finish(rerun(plan_of(folder), tmp_path / "again", load=DarkNetwork))
    assert report["results"]["contours"] == 0 and report["results"]["closed"] != 0
    assert (tmp_path / "again" / "rerun.json").exists()
