"""`copnet sizes`: compare a slice at several sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_copnet.cli.console import Json, show, watched
from napari_copnet.cli.options import add_command
from napari_copnet.errors import InputError, OutputError
from napari_copnet.params import ClosingParams, ContourParams, DeviceParams, ReadParams


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "sizes", sizes_command)


def sizes_command(
    stack: Annotated[Path, typer.Argument(help="Stack: TIFF, NIfTI, MRC, OME-Zarr or a folder.")],
    out: Annotated[Path, typer.Option("--out", help="Picture to write (PNG).")] = Path("sizes.png"),
    *,
    read: ReadParams,
    device: DeviceParams,
    contours: ContourParams,
    closing: ClosingParams,
    number: Annotated[
        int | None, typer.Option("--slice", help="Slice to try; default: the middle one.")
    ] = None,
    sizes: Annotated[
        str, typer.Option("--sizes", help="Sizes to compare: longer in-plane sides, px.")
    ] = "256,384,512,768",
    as_json: Json = False,
) -> None:
    """Run the networks on a slice at several sizes, to choose --size before a long run."""
    import numpy as np

    from napari_copnet.evaluation.figures import is_picture
    from napari_copnet.files import check_file, check_writable, whole_file
    from napari_copnet.io.read import read_stack
    from napari_copnet.params import Settings
    from napari_copnet.sizes import picture, try_sizes

    wanted = _numbers(sizes)
    if out.resolve() == stack.resolve():
        raise OutputError(
            f"{out} is the stack itself.", "Give the picture another name with --out."
        )
    check_file(out, is_picture)
    image = read_stack(stack, read)
    check_writable(out.parent)
    z = image.shape[0] // 2 if number is None else number
    settings = Settings(device=device, contours=contours, closing=closing)
    tried = watched(try_sizes(image, z, wanted, settings, repair=read.repair))
    with whole_file(out) as beside:
        beside.write_bytes(picture(np.asarray(image.data[z]), tried))
    facts = [{"size": one.size, "cells": one.cells, "diameter": one.diameter} for one in tried]
    lines = [
        f"{one.size:>6} px: {one.cells} cells, half of them under {one.diameter:.0f} px across"
        for one in tried
    ]
    hint = (
        "Choose the size at which contours follow membranes and not structures inside cells, and "
        "run with --size."
    )
    show({"slice": z, "sizes": facts, "picture": str(out)}, as_json, [*lines, hint, f"See {out}"])


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise InputError(
            f"--sizes takes whole numbers, not {text!r}.", "For example: --sizes 256,384,512."
        ) from error
