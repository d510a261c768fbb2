"""`copnet demo`: the whole pipeline on the bundled sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_copnet.cli.console import Json, show, watched
from napari_copnet.cli.options import add_command
from napari_copnet.gui.display import has_display
from napari_copnet.params import DeviceParams


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "demo", demo_command)


def demo_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path(
        "demo-output"
    ),
    *,
    device: DeviceParams,
    gui: Annotated[
        bool | None,
        typer.Option("--gui/--no-gui", help="Open napari; default: if there is a display."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the whole pipeline on the bundled sample: pictures, scores and a report."""
    from napari_copnet.demo import demo

    made = watched(demo(out, device))
    scores = made.record["scores"]
    before, after = scores["Step 1 alone"], scores["closed"]
    show(
        made.record,
        as_json,
        [
            f"{made.record['cells']} cells. Correctly labelled: "
            f"{100 * before['labelled']:.0f} % before closing, "
            f"{100 * after['labelled']:.0f} % after; "
            f"merged {100 * before['merged']:.0f} % before, {100 * after['merged']:.0f} % after.",
            f"See {made.record['files']['page']}",
        ],
    )
    if gui or (gui is None and not as_json and has_display()):
        from napari_copnet.gui.workflow.show_run import show_run

        show_run(made.result, made.restored)
