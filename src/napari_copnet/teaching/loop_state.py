"""What the loop of teaching keeps: how well each newest model did in each slice before learning it.

One file in the folder of a project: ``annotation/loop.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from napari_copnet.errors import InputError
from napari_copnet.files import whole_file
from napari_copnet.records import read_record

FORMAT = 1
FILE = "loop.json"
# How many slices in a row may bring nothing before it is said.
PATIENCE = 2
# Share of the cells of a slice by which a taught model may be behind by chance.
HARM = 0.01
_POINT = {
    "z": int,
    "slices": int,
    "model": str,
    "sha256": str,
    "labelled": (float, None),
    "nsd": (float, None),
    # Not in records of earlier versions.
    "effort?": (float, None),
    "by_default?": (float, None),
}
_FORM = {"format": int, "points": [_POINT]}


@dataclass(frozen=True)
class Point:
    """How well the newest model agreed with a slice before it learnt from it.

    Attributes
    ----------
    z : int
        The slice.
    slices : int
        How many slices of this stack the model had learnt from.
    model, sha256 : str
        Its name, and the hash of its weights.
    labelled, nsd : float or None
        Share of the true cells that its closed contours label, and NSD, 0 to 1; None where it
        takes most of the slice as contour, or the slice has no cell.
    effort : float or None
        Clicks of correcting its closed contours over those of drawing the slice: see
        `evaluation.effort`. None also where an earlier version did not measure it.
    by_default : float or None
        As `labelled`, by the default model. None also where that was the newest model itself, has
        learnt from the slice, or an earlier version did not measure it.
    """

    z: int
    slices: int
    model: str
    sha256: str
    labelled: float | None
    nsd: float | None
    effort: float | None = None
    by_default: float | None = None

    @property
    def harmed(self) -> bool:
        """Whether the default model got clearly more of the cells right than the newest."""
        return self.by_default is not None and self.by_default - (self.labelled or 0.0) > HARM


def read_points(folder: Path) -> list[Point]:
    """Return the points of a project, in the order in which slices were done.

    Parameters
    ----------
    folder : Path
        Of annotations in a session's folder.

    Raises
    ------
    InputError
        The file is damaged, or was written by a newer version.
    """
    path = folder / FILE
    if not os.path.lexists(path):
        return []
    hint = "Delete it: the learning curve starts again, and nothing else is lost."
    if read_record(path, {"format": int}, hint)["format"] > FORMAT:
        raise InputError(f"{path} was written by a newer version.", "Update napari-copnet.")
    values = read_record(path, _FORM, hint)
    names = [field.name for field in fields(Point)]
    return [Point(**{name: one[name] for name in names if name in one}) for one in values["points"]]


def write_points(folder: Path, points: Sequence[Point]) -> None:
    """Write the points of a project, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = {"format": FORMAT, "points": [asdict(one) for one in points]}
    with whole_file(folder / FILE) as beside:
        beside.write_text(json.dumps(packed, indent=1) + "\n")


def brought_nothing(points: Sequence[Point], gain: float) -> int:
    """Return how many of the last points in a row are no better than the best before them.

    Parameters
    ----------
    points : sequence of Point
        In the order in which slices were done.
    gain : float
        How much `labelled` has to exceed the best before, to be better.
    """
    best, idle = None, 0
    for value in (point.labelled for point in points):
        if value is None:
            continue
        if best is None or value > best + gain:
            idle = 0
        else:
            idle += 1
        best = value if best is None else max(best, value)
    return idle


def verdict(points: Sequence[Point], gain: float) -> str:
    """Say whether it is worth going on, and what correcting takes."""
    if points and points[-1].harmed:
        return _lost(points[-1])
    values = [point.labelled for point in points if point.labelled is not None]
    if not values:
        return "The curve begins with the first slice that is done."
    return f"{_worth(points, values, gain)} {_effort(points[-1].effort)}".strip()


def _lost(point: Point) -> str:
    newest, default = (100 * (value or 0.0) for value in (point.labelled, point.by_default))
    return (
        f"The newest model got {newest:.0f} % of the cells of the last slice right, the default "
        f"model {default:.0f} %. So far teaching has done harm: do not adopt it yet. The default "
        "model draws the next slice."
    )


def _effort(effort: float | None) -> str:
    if effort is None:
        return ""
    if effort < 1:
        return f"Correcting its contours takes {100 * effort:.0f} % of the clicks of drawing them."
    return (
        "Correcting its contours takes more clicks than drawing them: if those of the next slice "
        "are no better, clear the slice and draw."
    )


def _worth(points: Sequence[Point], values: Sequence[float], gain: float) -> str:
    now = f"The newest model got {100 * values[-1]:.0f} % of the cells of the last slice right"
    if len(values) == 1:
        return f"{now}, before it learnt from it."
    idle = brought_nothing(points, gain)
    if idle >= PATIENCE:
        return (
            f"{now}. The last {idle} slices brought no gain: more slices may not be worth your "
            "time. Adopt the model, or find out why it fails."
        )
    if idle:
        return f"{now}. That is no gain, but a single slice says little. Go on."
    return f"{now}, more than in any slice before. Go on."
