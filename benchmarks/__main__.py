"""Both sides of a comparison in one run, as ratios: ``python -m benchmarks NAME [--json]``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_copnet.cli.console import Json, show
from napari_copnet.cli.options import add_command
from napari_copnet.errors import InputError
from napari_copnet.gui.display import has_display

Name = Literal[
    "closing",
    "degrade",
    "dock",
    "finetune",
    "labels",
    "proofread",
    "scale",
    "session",
    "teach",
    "teach_loop",
    "window",
]
# What can use data and models that the package does not hold, or a table.
_WITH = {
    "data": {"proofread", "finetune", "teach", "teach_loop"},
    "models": {"teach", "teach_loop"},
    "table": {"teach_loop"},
}
# What is measured in a window as well, where there is a display.
_IN_WINDOW = {"proofread": "benchmarks.bench_proofread_window"}
app = typer.Typer(name="benchmarks", add_completion=False, pretty_exceptions_enable=False)


def bench(
    name: Annotated[Name, typer.Argument(help="What to measure.")],
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Smaller, for a look; figures are less steady.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="proofread, finetune, teach, teach_loop: folder with data sets, to use them too.",
        ),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option("--models", help="teach, teach_loop: folder with contours-without-SET."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", help="teach_loop: file of its lines, to be gone on with."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure ours beside another way of doing the same, and say whether the goal is met."""
    measure = importlib.import_module(f"benchmarks.bench_{name}").run
    asked = {"data": data, "models": models, "table": table}
    given = {key: path for key, path in asked.items() if path is not None}
    for key in given:
        if name not in _WITH[key]:
            raise InputError(f"The benchmark {name} takes no {key}.", f"Leave --{key} out.")
    lines, in_window = [], []
    if name in _IN_WINDOW:
        if has_display():
            # First, in a process as fresh as that of somebody who has just opened a window.
            in_window = importlib.import_module(_IN_WINDOW[name]).run(quick=quick)
        else:
            lines.append("No display: the window was not measured. Run it under xvfb-run.")
    figures = measure(quick=quick, **given) + in_window
    for figure in figures:
        mark = "holds" if figure.holds else "falls short"
        lines.append(
            f"{figure.name}: {figure.value:.4g} {figure.unit} (goal {figure.goal}: {mark})"
        )
        lines.append(f"    ours: {figure.ours}")
        if figure.theirs:
            lines.append(f"    theirs: {figure.theirs}")
    if figures:
        lines.append(f"  on {figures[0].machine}")
    show({"name": name, "figures": figures}, as_json, lines)


add_command(app, "bench", bench)

if __name__ == "__main__":
    app()
