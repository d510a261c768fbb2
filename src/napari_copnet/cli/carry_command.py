"""`copnet annotate carry`: contours of annotated slices for the slices beside and between them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_copnet.cli.console import Json, show, watched
from napari_copnet.params import CarryParams, DeviceParams


def carry_command(
    project: Annotated[Path, typer.Argument(help="Project folder (a proofreading session).")],
    slices: Annotated[
        str,
        typer.Argument(help="Slices to carry from, such as 0,10,20; default: those that are done."),
    ] = "",
    *,
    carry: CarryParams,
    device: DeviceParams,
    cell: Annotated[
        str,
        typer.Option(
            "--cell", help="Carry only the cell at this pixel, given as Y,X, of a single slice."
        ),
    ] = "",
    dry: Annotated[
        bool, typer.Option("--dry", help="Say how far it would go, without changing anything.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Carry contours of annotated slices to those beside and between them, if likely right.

    Slices that somebody has worked on stay as they are. Doubtful cells are left out of training.
    """
    from napari_copnet.teaching.carrying.project_carry import carry as carry_contours
    from napari_copnet.teaching.carrying.project_carry import named_range
    from napari_copnet.teaching.project import Project
    from napari_copnet.training.sources import parse_slices

    with Project.open(project, read_only=dry) as opened:
        chosen = parse_slices(slices, opened.shape[0]) if slices else None
        if cell:
            _carry_cell(opened, chosen, cell, carry, dry, as_json)
            return
        taken = []

        def take(progress: Any) -> None:
            one = progress.partial
            # At once: whatever ends the program, the slices so far are kept.
            if one is not None and (dry or opened.take_carried(one)):
                taken.append(one)

        watched(_told(carry_contours(opened, carry, chosen, device=device), take))
    taken.sort(key=lambda one: one.z)
    rows = [
        {
            "slice": one.z,
            "from": list(one.sources),
            "cells": one.cells,
            "in_doubt": round(one.in_doubt, 4),
            "doubtful": [
                {"y": place.y, "x": place.x, "trust": round(place.trust, 4), "size": place.size}
                for place in one.doubtful
            ],
        }
        for one in taken
    ]
    lines = [
        f"  {one.z:>5}  {one.cells} cells, {len(one.doubtful)} doubtful, from "
        f"{' and '.join(map(str, one.sources))}"
        for one in taken
    ]
    where = f"slices {named_range(one.z for one in taken)}" if taken else "no slice"
    lines.append(f"{'Would carry' if dry else 'Carried'} contours to {where}")
    show({"carried": rows, "slices": [one.z for one in taken]}, as_json, lines)


def _told(work: Any, tell: Any) -> Any:
    """Pass progress on, telling of each first."""
    from napari_copnet.progress import mapped

    def change(progress: Any) -> Any:
        tell(progress)
        return progress

    return mapped(work, change)


def _carry_cell(
    opened: Any, chosen: Any, cell: str, carry: CarryParams, dry: bool, as_json: bool
) -> None:
    from napari_copnet.errors import InputError
    from napari_copnet.teaching.carrying.one_cell import carry_cell
    from napari_copnet.teaching.carrying.project_carry import named_range

    if chosen is None or len(chosen) != 1:
        raise InputError(
            "A cell lies in one slice.", "Name the slice, as in: carry PROJECT 12 --cell Y,X"
        )
    try:
        y, x = (int(part) for part in cell.split(","))
    except ValueError as error:
        raise InputError(
            f"{cell!r} is not a pixel.", "Give row and column, such as 120,85."
        ) from error
    found = watched(carry_cell(opened, chosen[0], (y, x), carry))
    if not dry:
        for outline in found:
            opened.take_outline(outline)
    slices = [outline.z for outline in found]
    rows = [{"slice": one.z, "trust": round(one.trust, 4)} for one in found]
    where = f"slices {named_range(slices)}" if slices else "no slice"
    verb = "Would carry" if dry else "Carried"
    show({"carried": rows, "slices": slices}, as_json, [f"{verb} the cell to {where}"])
