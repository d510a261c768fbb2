"""A small run and a session made of it, to be damaged."""

import pytest
from small_run import write_run

from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import from_run_folder


@pytest.fixture
def run(tmp_path):
    write_run(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def session_folder(tmp_path, run):
    with Session.create(tmp_path / "session", from_run_folder(run)):
        pass
    return tmp_path / "session"
