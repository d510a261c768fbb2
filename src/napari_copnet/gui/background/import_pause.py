"""Let the imports of a thread rest between two modules, while the window has much to do.

The window and a thread that imports take turns with Python's lock, and a module is read and put
together with the lock held: while PyTorch is on its way, what takes the window 0.15 s takes 0.5.
"""

from __future__ import annotations

import builtins
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# In all, whatever the others wait for.
LONGEST_SECONDS = 10.0
_LOOK_SECONDS = 0.01
_IMPORTS = "<frozen importlib._bootstrap>"


@contextmanager
def pausing(is_held: Callable[[], bool], longest: float = LONGEST_SECONDS) -> Iterator[None]:
    """Let this thread rest before each import while `is_held`.

    It goes on as soon as another thread waits for a module, which may be one that it has begun.

    Parameters
    ----------
    is_held : callable
        Whether to rest.
    longest : float
        Seconds that it may rest in all.
    """
    import_as_before, me, left = builtins.__import__, threading.get_ident(), longest

    def rest_and_import(*given: Any, **named: Any) -> Any:
        nonlocal left
        if threading.get_ident() == me:
            while left > 0 and is_held() and not _is_waited_for(me):
                time.sleep(_LOOK_SECONDS)
                left -= _LOOK_SECONDS
        return import_as_before(*given, **named)

    # A finder would be the place for it, were it not asked with the lock of all imports held.
    builtins.__import__ = rest_and_import
    try:
        yield
    finally:
        left = 0.0
        if builtins.__import__ is rest_and_import:
            builtins.__import__ = import_as_before


def _is_waited_for(thread: int) -> bool:
    """Whether another thread than this one waits until a module has been imported."""
    return any(
        frame.f_code.co_filename == _IMPORTS and frame.f_code.co_name == "acquire"
        for other, frame in sys._current_frames().items()
        if other != thread
    )
