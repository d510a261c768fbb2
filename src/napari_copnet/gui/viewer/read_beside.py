"""Read files for napari beside the window, which goes on meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from napari.utils import progress
from napari.utils.notifications import show_error
from qtpy.QtCore import QThread

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.main_thread_work import MainThreadWork
from napari_copnet.gui.background.task_queue import TaskQueue
from napari_copnet.gui.napari_compat.bare_viewer import bare_viewer
from napari_copnet.gui.napari_compat.line_dashes import compute_dashes
from napari_copnet.gui.napari_compat.read_layers import made_by_reader
from napari_copnet.progress import Progress, Steps

# Several files that are opened at once are read one after the other, and come in their order.
_queue = TaskQueue(behind=False)
_adding: set[MainThreadWork] = set()
_SMALL = 2


def window_at_work() -> Any:
    """Return the viewer whose window listens to its user now; None in a script or without one."""
    import napari

    thread = QThread.currentThread()
    if thread is None or not thread.loopLevel():
        return None
    viewer = napari.current_viewer()
    return None if viewer is None else bare_viewer(viewer)


def read_beside(viewer: Any, path: str, read: Callable[[Any], list[Any]]) -> None:
    """Read a file in a thread, and add its layers to a viewer, each in a turn of its own.

    Parameters
    ----------
    viewer : napari.Viewer
    path : str
    read : callable
        Takes the path and returns layers as a reader of napari does.
    """
    name = Path(path).name
    shown = progress(total=0, desc=f"Opening {name}")

    def work() -> Steps[list[Layer]]:
        yield Progress("read", 0, 1, "files")
        with made_by_reader(path):
            layers = [Layer.create(*one) for one in read(path)]
        if any(isinstance(layer, Labels) for layer in layers):
            _prepare_labels(layers)
        return layers

    def add(layers: list[Layer]) -> None:
        shown.close()
        adding = MainThreadWork(None, _added(viewer, layers), lambda: _adding.discard(adding))
        _adding.add(adding)

    def tell(error: CopnetError) -> None:
        shown.close()
        show_error(f"{name} was not opened. {error.message} {error.hint}".strip())

    task = _queue.add(path, work)
    task.finished.connect(add)
    task.failed.connect(tell)


def _added(viewer: Any, layers: list[Layer]) -> Iterator[None]:
    with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
        for layer in layers:
            viewer.add_layer(layer)
            yield


def _prepare_labels(layers: list[Layer]) -> None:
    """Have napari import and compile what it needs to show labels, which takes it seconds once."""
    # In the thread, as it loads scipy and more.
    from napari_copnet.gui.workflow.run_stages import compile_colours

    compute_dashes()
    if any(isinstance(one, Labels) and np.dtype(one.dtype).itemsize > _SMALL for one in layers):
        compile_colours()
