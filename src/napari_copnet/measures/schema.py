"""The columns of every table, declared once: files, the window and docs/measures.md read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["integer", "number", "truth", "text"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
        In files; a unit ends it.
    unit : str
        Empty for counts, shares and names.
    meaning : str
        Its definition, a sentence.
    kind : str
        ``"integer"``, ``"number"``, ``"truth"`` (true or false) or ``"text"``.
    label : str
        For people, without unit.
    measure : bool
        Whether it is a value of a cell, not a name or a place.
    """

    name: str
    unit: str
    meaning: str
    kind: Kind = "number"
    label: str = ""
    measure: bool = True

    @property
    def title(self) -> str:
        """Label and unit, for a heading."""
        label = self.label or self.name.replace("_", " ").capitalize()
        return f"{label} ({self.unit})" if self.unit else label


def _name(name: str, meaning: str, kind: Kind = "integer", label: str = "") -> Column:
    return Column(name, "", meaning, kind, label, measure=False)


def _place(letter: str, of: str) -> Column:
    meaning = f"Centroid of the {of} along {letter}, with the position of the stack."
    return Column(f"{letter}_um", "µm", meaning, label=letter, measure=False)


_WALL = "the wall pixels that lie nearest to it, as far as the reach, and those beside them"
_VESSEL = Column(
    "touches_vessel",
    "",
    "Whether the cell, grown into its walls, touches an area marked as vessel.",
    "truth",
)
_HAEMORRHAGE = Column(
    "touches_haemorrhage",
    "",
    "Whether the cell, grown into its walls, touches an area marked as haemorrhage.",
    "truth",
)
_EDITED = Column(
    "edited",
    "",
    "Whether the contour in the cell or its walls differs from what the last run made.",
    "truth",
)

SLICES = (
    _name("slice", "Number of the slice, from 0."),
    _name("cell", "Number of the cell, as in the label image."),
    Column("pixels", "", "Pixels of the cell in the slice.", "integer"),
    Column("area_um2", "µm²", "Pixels times the area of a pixel.", label="Area"),
    Column(
        "perimeter_um",
        "µm",
        "Length of the border, holes included, by the Cauchy–Crofton formula over four directions "
        "(0°, 90° and both diagonals of a pixel), weighted by the angles they stand for.",
        label="Perimeter",
    ),
    _place("y", "pixels"),
    _place("x", "pixels"),
    Column(
        "major_axis_um",
        "µm",
        "Longer axis of the ellipse that has the same second moments.",
        label="Major axis",
    ),
    Column(
        "minor_axis_um",
        "µm",
        "Shorter axis of the ellipse that has the same second moments.",
        label="Minor axis",
    ),
    Column("elongation", "", "1 − minor axis / major axis: 0 for a disk, near 1 for a line."),
    Column(
        "orientation_deg",
        "°",
        "Angle of the major axis with the x axis, counter-clockwise as seen on screen, 0 to 180.",
        label="Orientation",
    ),
    Column("solidity", "", "Area divided by the area of the convex hull."),
    Column("touches_border", "", "Whether the cell reaches the border of the slice.", "truth"),
    Column(
        "contour_mean",
        "",
        f"Mean contour probability of {_WALL}: how sure the networks were of its walls.",
        label="Contour probability",
    ),
    _VESSEL,
    _HAEMORRHAGE,
    _EDITED,
    Column(
        "doubtful_walls",
        "",
        "Open items of the review queue at the cell's walls in the slice.",
        "integer",
    ),
)

CELLS = (
    _name("cell", "Number of the cell, as in the label image."),
    Column("voxels", "", "Voxels of the cell.", "integer"),
    Column("volume_um3", "µm³", "Voxels times the volume of a voxel.", label="Volume"),
    Column(
        "surface_um2",
        "µm²",
        "Area of the cell's mesh: marching cubes at half height in µm, smoothed by 20 passes of "
        "Taubin's filter, closed where the stack cuts the cell.",
        label="Surface",
    ),
    Column(
        "sphericity",
        "",
        "Surface of a ball of the mesh's volume divided by the area of the mesh: 1 for a ball.",
    ),
    _place("z", "voxels"),
    _place("y", "voxels"),
    _place("x", "voxels"),
    Column(
        "extent_z_um",
        "µm",
        "From the top of its first slice to the bottom of its last one.",
        label="Extent in z",
    ),
    Column("first_slice", "", "The first slice with the cell, from 0.", "integer", measure=False),
    Column("last_slice", "", "The last slice with the cell.", "integer", measure=False),
    Column("slices", "", "Slices in which the cell lies.", "integer"),
    Column("neighbours", "", "Cells with which it has a contact; see the pairs.", "integer"),
    Column(
        "contact_area_um2",
        "µm²",
        "Sum of its contact areas with all neighbours.",
        label="Contact area",
    ),
    Column(
        "touches_border",
        "",
        "Whether it reaches the border of a slice, the first or the last slice: it may go on "
        "outside.",
        "truth",
    ),
    Column(
        "contour_mean",
        "",
        "Mean contour probability of its wall pixels in all slices.",
        label="Contour probability",
    ),
    _VESSEL,
    _HAEMORRHAGE,
    _EDITED,
    Column(
        "doubtful_walls",
        "",
        "Open items of the review queue at its walls; a wall through several slices counts once.",
        "integer",
    ),
)

PAIRS = (
    _name("cell", "Number of a cell."),
    _name("neighbour", "Number of its neighbour, the higher one of the two."),
    Column(
        "contact_area_um2",
        "µm²",
        "Area of the voxel faces that the two share, each grown in its slices into the wall "
        "between them. Exact for walls along the axes; a slanting wall counts as its steps, up to "
        "√2 times too much in-plane.",
        label="Contact area",
    ),
    Column("faces_z", "", "Voxel faces along z among them.", "integer"),
    Column("faces_y", "", "Voxel faces along y among them.", "integer"),
    Column("faces_x", "", "Voxel faces along x among them.", "integer"),
)

MARKS = (
    _name("slice", "Number of the slice, from 0."),
    _name("mark", "What the area is marked as: vessel, haemorrhage or background.", "text"),
    Column("pixels", "", "Marked pixels.", "integer"),
    Column("area_um2", "µm²", "Pixels times the area of a pixel.", label="Area"),
)

POPULATION = (
    _name("table", "Which table: slices, cells or pairs.", "text"),
    _name("measure", "Column of that table.", "text"),
    _name("unit", "Its unit.", "text"),
    Column("mean", "", "Mean over all rows that have a value; of true or false, the share."),
    Column("sd", "", "Standard deviation of the sample (n − 1)."),
    Column("n", "", "Rows that have a value.", "integer"),
    Column("minimum", "", "Lowest value."),
    Column("median", "", "Middle value."),
    Column("maximum", "", "Highest value."),
)

NUMBERS = (
    _name("cell", "Number of the cell in the run or the session."),
    _name("number", "Its number in the 16-bit image."),
)

TABLES = {
    "slices": SLICES,
    "cells": CELLS,
    "pairs": PAIRS,
    "marks": MARKS,
    "population": POPULATION,
    # Beside exported labels.
    "numbers": NUMBERS,
}
MEASURED = ("slices", "cells", "pairs", "marks", "population")
