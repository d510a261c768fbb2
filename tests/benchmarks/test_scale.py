"""What the benchmark of large stacks runs on, and the picture of its memory."""

import os

import numpy as np
import pytest
import tifffile

from benchmarks.bench_scale import _a_slice
from benchmarks.child_runs import ChildRun, _most_so_far, folder_bytes, run_copnet, write_stack
from benchmarks.memory_picture import draw


def test_a_made_stack_has_slices_of_the_side_that_differ(tmp_path):
    stack = tifffile.imread(write_stack(tmp_path / "stack.tif", 3, 700))
    assert stack.shape == (3, 700, 700) and stack.dtype == np.uint8
    # Noise alone differs by 4 grey values on average; slices of tissue by more.
    assert np.abs(stack[0].astype(int) - stack[2]).mean() > 6


def test_a_run_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match="no-such-stack"):
        run_copnet(["run", tmp_path / "no-such-stack.tif", "--out", tmp_path / "out"])


def test_the_time_of_a_slice_leaves_out_the_start():
    runs = {4: ChildRun({}, 30.0, 1, []), 10: ChildRun({}, 36.0, 1, [])}
    assert _a_slice(runs) == pytest.approx(1.0)


def test_files_of_a_folder_are_counted_and_memory_is_drawn(tmp_path):
    runs = {4: ChildRun({}, 2.0, 3, [(0.0, 10**9), (1.0, 2 * 10**9)])}
    draw(runs, 6000, tmp_path / "memory.png")
    assert folder_bytes(tmp_path) == (tmp_path / "memory.png").stat().st_size > 1000


def test_a_peak_between_two_looks_is_seen():
    held = np.ones(300_000_000, np.uint8)
    del held
    assert _most_so_far(os.getpid()) >= 300_000_000
    assert _most_so_far(2**30) == 0
