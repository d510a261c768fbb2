"""Give the window Python's lock soon, while a thread computes or imports beside it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Qt lets go of the lock in most calls, and asks for it again after each. Python has a thread that
# computes hand it over after 5 ms, which makes of a layer that takes 0.15 s one that takes 0.5.
TURN_SECONDS = 0.0005

_lock = threading.Lock()
_inside = 0
_before = 0.0


@contextmanager
def quick_turns() -> Iterator[None]:
    """Have threads hand over Python's lock after `TURN_SECONDS`; as before once none is inside."""
    global _inside, _before
    with _lock:
        if not _inside:
            _before = sys.getswitchinterval()
            sys.setswitchinterval(min(_before, TURN_SECONDS))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                sys.setswitchinterval(_before)
