"""`copnet run`: the whole pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_copnet.cli.console import Json, Out, show, watched
from napari_copnet.cli.options import add_command
from napari_copnet.io.formats import FormatName
from napari_copnet.params import (
    CellParams,
    ClosingParams,
    ContourParams,
    DeviceParams,
    PreprocessParams,
    ReadParams,
)

Format = Annotated[FormatName, typer.Option("--format", help="File format of the results.")]
Frame = Annotated[
    Literal["original", "processed"],
    typer.Option(
        "--frame",
        help="original: results overlay your stack. processed: resized and aligned, as the "
        "networks saw it, together with the image.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "run", run_command)


def run_command(
    stack: Annotated[Path, typer.Argument(help="Stack: TIFF, NIfTI, MRC, OME-Zarr or a folder.")],
    out: Out,
    *,
    read: ReadParams,
    preprocess: PreprocessParams,
    device: DeviceParams,
    contours: ContourParams,
    closing: ClosingParams,
    cells: CellParams,
    frame: Frame = "original",
    format: Format = "tiff",
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Keep the result of each step in OUT/work, and reuse it if its inputs and "
            "settings have not changed.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Run all steps on a stack: contours, closed contours and labelled cells."""
    from napari_copnet.cache import FolderCache, MemoryCache
    from napari_copnet.files import check_writable
    from napari_copnet.io.read import read_stack
    from napari_copnet.pipeline import Settings, restore, run
    from napari_copnet.runs.run_record import save_run

    image = read_stack(stack, read)
    check_writable(out)
    refuse_own_input(out, stack)
    settings = Settings(preprocess, device, contours, closing, cells)
    cache = FolderCache(out / "work") if resume else MemoryCache()
    result = watched(run(image, settings, cache=cache, repair=read.repair))
    restored = watched(restore(result)) if frame == "original" else None
    record = save_run(result, restored, settings, out, format)
    if not resume:
        FolderCache(out / "work").clear()
    show(record, as_json, summary(record))


def refuse_own_input(out: Path, *inputs: Path) -> None:
    """Refuse a results folder whose files would replace an input.

    Raises
    ------
    OutputError
        An input lies directly in `out`.
    """
    from napari_copnet.errors import OutputError

    for path in inputs:
        if path.resolve().parent == out.resolve():
            raise OutputError(
                f"{path.name} is in the results folder {out} and could be overwritten.",
                "Choose another folder with --out.",
            )


def summary(record: dict[str, Any]) -> list[str]:
    """Return a readable summary of a run."""
    iterations = len(record["changed"]) - record["likely_gaps"]
    state = "converged" if record["converged"] else "stopped before convergence"
    lines = [
        f"{record['cells']} cells; closing took {iterations} iterations and {state}"
        f"{', then closed likely gaps' if record['likely_gaps'] else ''}.",
        *record["notes"],
    ]
    return lines + [f"  {name:<12}{path}" for name, path in record["files"].items()]
