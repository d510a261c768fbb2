"""`copnet rerun`: repeat a run from its record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_copnet.cli.console import Json, say, show, watched
from napari_copnet.cli.options import add_command


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "rerun", rerun_command)


def rerun_command(
    record: Annotated[Path, typer.Argument(help="run.json of a run, or its folder.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for the results; default: that of the run with -rerun appended."
        ),
    ] = None,
    stack: Annotated[
        Path | None, typer.Option("--stack", help="The stack, if it was moved or renamed.")
    ] = None,
    contours: Annotated[
        Path | None,
        typer.Option(
            "--contours", help="The contours that the run was given, if they were moved or renamed."
        ),
    ] = None,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway", help="Continue even if the stack or a model is not that of the run."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Repeat a run from its record, compare the results, and say what differs."""
    from napari_copnet.errors import InputError
    from napari_copnet.runs.rerun import plan_of, rerun

    plan = plan_of(record, stack, contours)
    for difference in plan.differences:
        say(difference.text)
    decisive = [one for one in plan.differences if one.decides]
    if decisive and not anyway:
        raise InputError(
            f"The run can't be repeated: {' '.join(one.text for one in decisive)}",
            "Restore what it was made from, or add --anyway.",
        )
    folder = plan.folder.resolve()
    report = watched(rerun(plan, out or folder.with_name(folder.name + "-rerun")))
    verdicts = {
        True: "The results are the same, to the pixel.",
        False: "The results differ.",
        None: "The results of the run are no longer there to compare with.",
    }
    lines = [verdicts[report["same"]]]
    for name, share in report["results"].items():
        if share:
            lines.append(f"  {name}: {share:.4%} of the voxels differ")
    lines += [f"  {name:<12}{path}" for name, path in report["files"].items()]
    show(report, as_json, lines)
