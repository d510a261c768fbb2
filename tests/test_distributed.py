"""Blocks on other processes: the same results, errors in words, and no worker that is missed."""

import os
import signal

import numpy as np
import pytest

from napari_copnet.distributed import StackOnDisk, local_workers, workers_of
from napari_copnet.errors import CopnetError, InputError
from napari_copnet.io.read import read_stack
from napari_copnet.io.write import write_image
from napari_copnet.params import (
    CellParams,
    ClosingParams,
    ContourParams,
    DeviceParams,
    PreprocessParams,
    ReadParams,
    Settings,
)
from napari_copnet.pipeline import run
from napari_copnet.progress import Progress, finish
from napari_copnet.store.folder import FolderStore


@pytest.fixture
def stack(tmp_path):
    rng = np.random.default_rng(0)
    image = np.full((9, 40, 40), 180.0)
    image[:, ::10] = image[:, :, ::10] = 60
    noisy = np.clip(image + rng.normal(0, 9, image.shape), 1, 255).astype(np.uint8)
    return write_image(tmp_path / "stack.tif", noisy)


@pytest.fixture
def settings(tiny_models):
    return Settings(
        preprocess=PreprocessParams(size=0, invert="no"),
        device=DeviceParams(device="cpu", precision="float32"),
        contours=ContourParams(contour_model=str(tiny_models["contours"])),
        closing=ClosingParams(closing_model=str(tiny_models["closing"]), max_iterations=3),
        cells=CellParams(min_size=0),
    )


def same(one, other):
    np.testing.assert_array_equal(np.asarray(one.contours), np.asarray(other.contours))
    np.testing.assert_array_equal(np.asarray(one.closing.mask), np.asarray(other.closing.mask))
    np.testing.assert_array_equal(np.asarray(one.cells.labels), np.asarray(other.cells.labels))


def failing(block, shared):
    yield Progress("fail", 0, 1, "slices")
    raise InputError(f"Slice {block[0]} is no good.", "Choose another.")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_workers_that_are_killed_are_not_missed(stack, settings, tmp_path):
    alone = finish(run(read_stack(stack), settings, block=1))
    with workers_of("local", 2) as (workers, dashboard):
        assert dashboard.startswith("http")
        store = FolderStore(tmp_path / "store", workers)
        reopen = StackOnDisk(stack, ReadParams())
        killed, steps = [], []
        work = run(read_stack(stack), settings, store=store, reopen=reopen, block=1)
        while True:
            try:
                progress = next(work)
            except StopIteration as end:
                result = end.value
                break
            if progress.step not in steps and progress.done == 2:
                steps.append(progress.step)
                processes = list(workers._client.run(os.getpid).values())
                os.kill(processes[0], signal.SIGKILL)
                killed.append(processes[0])
        assert len(set(killed)) >= 2
        same(alone, result)
        # An error of a block is that of the run.
        stage = FolderStore(tmp_path / "other", workers).stage("step", "key")
        from napari_copnet.store.blocks import over_blocks

        with pytest.raises(InputError, match="Slice 3 is no good"):
            finish(over_blocks(stage, "fail", failing, [(3,)], None, "fail"))


def test_results_are_written_by_this_process_whatever_the_workers_do(monkeypatch, tmp_path):
    """OME-Zarr is written by dask, from arrays that can't be sent to others."""
    import dask
    from distributed import LocalCluster

    from napari_copnet import distributed
    from napari_copnet.lazy_array import LazyArray

    monkeypatch.setattr(
        distributed,
        "_local",
        lambda count: LocalCluster(n_workers=1, processes=False, dashboard_address=None),
    )
    here = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    data = LazyArray(here.shape, np.uint8, lambda z: here[z])
    with workers_of("local", 1):
        assert dask.base.get_scheduler() is None
        path = write_image(tmp_path / "cells.ome.zarr", data, kind="cells")
    np.testing.assert_array_equal(np.asarray(read_stack(path).data), here)


def test_a_scheduler_that_is_not_there_is_said(monkeypatch):
    import distributed

    def absent(*arguments, **options):
        raise OSError("timed out")

    monkeypatch.setattr(distributed, "Client", absent)
    with pytest.raises(CopnetError, match=r"no dask scheduler at tcp://127\.0\.0\.1:1"):
        workers_of("tcp://127.0.0.1:1").__enter__()


def test_slurm_without_a_configuration_is_said(monkeypatch):
    import dask_jobqueue

    def unconfigured(scheduler_options):
        # Its pages are for this machine.
        assert scheduler_options["dashboard_address"] == "localhost:0"
        raise ValueError("You must specify how many cores to use per job")

    monkeypatch.setattr(dask_jobqueue, "SLURMCluster", unconfigured)
    with pytest.raises(CopnetError, match="how many cores"):
        workers_of("slurm").__enter__()


@pytest.mark.parametrize(
    ("cores", "expected"), [(1, (1, 1)), (2, (2, 1)), (4, (2, 2)), (16, (8, 2))]
)
def test_each_worker_of_a_machine_gets_its_share_of_the_cores(cores, expected):
    assert local_workers(cores) == expected


def test_a_stack_is_opened_once_a_process(stack):
    opened = StackOnDisk(stack, ReadParams())
    assert opened() is StackOnDisk(stack, ReadParams())()
    assert opened().shape == (9, 40, 40)


def test_a_stack_that_changed_is_opened_again(stack):
    first = StackOnDisk(stack, ReadParams(), "before")()
    write_image(stack, np.zeros((2, 40, 40), np.uint8))
    assert StackOnDisk(stack, ReadParams(), "before")() is first
    assert StackOnDisk(stack, ReadParams(), "after")().shape == (2, 40, 40)
