"""`copnet run`: the whole pipeline."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_copnet.cli.console import Json, Out, say, show, watched
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
Outputs = Annotated[
    str | None,
    typer.Option(
        "--outputs",
        help="Results to write, from contours,closed,cells,iterations. By default all of them, "
        "except the contour probability of slices over 2048 px.",
    ),
]
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
    given: Annotated[
        Path | None,
        typer.Option(
            "--contours",
            help="Contour probability of the stack from elsewhere, such as ilastik's, in place of "
            "Step 1.",
        ),
    ] = None,
    given_channel: Annotated[
        int | None,
        typer.Option(
            "--contours-channel",
            min=0,
            help="Channel of --contours to use, counted from 0: ilastik writes one for each class.",
        ),
    ] = None,
    frame: Frame = "original",
    format: Format = "tiff",
    outputs: Outputs = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Continue where the same command was stopped, and repeat only what a changed "
            "setting affects: OUT/store keeps what is needed for that. --no-resume starts anew, "
            "and removes OUT/store at the end.",
        ),
    ] = True,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            help="Share the work among processes, with dask: local (this machine), slurm, or the "
            "address of a scheduler. OUT and the stack must be on a disk that all can reach.",
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option("--workers", min=0, help="Processes or jobs of the cluster; 0 chooses."),
    ] = 0,
    as_json: Json = False,
) -> None:
    """Run all steps on a stack: contours, closed contours and labelled cells."""
    from napari_copnet.files import check_writable
    from napari_copnet.fingerprint import fingerprint
    from napari_copnet.io.formats import FORMATS
    from napari_copnet.io.read import read_stack
    from napari_copnet.params import Settings
    from napari_copnet.pipeline import run
    from napari_copnet.restored import restored_lazily
    from napari_copnet.runs.finished_run import finished_run
    from napari_copnet.runs.generation import check_results
    from napari_copnet.runs.run_record import default_outputs
    from napari_copnet.runs.saving import saving
    from napari_copnet.store.folder import FolderStore

    wanted = named_outputs(outputs, closing)
    image = read_stack(stack, read, lazy=True)
    step1, read_given = None, None
    if given is not None:
        read_given = ReadParams(channel=given_channel, repair=read.repair)
        step1 = read_stack(given, read_given, lazy=True)
    check_writable(out)
    refuse_own_input(out, stack, *([given] if given else []))
    names = wanted or default_outputs(image.shape)
    check_results(out, [name + FORMATS[format][0] for name in names], replaces="run")
    settings = Settings(preprocess, device, contours, closing, cells)
    store = FolderStore(out / "store")
    with contextlib.ExitStack() as held:
        held.enter_context(store.alone())
        if not resume:
            store.clear()
        reopen = None
        if cluster is not None:
            from napari_copnet.distributed import StackOnDisk, workers_of

            store.workers, dashboard = held.enter_context(workers_of(cluster, workers))
            reopen = StackOnDisk(stack.absolute(), read, fingerprint(image))
            say(f"The cluster can be watched at {dashboard}")
        work = run(image, settings, contours=step1, store=store, repair=read.repair, reopen=reopen)
        result = watched(work)
        record = None
        if not result.seconds:
            record = finished_run(out, result.key, frame, format, names)
        if record is None:
            restored = restored_lazily(result) if frame == "original" else None
            record = watched(
                saving(result, restored, settings, out, format, names, read, read_given)
            )
        if not resume:
            store.clear()
    for line in warning(record):
        say(line)
    show(record, as_json, summary(record))


def named_outputs(outputs: str | None, closing: ClosingParams) -> tuple[str, ...]:
    """Return the results that were asked for by name; none if the choice is left to the run.

    Raises
    ------
    InputError
        A name that no result has, or iterations that are not kept.
    """
    from napari_copnet.errors import InputError
    from napari_copnet.runs.run_record import OUTPUTS

    names = tuple(name.strip() for name in (outputs or "").split(",") if name.strip())
    for name in names:
        if name not in OUTPUTS:
            raise InputError(f"There is no result {name!r}.", f"Choose of {', '.join(OUTPUTS)}.")
    if "iterations" in names and not closing.keep_iterations:
        raise InputError("Iterations are not kept.", "Add --keep-iterations.")
    return names


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


def warning(record: dict[str, Any]) -> list[str]:
    """Return what to warn of in a run whose verdict is not green, with the ways on."""
    from napari_copnet.verdict.types import GREEN, INVERT, SIZES, TEACH

    verdict = record.get("verdict")
    if not verdict or verdict["light"] == GREEN:
        return []
    ways = {
        SIZES: "copnet sizes shows a slice at several sizes; --size sets one.",
        INVERT: "--invert yes or --invert no sets whether dark and light are exchanged.",
        TEACH: "copnet annotate and copnet finetune teach the networks your tissue.",
    }
    asked = dict.fromkeys(reason["next"] for reason in verdict["reasons"] if reason["next"])
    return [
        f"Warning ({verdict['light']}): {verdict['says']}",
        *(f"  - {reason['says']}" for reason in verdict["reasons"]),
        *(ways[way] for way in asked),
    ]


def summary(record: dict[str, Any]) -> list[str]:
    """Return a readable summary of a run."""
    iterations = len(record["changed"]) - record["likely_gaps"]
    state = "converged" if record["converged"] else "stopped before convergence"
    cells = record.get("cells_in_words", record["cells"])
    lines = [
        f"{cells}; closing took {iterations} iteration{'s' if iterations != 1 else ''} and {state}"
        f"{', then closed likely gaps' if record['likely_gaps'] else ''}.",
        *([record["verdict"]["says"]] if record.get("verdict") else []),
        *record["notes"],
    ]
    return lines + [f"  {name:<12}{path}" for name, path in record["files"].items()]
