"""`copnet annotate next`: learn from the slices that are done, and offer the next one."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from napari_copnet.cli.console import Json, show, watched
from napari_copnet.params import DeviceParams, LoopParams


def next_command(
    project: Annotated[Path, typer.Argument(help="Project folder (a proofreading session).")],
    *,
    loop: LoopParams,
    device: DeviceParams,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Make the newest model the default.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Learn from slices that are done, and draw the contours of the next one to correct.

    Also shows how well each newest model agreed with a slice before it learnt from it.
    """
    from napari_copnet.teaching.loop import advance
    from napari_copnet.teaching.loop_models import adopt_newest
    from napari_copnet.teaching.loop_state import brought_nothing, verdict
    from napari_copnet.teaching.project import Project

    with Project.open(project) as opened:
        step = watched(advance(opened, loop, device=device, command=["copnet", *sys.argv[1:]]))
        adopted = adopt_newest(opened) if adopt else None
        drawn = None if step.next is None else opened.prefilled(step.next.z)
        came = step.next is not None and opened.carried(step.next.z) is not None
    lines = (
        [
            f"  {'slice':>5}  {'learnt':>6}  {'cells right':>11}  {'by default':>10}  {'NSD':>7}  "
            f"{'correcting':>10}"
        ]
        if step.points
        else []
    )
    for point in step.points:
        right, before, nsd, effort = (
            "-" if value is None else f"{100 * value:.1f} %"
            for value in (point.labelled, point.by_default, point.nsd, point.effort)
        )
        lines.append(
            f"  {point.z:>5}  {point.slices:>6}  {right:>11}  {before:>10}  {nsd:>7}  {effort:>10}"
        )
    lines.append(verdict(step.points, loop.gain))
    if step.carried:
        lines.append(f"Carried contours to {len(step.carried)} slices")
    if step.next is None:
        lines.append("No slice is left to correct.")
    else:
        how = "with carried contours" if came else "as it is"
        if drawn is not None:
            newest = step.model is not None and drawn.model == step.model.sha256
            how = f"with contours drawn by the {'newest' if newest else 'default'} model"
        lines.append(f"Next: slice {step.next.z}, {how} ({step.next.reason})")
    if adopted is not None:
        lines.append(f"{adopted.name} is the default contour model from now on")
    upcoming = None
    if step.next is not None:
        upcoming = {"slice": step.next.z, "reason": step.next.reason}
        upcoming |= {"prefilled": drawn is not None, "carried": came}
    result = {
        "model": None if step.model is None else step.model.name,
        "points": [asdict(point) for point in step.points],
        "brought_nothing": brought_nothing(step.points, loop.gain),
        "next": upcoming,
        "carried": list(step.carried),
        "adopted": None if adopted is None else adopted.name,
        "files": {} if step.model is None else {"model": str(step.model.folder)},
    }
    show(result, as_json, lines)
