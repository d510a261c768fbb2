"""What earlier versions wrote still opens, as they left it; what newer ones wrote is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_copnet.errors import InputError
from napari_copnet.measures.files import measure_files
from napari_copnet.networks.package import load_package
from napari_copnet.progress import finish
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.recover import recover
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import from_run_folder
from napari_copnet.teaching.project import Project

CORPUS = Path(__file__).parents[1] / "corpus"
VERSIONS = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())


@pytest.fixture(params=VERSIONS)
def made(request, tmp_path):
    return shutil.copytree(CORPUS / request.param, tmp_path / request.param)


def told(folder):
    return json.loads((folder / "expected.json").read_text())


def state(session):
    contour = np.stack([np.asarray(session.contour[z]) > 0 for z in range(session.shape[0])])
    return {
        "position": session.history.position,
        "edits": len(session.history),
        "contour_sum": int(contour.sum()),
        "cells": [len(np.unique(session.cells(z))) - 1 for z in range(session.shape[0])],
    }


def test_the_corpus_is_small_and_of_every_format():
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert len(VERSIONS) >= 2 and sum(path.stat().st_size for path in files) < 300_000
    formats = {json.loads(p.read_text())["format"] for p in CORPUS.glob("*/session/session.json")}
    assert formats == {1, 2}


def test_a_session_opens_as_it_was_left(made):
    expected = told(made)
    with Session.open(made / "session", read_only=True) as session:
        assert state(session).items() <= expected.items()
        assert session.image.shape == session.shape
    with Project.open(made / "session") as project:
        assert [project.state(z) for z in range(2)] == expected["states"]
        assert int(np.asarray(project.reviewed(1)).sum()) == expected["reviewed"]


def test_a_session_can_be_edited_on(made):
    mask = np.zeros((48, 56), bool)
    mask[5, 5:9] = True
    with Session.open(made / "session") as session:
        session.redo()
        session.undo()
        before = state(session)
        session.apply(Edit("line", (Flip("contour", Patch.of(0, mask)),)))
        session.snapshot()
    with Session.open(made / "session") as session:
        assert session.history.position == before["position"] + 1
        session.undo()
        assert state(session)["contour_sum"] == before["contour_sum"]


def test_a_session_without_its_snapshot_is_recovered(made):
    (made / "session/snapshot.npz").write_bytes(b"damaged")
    recover(made / "session")
    with Session.open(made / "session") as session:
        assert state(session)["contour_sum"] == told(made)["contour_sum"]


def test_a_run_opens_and_is_measured(made, tmp_path):
    start = from_run_folder(made / "run")
    assert start.contour.shape == (2, 48, 56) and start.record["command"] == "run"
    record = finish(measure_files(made / "run", tmp_path / "tables"))
    assert record["slice_cells"] > 10
    with Session.create(tmp_path / "anew", start) as session:
        assert session.cell_count(0) == told(made)["cells"][0]


def test_a_model_loads(made):
    package = load_package(made / "model")
    assert package.name == "small" and len(package.weights()) > 4


def test_what_newer_versions_wrote_is_refused(made):
    for name, read in (
        ("session.json", Session.open),
        ("annotation/annotation.json", Project.open),
    ):
        path = made / "session" / name
        text = path.read_text()
        path.write_text(json.dumps({**json.loads(text), "format": 99}))
        with pytest.raises(InputError, match="newer version"):
            read(made / "session")
        path.write_text(text)
