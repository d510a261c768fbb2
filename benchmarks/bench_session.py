"""Sessions: time and memory to create one, to open it, and to make the first edit.

The run is made by `io.write_image`, as runs are: a few slices of synthetic tissue, repeated and
shifted. Each step is measured in a fresh process, with what it imports left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from scipy import ndimage

from benchmarks.figure import Figure, machine_name
from napari_copnet.gui.display import has_display
from napari_copnet.io.write import write_image
from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import CellParams, TissueParams, as_dict
from napari_copnet.synthetic import make_tissue
from napari_copnet.types import VoxelSize

# Slices that are drawn; the rest of the stack repeats them.
_DRAWN = 8
_SECONDS, _MEGABYTES = 3.0, 500.0


def run(quick: bool = False) -> list[Figure]:
    """Measure all of it.

    Parameters
    ----------
    quick : bool
        Fewer slices.
    """
    depths = (16, 128) if quick else (64, 1024)
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for depth in depths:
            at = Path(folder) / str(depth)
            make_run(at / "run", depth)
            made = _measured("create", at / "run", at / "session")
            opened = _measured("open", at / "session")
            window = _measured("window", at / "session") if has_display() else {}
            figures += _figures(f"{depth}×512×512", made | opened | window)
    return figures


def make_run(folder: Path, depth: int, size: int = 512) -> None:
    """Write what a run leaves: contours, closed, cells, and the image beside them.

    Parameters
    ----------
    folder : Path
    depth, size : int
        Slices, and pixels along their sides.
    """
    tissue = make_tissue(TissueParams(slices=_DRAWN, size=512, vessel=False), seed=1)
    tiles = -(-size // 512)
    walls = [np.tile(w, (tiles, tiles))[:size, :size] > 0 for w in tissue.contours]
    sure = [np.clip(ndimage.gaussian_filter(w.astype(np.float32), 1.2) * 1.6, 0, 1) for w in walls]
    cells = [ndimage.label(~w)[0].astype(np.uint32) for w in walls]
    image = [(200 - 120 * p).astype(np.uint8) for p in sure]
    sizes = VoxelSize(0.03, 0.01, 0.01)
    for name, planes in (("contours", sure), ("closed", walls), ("cells", cells), ("image", image)):

        def plane(z: int, planes: list[np.ndarray] = planes) -> np.ndarray:
            return np.roll(planes[z % _DRAWN], (z // _DRAWN, 2 * (z // _DRAWN)), (0, 1))

        dtype = np.uint8 if planes is walls else planes[0].dtype
        data = LazyArray((depth, size, size), dtype, plane)
        kind = "image" if name == "image" else name
        write_image(folder / name, data, voxel_size=sizes, kind=kind)
    record = {
        "settings": {"cells": as_dict(CellParams())},
        "converged_by_slice": [True] * depth,
    }
    (folder / "run.json").write_text(json.dumps(record))


def _figures(name: str, found: dict[str, float]) -> list[Figure]:
    figures = []
    create = f"in {found['create_s']:.1f} s, with progress"
    opened = f"the slice in the middle labelled; {found['open_cpu_s']:.2f} s of a processor"
    shown = "until its tools can be used, the queue still being looked for"
    if "window_s" in found:
        shown += f"; {found['window_cpu_s']:.2f} s of a processor"
    for what, key, unit, most, told in (
        ("opened in", "open_s", "s", _SECONDS, opened),
        ("memory to open", "open_mb", "MB", _MEGABYTES, "peak above what was imported"),
        ("first edit in", "edit_s", "s", _SECONDS, "a stroke, durable on the disk"),
        ("memory after it", "edit_mb", "MB", _MEGABYTES, "peak since before opening"),
        ("opened in the window in", "window_s", "s", _SECONDS, shown),
        ("memory in the window", "window_mb", "MB", _MEGABYTES, "peak, 5 s of the queue included"),
        ("memory to create", "create_mb", "MB", _MEGABYTES, create),
    ):
        if key not in found:
            continue
        value = found[key]
        figures.append(
            Figure(
                f"{name}, {what}", value, unit, f"< {most:g}", value < most, told, "",
                machine_name(),
            )
        )  # fmt: skip
    return figures


# In a process of its own ------------------------------------------------------


def _measured(what: str, *paths: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench_session", what, *map(str, paths)],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


class _Peak:
    """The most memory the process had, in MB above what it had to begin with."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self.most = 0.0

    def look(self) -> None:
        """Note how much it has now."""
        self.most = max(self.most, (self._process.memory_info().rss - self._before) / 1e6)


@contextmanager
def _watched() -> Iterator[_Peak]:
    peak, done = _Peak(), threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
        peak.look()


def _create(run: Path, folder: Path) -> dict[str, float]:
    from napari_copnet.progress import finish
    from napari_copnet.proofreading import session_files
    from napari_copnet.proofreading.session_start import from_run_folder

    with _watched() as peak:
        start = time.perf_counter()
        finish(session_files.make(folder, from_run_folder(run)))
        took = time.perf_counter() - start
    return {"create_s": took, "create_mb": peak.most}


def _open(folder: Path) -> dict[str, float]:
    from napari_copnet.proofreading.edits import Edit, Flip, Patch
    from napari_copnet.proofreading.session import Session

    with _watched() as peak:
        start, used = time.perf_counter(), time.process_time()
        session = Session.open(folder)
        middle = session.shape[0] // 2
        session.cells(middle)
        opened, used = time.perf_counter() - start, time.process_time() - used
        peak.look()
        open_mb = peak.most
        mask = np.zeros(session.shape[1:], bool)
        mask[200, 100:300] = True
        mask &= session.contour[middle] == 0
        start = time.perf_counter()
        session.apply(Edit("draw", (Flip("contour", Patch.of(middle, mask)),)))
        session.wait_saved()
        edited = time.perf_counter() - start
    session.close()
    return {
        "open_s": opened,
        "open_cpu_s": used,
        "open_mb": open_mb,
        "edit_s": edited,
        "edit_mb": peak.most,
    }


def _window(folder: Path) -> dict[str, float]:
    import napari

    from benchmarks.bench_dock import until, wait
    from napari_copnet.gui.commands import open_stage
    from napari_copnet.gui.proofreading.open_session import ready
    from napari_copnet.progress import finish

    viewer = napari.Viewer(show=True)
    try:
        whole = open_stage("correct", viewer)
        dock = whole.panels.proofreading
        # What napari compiles once is the same for any session.
        finish(ready())
        wait(1.0)
        with _watched() as peak:
            start, used = time.perf_counter(), time.process_time()
            dock.open(folder)
            until(lambda: dock.controller is not None)
            took, used = time.perf_counter() - start, time.process_time() - used
            wait(5.0)
        whole.shut_down()
        viewer.window.remove_dock_widget(whole)
    finally:
        viewer.close()
        wait(0.2)
    return {"window_s": took, "window_cpu_s": used, "window_mb": peak.most}


def _main(what: str, *paths: str) -> None:
    measures: dict[str, Any] = {"create": _create, "open": _open, "window": _window}
    print(json.dumps(measures[what](*map(Path, paths))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
