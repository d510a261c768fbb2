"""Link PyTorch's own library before it is imported, without holding up other threads."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import sys
from pathlib import Path


def link_torch() -> bool:
    """Link PyTorch's C++ library, and return whether that is done.

    An import links it with Python's lock held: for half a second no other thread runs, and a
    window stands still. Called through ctypes, the same happens without the lock. What follows
    is still an import, which takes longer but lets others have their turns.

    Where the library lies elsewhere, or the system links in other ways, nothing is done; the import
    does it then.
    """
    if os.name != "posix" or "torch" in sys.modules:
        return "torch" in sys.modules
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    suffix = "dylib" if sys.platform == "darwin" else "so"
    folder = Path(spec.origin).parent / "lib"
    with contextlib.suppress(OSError, AttributeError):
        dlopen = ctypes.CDLL(None).dlopen
        dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
        # In the order and in the ways in which PyTorch does it.
        for name, scope in (("torch_global_deps", os.RTLD_GLOBAL), ("torch", os.RTLD_LOCAL)):
            file = folder / f"lib{name}.{suffix}"
            if not file.is_file() or not dlopen(os.fsencode(file), os.RTLD_NOW | scope):
                return False
        return True
    return False
