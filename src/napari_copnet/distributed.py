"""The blocks of a run on other processes and machines, with dask.distributed.

Workers share a disk. They are given the names of arrays and models, not their values, and each
loads a model once. Blocks of a worker that is lost run again on another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_copnet.errors import CopnetError
from napari_copnet.params import ReadParams
from napari_copnet.progress import Progress, finish
from napari_copnet.store.stage import Values, Work
from napari_copnet.types import Stack

INSTALL = "Install it: pip install napari-copnet[distributed]"
# A block is given up when so many workers died while they did it.
MOST_LOSSES = 10


@dataclass(frozen=True)
class StackOnDisk:
    """A stack that is read where it is called, once a process.

    Attributes
    ----------
    path : Path
        On a disk that all processes share.
    read : ReadParams
    fingerprint : str
        Of the stack, so that a worker that read the file before it changed reads it again.
    """

    path: Path
    read: ReadParams
    fingerprint: str = ""

    def __call__(self) -> Stack:
        from napari_copnet.io.check import check_pixels
        from napari_copnet.io.read import read_stack

        if self not in _opened:
            _opened.clear()
            _opened[self] = check_pixels(
                read_stack(self.path, self.read, lazy=True), self.read.repair
            )
        return _opened[self]


_opened: dict[StackOnDisk, Stack] = {}


class ClusterWorkers:
    """Does blocks on a dask cluster; see `store.stage.Workers`.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(
        self, work: Work, blocks: Sequence[tuple[int, ...]], shared: Any
    ) -> Generator[tuple[int, Values] | Progress, None, None]:
        """Do blocks in any order; yield the position and the values of each as it ends.

        Blocks under way are cancelled when the generator is closed.

        Raises
        ------
        CopnetError
            As the block raised it, or the cluster is lost.
        """
        from distributed import KilledWorker, as_completed

        futures = {
            self._client.submit(_do, work, block, shared, pure=False): number
            for number, block in enumerate(blocks)
        }
        try:
            for future in as_completed(futures, loop=self._client.loop):
                try:
                    yield futures[future], future.result()
                except KilledWorker as error:
                    raise CopnetError(
                        f"A block of slices was given up: {MOST_LOSSES} workers were lost while "
                        "they worked on it.",
                        "Give workers more memory, then repeat the command; it continues where "
                        "it stopped.",
                    ) from error
                future.release()
        finally:
            self._client.cancel(list(futures), force=True)


@contextlib.contextmanager
def workers_of(cluster: str, count: int = 0) -> Iterator[tuple[ClusterWorkers, str]]:
    """Start or find workers; what was started ends with the block.

    Parameters
    ----------
    cluster : str
        ``"local"`` for processes of this machine, ``"slurm"`` for jobs, configured in dask's
        ``jobqueue.yaml``, or the address of a dask scheduler.
    count : int
        How many workers (processes or jobs); 0 chooses for ``"local"``.

    Yields
    ------
    workers : ClusterWorkers
    dashboard : str
        The address of dask's dashboard.

    Raises
    ------
    CopnetError
        dask.distributed or dask-jobqueue is missing, the scheduler can't be reached, or jobs are
        not configured.
    """
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise CopnetError("A cluster needs the package distributed.", INSTALL) from error
    # Not the default: else what dask writes (OME-Zarr) would go to the workers too, with arrays of
    # this process that can't be sent.
    with contextlib.ExitStack() as held:
        held.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": MOST_LOSSES}))
        if cluster == "local":
            made = held.enter_context(_local(count))
            client = held.enter_context(Client(made, set_as_default=False))
        elif cluster == "slurm":
            made = held.enter_context(_slurm(max(count, 1)))
            client = held.enter_context(Client(made, set_as_default=False))
        else:
            try:
                client = held.enter_context(Client(cluster, timeout=20, set_as_default=False))
            except (OSError, ValueError) as error:
                raise CopnetError(
                    f"There is no dask scheduler at {cluster}.",
                    "Give its address, such as tcp://10.0.0.1:8786, or local or slurm.",
                ) from error
        yield ClusterWorkers(client), str(client.dashboard_link)


def local_workers(cores: int) -> tuple[int, int]:
    """Return how many workers a machine gets, and how many threads each.

    Networks use a few threads well; what is done around them uses one. Two threads a worker keep
    memory small, and on two cores there are two workers.
    """
    workers = max(cores // 2, min(cores, 2))
    return workers, max(1, cores // workers)


def _local(count: int) -> Any:
    import logging
    import os

    from distributed import LocalCluster

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    workers, threads = local_workers(cores or 1)
    if count:
        workers, threads = count, max(1, (cores or 1) // count)
    environment = {
        name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    }
    return LocalCluster(
        # Nobody on the network is to reach processes that run what they are sent.
        host="127.0.0.1",
        n_workers=workers,
        silence_logs=logging.ERROR,
        threads_per_worker=1,
        processes=True,
        dashboard_address="localhost:0",
        env=environment,
    )


def _slurm(count: int) -> Any:
    try:
        import dask
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise CopnetError("Jobs need the package dask-jobqueue.", INSTALL) from error
    try:
        # Jobs on other machines need the scheduler; nobody else needs its pages.
        given = dask.config.get("jobqueue.slurm.scheduler-options", None) or {}
        made = SLURMCluster(scheduler_options={"dashboard_address": "localhost:0", **given})
    except ValueError as error:
        raise CopnetError(
            f"SLURM jobs are not configured: {error}",
            "Set cores, memory and the queue in ~/.config/dask/jobqueue.yaml.",
        ) from error
    made.scale(jobs=count)
    return made


def _do(work: Work, block: tuple[int, ...], shared: Any) -> Values:
    """Do a block on a worker."""
    return finish(work(block, shared))
