"""Load what a run needs in advance, while the user still looks at the dock.

PyTorch takes seconds to import, and numba to compile. Nothing of it is needed before the first run,
so loading rests while the user waits for something else: `hold`.
"""

from __future__ import annotations

import importlib
import logging
import threading

from napari_copnet.gui.background.garbage import collect_on_main_thread
from napari_copnet.gui.background.import_pause import pausing
from napari_copnet.gui.background.jobs import behind_the_window, free_cores
from napari_copnet.gui.background.quick_turns import quick_turns
from napari_copnet.params import DeviceParams
from napari_copnet.progress import finish

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_LIBRARIES = (
    "torch",
    # PyTorch imports it with the first network.
    "torch._dynamo",
    "dynamic_network_architectures.architectures.unet",
    "napari_copnet.networks.cpu_unet",
)
_thread: threading.Thread | None = None
_may_go_on = threading.Event()
_may_go_on.set()


def preload() -> threading.Thread:
    """Start loading, once in a process; return the thread that does it."""
    global _thread
    if _thread is None:
        # Not a daemon: Python would end it in the midst of PyTorch's C++, which aborts.
        _thread = threading.Thread(target=_load, name="copnet-preload", daemon=False)
        collect_on_main_thread(is_loading)
        _thread.start()
    return _thread


def is_loading() -> bool:
    """Return whether loading goes on."""
    return _thread is not None and _thread.is_alive()


def hold(on: bool) -> None:
    """Let loading rest before its next step or import, or go on."""
    if on:
        _may_go_on.clear()
    else:
        _may_go_on.set()


def _load() -> None:
    behind_the_window()
    # A run will meet the same problem and tell the user.
    try:
        with quick_turns():
            # What the next click may need; this takes a moment.
            _labels()
            for step in (_stages, _link, _libraries, _network, _cut):
                if not _is_wanted():
                    return
                step()
    except Exception as error:
        log.info("Preloading for a run failed.", exc_info=error)


def _labels() -> None:
    """With its first labels layer napari imports pandas and more."""
    from napari_copnet.gui.background.first_layers import load_layers
    from napari_copnet.gui.napari_compat.line_dashes import compute_dashes

    compute_dashes()
    load_layers()


def _stages() -> None:
    """Import what the dock has left for the moment when a stage is unfolded."""
    for name in ("measures.measure_panel", "stages.export_panel", "iterations.iterations_panel"):
        importlib.import_module(f"napari_copnet.gui.{name}")


def _link() -> None:
    from napari_copnet.networks.link_torch import link_torch

    link_torch()


def _libraries() -> None:
    """Import what networks are made of: two thousand modules."""
    # Not so what follows: it imports within numba's lock, for which the window would wait.
    with pausing(_is_held):
        for name in _LIBRARIES:
            importlib.import_module(name)


def _network() -> None:
    import numpy as np

    from napari_copnet.networks.nnunet import Network
    from napari_copnet.networks.package import find_model

    network = Network.load(
        find_model("default", "closing"), DeviceParams(device="cpu", threads=free_cores())
    )
    if _is_wanted():
        # A first pass also loads what PyTorch leaves for later.
        finish(network.predict(np.zeros((1, 1, 32, 32), np.float32)))


def _cut() -> None:
    from napari_copnet.proofreading.part_cell import compile_cut

    compile_cut()


def _is_held() -> bool:
    return not _may_go_on.is_set() and not _is_ending()


def _is_wanted() -> bool:
    """Wait while loading is held; return whether it is to go on, not so when the program ends."""
    while not _is_ending():
        if _may_go_on.wait(_LOOK_SECONDS):
            return not _is_ending()
    return False


def _is_ending() -> bool:
    """Whether the program only waits for its threads any more."""
    return not threading.main_thread().is_alive()
