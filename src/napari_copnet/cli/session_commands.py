"""`copnet session`: create, inspect, recover and export proofreading sessions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from napari_copnet.cli.console import Json, Out, show, watched
from napari_copnet.cli.options import add_command
from napari_copnet.cli.run_command import Format
from napari_copnet.params import ReadParams

Folder = Annotated[Path, typer.Argument(help="Session folder.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Create, inspect, recover and export proofreading sessions.", no_args_is_help=True
    )
    add_command(group, "create", create_command)
    add_command(group, "info", info_command)
    add_command(group, "recover", recover_command)
    add_command(group, "export", export_command)
    app.add_typer(group, name="session")


def create_command(
    run: Annotated[
        Path, typer.Argument(help="Folder of a run; or, with --contours, a stack that was not run.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Session folder, new or empty.")],
    *,
    read: ReadParams,
    contours: Annotated[
        Path | None,
        typer.Option(
            "--contours",
            help="Contours or cells of the stack from elsewhere: a mask, a probability, such as "
            "ilastik's, or labels, such as Cellpose's.",
        ),
    ] = None,
    keep_image: Annotated[
        bool,
        typer.Option(
            "--keep-image/--refer-to-image",
            help="Copy the image into the session, or only refer to it by path and hash.",
        ),
    ] = True,
    as_json: Json = False,
) -> None:
    """Create a session from the results of a run, or of a stack with contours from elsewhere."""
    from napari_copnet.cli.inputs import read_checked, read_slices
    from napari_copnet.proofreading.session_files import make
    from napari_copnet.proofreading.session_start import from_run_folder
    from napari_copnet.teaching.project_start import start_from_elsewhere

    if contours is None:
        start = from_run_folder(run)
    else:
        # The channel is that of the contours' file, of which ilastik writes one for each class.
        stack = read_checked(run, replace(read, channel=None), lazy=True)
        found = read_slices(contours, ReadParams(channel=read.channel))
        start = start_from_elsewhere(stack, found)
    folder = watched(make(out, start, keep_image))
    show({"files": {"session": str(folder)}}, as_json, [f"Created the session {folder}"])


def info_command(folder: Folder, *, as_json: Json = False) -> None:
    """Show the contents of a session."""
    from napari_copnet.proofreading.session import Session

    with Session.open(folder, read_only=True) as session:
        history, verdicts = session.history, session.verdicts.values()
        edits = [history[index] for index in range(len(history))]
        cells = [session.cell_count(z) for z in range(session.shape[0])]
        result = {
            "folder": str(folder),
            "shape": list(session.shape),
            "voxel_size": list(session.facts.voxel_size),
            "runs": len(session.facts.runs),
            "cells_by_slice": cells,
            "links": len(session.links),
            "edits": history.position,
            "can_redo": len(history) - history.position,
            "accepted": sum(verdict.verdict == "accepted" for verdict in verdicts),
            "rejected": sum(verdict.verdict == "rejected" for verdict in verdicts),
            "list": [{"made": entry.made, "text": entry.text} for entry in edits],
        }
    lines = [
        f"{folder}: {' × '.join(map(str, session.shape))} (z × y × x), "
        f"{sum(cells)} slice cells, {result['links']} links",
        f"{result['edits']} edits, {result['can_redo']} to redo; "
        f"{result['accepted']} items accepted, {result['rejected']} rejected",
    ]
    lines += [
        f"  {'' if number <= history.position else 'undone '}{number}: {entry.text}"
        for number, entry in enumerate(edits, start=1)
    ]
    show(result, as_json, lines)


def recover_command(folder: Folder, *, as_json: Json = False) -> None:
    """Repair a damaged session so that it opens again; damaged files are kept."""
    from napari_copnet.proofreading.recover import recover

    done = recover(folder)
    lines = [*done.notes] or ["Nothing is damaged."]
    lines.append(f"{done.edits} edits are applied.")
    show({"edits": done.edits, "lost": done.lost, "notes": list(done.notes)}, as_json, lines)


def export_command(
    folder: Folder, out: Out, *, format: Format = "tiff", as_json: Json = False
) -> None:
    """Write contours, cells, marks and the list of edits."""
    from napari_copnet.proofreading.session import Session
    from napari_copnet.proofreading.session_export import export

    with Session.open(folder, read_only=True) as session:
        record = watched(export(session, out, format))
    lines = [f"{record['cells']} cells after {record['edits']} edits."]
    lines += [f"  {name:<12}{path}" for name, path in record["files"].items()]
    show(record, as_json, lines)
