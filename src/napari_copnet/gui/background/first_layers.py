"""What napari does with its first layers, ahead of time, in a thread."""

from __future__ import annotations

import threading

import numpy as np

_one_at_a_time = threading.Lock()


def load_layers() -> None:
    """Have napari import and define what its first labels layer and its first units need.

    In a thread, its seconds don't stop the window. Call it in each thread that makes layers or
    wants them soon: two threads that begin at once would find units that are only half defined.
    """
    import pint
    from napari.layers import Labels

    with _one_at_a_time:
        pint.get_application_registry().Unit("micrometer")
        # Cells of more than 16 bits are counted down to colours by numba, which loads its parts.
        for dtype in (np.uint8, np.uint16, np.uint32):
            Labels(np.zeros((1, 1), dtype))
