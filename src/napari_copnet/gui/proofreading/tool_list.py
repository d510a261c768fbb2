"""The tools of the proofreading dock: what each is called, its key, and how it is used."""

from __future__ import annotations

from dataclasses import dataclass

# How a tool is used: clicks whose outcome is previewed, strokes of napari's brush, a line, a box,
# one click into a cell, or clicks into two cells.
PREVIEW, BRUSH, LINE, BOX, CELL, PAIR = "preview", "brush", "line", "box", "cell", "pair"
DRAGGED = (LINE, BOX)
# The tool that only shows, and the one that asks for an iteration.
SOLID, FREEZE = "solid", "freeze"


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
        "Click into a gap: the cheapest path is shown. Enter takes it, Escape drops it; "
        "Shift-click leads it through more points.",
    ),
    Tool("draw", "Draw", "D", BRUSH, "Paint contour. [ and ] change the brush."),
    Tool("erase", "Erase", "E", BRUSH, "Erase contour. [ and ] change the brush."),
    Tool("split", "Split", "S", LINE, "Draw a line through a cell, or click its two ends."),
    Tool("merge", "Merge", "M", PAIR, "Click two neighbouring cells: the wall between them goes."),
    Tool("delete", "Delete", "X", CELL, "Click a cell: its pixels become contour."),
    Tool("fill", "Fill", "F", CELL, "Click a cell: contour enclosed by it goes."),
    Tool("link", "Link", "L", PAIR, "Click two cells, in two slices: they are one from now on."),
    Tool("unlink", "Unlink", "K", PAIR, "Click a cell in two slices: it is parted between them."),
    Tool("vessel", "Vessel", "V", CELL, "Click a cell that is the lumen of a vessel, or a mark."),
    Tool("haemorrhage", "Haemorrhage", "H", CELL, "Click a cell that is blood, or a mark."),
    Tool("background", "Background", "B", CELL, "Click a cell that is none, or a mark."),
    Tool(
        FREEZE,
        "Freeze",
        "I",
        BOX,
        "Draw a box: in it the contour becomes that of the iteration chosen below.",
    ),
    Tool(
        SOLID, "In 3D", "C", CELL, "Click a cell: it is shown alone in 3D. C or Escape goes back."
    ),
)
BY_NAME = {tool.name: tool for tool in TOOLS}
