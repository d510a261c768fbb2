"""Load what a run needs in advance, while the user still looks at the dock.

PyTorch takes seconds to import, and while its libraries are linked nothing else of Python runs:
the window would stand still for up to half a second in the midst of the first run.
"""

from __future__ import annotations

import logging
import threading

import numpy as np

from napari_copnet.gui.background.jobs import behind_the_window, free_cores
from napari_copnet.gui.napari_compat.line_dashes import compute_dashes
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import find_model
from napari_copnet.params import DeviceParams
from napari_copnet.progress import finish
from napari_copnet.proofreading.part_cell import compile_cut

log = logging.getLogger(__name__)

_thread: threading.Thread | None = None


def preload() -> threading.Thread:
    """Start loading, once in a process; return the thread that does it."""
    global _thread
    if _thread is None:
        # Not a daemon: Python would end it in the midst of PyTorch's C++, which aborts.
        _thread = threading.Thread(target=_load, name="copnet-preload", daemon=False)
        _thread.start()
    return _thread


def is_loading() -> bool:
    """Return whether loading goes on."""
    return _thread is not None and _thread.is_alive()


def _load() -> None:
    behind_the_window()
    compute_dashes()
    # A first pass also loads what PyTorch leaves for later.
    try:
        if _is_ending():
            return
        network = Network.load(
            find_model("default", "closing"), DeviceParams(device="cpu", threads=free_cores())
        )
        if _is_ending():
            return
        finish(network.predict(np.zeros((1, 1, 32, 32), np.float32)))
        if not _is_ending():
            compile_cut()
    except Exception as error:
        # A run will meet the same and tell the user.
        log.info("Preloading for a run failed.", exc_info=error)


def _is_ending() -> bool:
    """Whether the program only waits for its threads any more."""
    return not threading.main_thread().is_alive()
