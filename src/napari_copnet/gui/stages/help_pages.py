"""Pages of the documentation that the dock links to."""

from __future__ import annotations

DOCS = "https://github.com/napari-copnet/napari-copnet/blob/main/docs"


def address(page: str) -> str:
    """Return the address of a page, such as ``"napari.md"``."""
    return f"{DOCS}/{page}"
