"""`copnet finetune`: continue training a model on annotated slices."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_copnet.cli.console import Json, show, watched
from napari_copnet.cli.model_commands import Kind
from napari_copnet.cli.options import add_command
from napari_copnet.params import DeviceParams, FineTuneParams


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "finetune", finetune_command)


def finetune_command(
    project: Annotated[
        Path | None, typer.Argument(help="Project folder with slices that are done.")
    ] = None,
    *,
    kind: Kind = "contours",
    start_from: Annotated[
        str, typer.Option("--from", help="Model to start from, by name or folder.")
    ] = "default",
    contour_model: Annotated[
        str, typer.Option("--maps-by", help="closing: contour model that makes the Step 1 maps.")
    ] = "default",
    train: FineTuneParams,
    device: DeviceParams,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the new model; default: stack, kind and date."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Folder for the model; default: the models folder."),
    ] = None,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what would be done.")] = False,
    resume: Annotated[
        str | None, typer.Option("--resume", help="Resume the fine-tuning of this name.")
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="List the fine-tunings that can be resumed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fine-tune a model on the annotated slices of a project, and add it to the models."""
    from napari_copnet.errors import InputError
    from napari_copnet.networks.package import find_model, models_folder
    from napari_copnet.teaching import fine_tuning
    from napari_copnet.teaching.project import Project

    gallery = folder or models_folder()
    if unfinished:
        waiting = fine_tuning.unfinished(gallery)
        lines = [f"{one.name}: {one.kind}, from {one.parent}, begun {one.begun}" for one in waiting]
        show({"unfinished": waiting}, as_json, lines or ["There is no unfinished fine-tuning."])
        return
    if resume is not None:
        _show_model(watched(fine_tuning.resume(gallery / resume)), as_json)
        return
    if project is None:
        raise InputError("There is nothing to train on.", "Name a project, or give --resume NAME.")
    parent = find_model(start_from, kind)
    maps = find_model(contour_model, "contours") if kind == "closing" else None
    # Read-only, because the project may be open in a window.
    with Project.open(project, read_only=True) as opened:
        plan = fine_tuning.prospect(opened, kind, parent, train, contour_model=maps)
        if dry:
            values = {
                "text": plan.text,
                "train": list(plan.split.train),
                "held_out": list(plan.split.held_out),
                "minutes": plan.minutes,
            }
            show(values, as_json, [plan.text])
            return
        typer.echo(plan.text, err=True)
        model = watched(
            fine_tuning.fine_tune(
                opened,
                kind,
                parent,
                train,
                contour_model=maps,
                device=device,
                name=name,
                folder=gallery,
                command=shlex.join(["copnet", *sys.argv[1:]]),
            )
        )
    _show_model(model, as_json)


def _show_model(model: Any, as_json: bool) -> None:
    scores = model.card.get("scores", {})
    parent = model.card["parent"]
    result = {
        "name": model.name,
        "kind": model.kind,
        "sha256": model.sha256,
        "parent": parent,
        "scores": scores,
        "files": {"model": str(model.folder)},
    }
    lines = [f"Trained {model.name} ({model.kind}) from {parent['name']} to {model.folder}"]
    lines += [f"  {key}: {value}" for key, value in scores.items()]
    lines.append(f"Use it from now on with: copnet model adopt {model.name} --kind {model.kind}")
    show(result, as_json, lines)
