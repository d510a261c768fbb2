"""A small run and a session made of it, to be damaged."""

import sys
from pathlib import Path

import pytest

from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import from_run_folder

# The suites that `make trust` runs, and what they are given.
sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))


@pytest.fixture
def run(tmp_path):
    from trust_inputs import write_run

    write_run(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def session_folder(tmp_path, run):
    with Session.create(tmp_path / "session", from_run_folder(run)):
        pass
    return tmp_path / "session"
