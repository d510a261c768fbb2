"""Threads that make napari's first layers at once find its units whole."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys, threading
import numpy as np
from napari.layers import Image
from napari_copnet.gui.background.first_layers import load_layers
sys.setswitchinterval(1e-5)
failed = []
begin = threading.Barrier(4)
def work():
    try:
        begin.wait()
        load_layers()
        Image(np.zeros((2, 2)), units=("pixel", "micrometer"))
    except Exception as error:
        failed.append(repr(error))
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(failed)
"""


@pytest.mark.slow
def test_two_threads_begin_at_once():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.stdout.strip() == "[]" and done.returncode == 0, done.stderr[-2000:]
