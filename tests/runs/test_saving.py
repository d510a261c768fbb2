"""Results are written as a step, which can be watched and stopped."""

import contextlib
import time

import numpy as np
import pytest

from napari_copnet.errors import OutputError
from napari_copnet.lazy_array import LazyArray
from napari_copnet.progress import finish
from napari_copnet.restored import Restored
from napari_copnet.runs import saving as module
from napari_copnet.runs.saving import saving

SHAPE = (6, 8, 8)


def restored(plane):
    return Restored(
        LazyArray(SHAPE, np.float32, plane),
        LazyArray(SHAPE, np.uint8, plane),
        LazyArray(SHAPE, np.uint32, plane),
    )


@pytest.fixture
def save_run(monkeypatch):
    """Stands in for `run_record.save_run`: reads what is to be written, slice by slice."""

    def fake(result, restored, settings, out, format, outputs, read, contours):
        seen = {name: [int(image.max()) for image in getattr(restored, name)] for name in outputs}
        (out / "run.json").write_text("{}")
        return seen

    monkeypatch.setattr(module, "save_run", fake)


def test_progress_counts_the_slices_of_all_images(save_run, tmp_path):
    def plane(z):
        time.sleep(0.03)
        return np.full(SHAPE[1:], z)

    work = saving(None, restored(plane), None, tmp_path, "tiff", ("closed", "cells"))
    news = []
    with contextlib.suppress(StopIteration):
        while True:
            news.append(next(work))
    done = [progress.done for progress in news]
    assert {(p.step, p.total, p.unit) for p in news} == {("write", 12, "slices")}
    assert done == sorted(done) and done[-1] == 12 and len(set(done)) > 2


def test_a_stopped_one_reads_no_further_slice(save_run, tmp_path):
    read = []

    def plane(z):
        read.append(z)
        time.sleep(0.05)
        return np.zeros(SHAPE[1:])

    work = saving(None, restored(plane), None, tmp_path, "tiff", ("closed", "cells"))
    next(work)
    next(work)
    work.close()
    count = len(read)
    assert 0 < count < 12
    time.sleep(0.2)
    assert len(read) == count and not (tmp_path / "run.json").exists()


def test_what_goes_wrong_is_raised_where_it_was_asked_for(monkeypatch, tmp_path):
    def full(*_):
        raise OutputError("There is no space.", "Free some.")

    monkeypatch.setattr(module, "save_run", full)
    with pytest.raises(OutputError, match="no space"):
        finish(saving(None, restored(np.zeros), None, tmp_path))
