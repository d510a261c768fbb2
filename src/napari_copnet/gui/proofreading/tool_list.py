"""The tools of the proofreading dock: what each is called, its key, and how it is used."""

from __future__ import annotations

from dataclasses import dataclass

# How a tool is used: clicks whose outcome is previewed, strokes of napari's brush, a line, a box,
# one click into a cell, two clicks into cells, or a line of clicks and free-hand strokes.
PREVIEW, BRUSH, LINE, BOX, CELL, PAIR = "preview", "brush", "line", "box", "cell", "pair"
TRACE = "trace"
DRAGGED = (LINE, BOX, TRACE)
# The tool that only shows, the one that asks for an iteration, and the one with two clicks whose
# outcome is previewed.
SOLID, FREEZE, PART = "solid", "freeze", "part"


@dataclass(frozen=True)
class Tool:
    """A tool.

    Attributes
    ----------
    name : str
        Unique.
    label : str
        On its button.
    key : str
        The letter that picks it.
    gesture : str
        How it is used.
    hint : str
        One line for the user.
    """

    name: str
    label: str
    key: str
    gesture: str
    hint: str


TOOLS = (
    Tool(
        "gap",
        "Close gap",
        "G",
        PREVIEW,
        "Click in a gap: the least-cost path is shown. Enter accepts it, Escape discards it; "
        "Shift-click routes it through more points.",
    ),
    Tool("draw", "Draw", "D", BRUSH, "Paint contour. [ and ] change the brush size."),
    Tool("erase", "Erase", "E", BRUSH, "Erase contour. [ and ] change the brush size."),
    Tool(
        "outline",
        "Outline",
        "W",
        TRACE,
        "Drag around a cell, or click its corners, and come back to the start: all within is one "
        "cell. Enter ends a line, Backspace takes its last piece back, Escape drops it.",
    ),
    Tool(
        "erase cell",
        "Erase cell",
        "R",
        CELL,
        "Click a cell to erase its outline; it joins the neighbour with which it shares most.",
    ),
    Tool("split", "Split", "S", LINE, "Draw a line through a cell, or click its two ends."),
    Tool(
        PART,
        "Part",
        "A",
        PAIR,
        "Click twice in one cell that should be two: the weakest place between is shown. Enter "
        "closes it, Escape discards it.",
    ),
    Tool(
        "merge", "Merge", "M", PAIR, "Click two neighbouring cells to remove the wall between them."
    ),
    Tool("delete", "Delete", "X", CELL, "Click a cell to turn its pixels into contour."),
    Tool("fill", "Fill", "F", CELL, "Click a cell to remove contour that it encloses."),
    Tool("link", "Link", "L", PAIR, "Click two cells in different slices to link them into one."),
    Tool("unlink", "Unlink", "K", PAIR, "Click the same cell in two slices to make it two cells."),
    Tool(
        "vessel",
        "Vessel",
        "V",
        CELL,
        "Click a cell that is the lumen of a vessel; click a mark to clear it.",
    ),
    Tool(
        "haemorrhage",
        "Haemorrhage",
        "H",
        CELL,
        "Click a cell that is blood; click a mark to clear it.",
    ),
    Tool(
        "background",
        "Background",
        "B",
        CELL,
        "Click a region that is not a cell; click a mark to clear it.",
    ),
    Tool(
        FREEZE,
        "Freeze",
        "I",
        BOX,
        "Draw a box: inside it, the contour of the iteration chosen below is restored.",
    ),
    Tool(SOLID, "In 3D", "C", CELL, "Click a cell to show it alone in 3D. C or Escape goes back."),
)
BY_NAME = {tool.name: tool for tool in TOOLS}
