"""A program that ends with its window open: the session is saved, and nothing breaks."""

import subprocess
import sys

import pytest
from drawn_session import start

from napari_copnet.progress import finish
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.session import Session

SCRIPT = """
import sys
import napari
from benchmarks.bench_dock import until, wait
from napari_copnet.gui.commands import open_stage
from napari_copnet.proofreading.edits import Edit, Flip, Patch
import numpy as np
viewer = napari.Viewer(show=True)
for entry in ("correct", "teach", "simulation", "iterations"):
    dock = open_stage(entry, viewer)
panel = dock.panels.proofreading
panel.open(sys.argv[1])
until(lambda: panel.session is not None, 120)
until(lambda: panel.tasks.job is None, 120)
wait(0.3)
panel.session.apply(Edit("dot", (Flip("contour", Patch.of(0, np.ones((1, 1), bool), (9, 9))),)))
print("end")
"""


@pytest.mark.slow
def test_docks_shut_down_in_a_window_left_open(tmp_path):
    folder = finish(session_files.make(tmp_path / "rooms", start()))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.stdout.split() == ["end"] and done.returncode == 0, done.stderr[-2000:]
    assert "deleted" not in done.stderr and "Traceback" not in done.stderr
    with Session.open(folder) as session:
        # The snapshot that closing writes has the edit: nothing is left to be replayed.
        assert session.contour[0, 9, 9] == 1 and session._since_snapshot == 0
