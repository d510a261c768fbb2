"""Individually labelled cells from scanning electron microscopy stacks.

Public names are imported when first used; importing the package loads no Qt, torch or napari.
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "CopnetError": "errors",
    "Cells": "types",
    "Closing": "types",
    "Stack": "types",
    "VoxelSize": "types",
    "finish": "progress",
    "read_stack": "io.read",
    "write_image": "io.write",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _version() -> str:
    """Return the version that was installed, which comes from the last tag."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("napari-copnet")
    except PackageNotFoundError:
        return "0+unknown"  # run from a folder of sources that was never installed


def __dir__() -> list[str]:
    return sorted(__all__)
