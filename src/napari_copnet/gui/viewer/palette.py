"""Colours of cells, and of the contour over them, that all eyes tell apart.

The contour is amber; the cells are blue, violet, teal and grey. So no cell looks like contour, also
not to eyes that see no red or no green.
"""

from __future__ import annotations

from napari.utils.colormaps import CyclicLabelColormap

CELL_COLOURS = (
    "#3f6fd8",
    "#9cc3ff",
    "#7a4fd0",
    "#62c9e8",
    "#5560a8",
    "#c3a6ff",
    "#1f8fb0",
    "#a9b6e6",
    "#4a38c8",
    "#7fd6e0",
    "#8c7fe0",
    "#2f5f9f",
    "#d6ccff",
)


def cell_colours() -> CyclicLabelColormap:
    """Return the colours of cells by their number; 0 is clear."""
    return CyclicLabelColormap(colors=["transparent", *CELL_COLOURS])
