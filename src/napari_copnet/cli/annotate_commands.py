"""`copnet annotate`: slices to annotate, their checks, export and comparison of models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_copnet.cli.carry_command import carry_command
from napari_copnet.cli.console import Json, show, watched
from napari_copnet.cli.model_commands import Kind
from napari_copnet.cli.next_command import next_command
from napari_copnet.cli.options import add_command
from napari_copnet.params import CheckParams, ChooseParams, DeviceParams, ReadParams

Folder = Annotated[Path, typer.Argument(help="Project folder (a proofreading session).")]
Slices = Annotated[str, typer.Argument(help="Slices, such as 0,10,20 or 0-4, counted from 0.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Annotate slices to train networks on.", no_args_is_help=True)
    add_command(group, "create", create_command)
    add_command(group, "choose", choose_command)
    add_command(group, "slices", slices_command)
    add_command(group, "check", check_command)
    add_command(group, "draw", draw_command)
    add_command(group, "carry", carry_command)
    add_command(group, "done", done_command)
    add_command(group, "next", next_command)
    add_command(group, "reopen", reopen_command)
    add_command(group, "drop", drop_command)
    add_command(group, "export", export_command)
    add_command(group, "compare", compare_command)
    app.add_typer(group, name="annotate")


def create_command(
    run: Annotated[
        Path | None, typer.Argument(help="Folder of a run whose contours are the starting point.")
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", help="Project folder, new or empty.")],
    image: Annotated[
        Path | None, typer.Option("--image", help="The stack, if there is no run of it.")
    ] = None,
    contours: Annotated[
        Path | None,
        typer.Option("--contours", help="Without a run: contours or cells to start from."),
    ] = None,
    size: Annotated[
        int,
        typer.Option(
            "--input-size", min=0, help="Without a run: longer side of slices for the networks, px."
        ),
    ] = 512,
    read: ReadParams,
    as_json: Json = False,
) -> None:
    """Create a project from the results of a run, or from an image."""
    from napari_copnet.cli.inputs import read_checked, read_slices
    from napari_copnet.errors import InputError
    from napari_copnet.teaching.project import Project
    from napari_copnet.teaching.project_start import start_from_images, start_from_run

    stack = None if image is None else read_checked(image, read, lazy=True)
    if run is not None:
        if contours is not None:
            raise InputError("A run already has contours.", "Leave out --contours.")
        start = start_from_run(run, stack)
    elif stack is not None:
        start = start_from_images(stack, read_slices(contours, ReadParams()), size)
    else:
        raise InputError(
            "There is nothing to annotate.", "Name the folder of a run, or give --image."
        )
    with Project.create(out, start) as project:
        shape = project.shape
    result = {"shape": list(shape), "files": {"project": str(out)}}
    show(result, as_json, [f"Created the project {out} with {shape[0]} slices"])


def choose_command(
    project: Folder,
    *,
    choose: ChooseParams,
    queue: Annotated[
        bool,
        typer.Option("--queue/--no-queue", help="need: also count the items of the review queue."),
    ] = True,
    dry: Annotated[
        bool, typer.Option("--dry", help="Propose slices without changing the list.")
    ] = False,
    model: Annotated[
        str, typer.Option("--model", help="need: contour model that will be trained.")
    ] = "default",
    as_json: Json = False,
) -> None:
    """Add slices to the list to annotate: every n-th, or the most useful ones."""
    import numpy as np

    from napari_copnet.networks.package import find_model
    from napari_copnet.proofreading.queue import build_queue
    from napari_copnet.teaching.project import Project
    from napari_copnet.teaching.slice_choice import propose

    with Project.open(project, read_only=dry) as opened:
        items: list[Any] = []
        trained_on = None
        if choose.by == "need":
            looks = find_model(model, "contours").card.get("looks")
            trained_on = np.array(looks, float) if looks else None
            if queue:
                items = watched(build_queue(opened.session))
        found = watched(
            propose(opened.session, choose, done=opened.done, items=items, trained_on=trained_on)
        )
        if not dry:
            opened.choose(found)
        listed = opened.chosen
    result = {
        "proposed": [{"slice": one.z, "reason": one.reason, "need": one.need} for one in found],
        "chosen": listed,
    }
    show(result, as_json, [f"  {one.z:>5}  {one.reason}" for one in found])


def slices_command(project: Folder, *, as_json: Json = False) -> None:
    """List the slices to annotate and their states."""
    from napari_copnet.teaching.project import Project

    with Project.open(project, read_only=True) as opened:
        rows = [
            {
                "slice": z,
                "state": opened.state(z),
                "reason": opened.slice(z).reason,
                "reviewed": round(float(opened.reviewed(z).mean()), 4),
                "findings_left": opened.slice(z).left,
            }
            for z in opened.chosen
        ]
        counts = opened.counts()
    lines = [f"  {row['slice']:>5}  {row['state']:<10}  {row['reason']}" for row in rows]
    lines.append(", ".join(f"{count} {state}" for state, count in counts.items()))
    show({"slices": rows, "counts": counts}, as_json, lines)


def check_command(
    project: Folder,
    slices: Annotated[
        str,
        typer.Argument(help="Slices, such as 0,10, counted from 0; default: those on the list."),
    ] = "",
    *,
    check: CheckParams,
    remove_islands: Annotated[
        bool,
        typer.Option(
            "--remove-islands",
            help="First turn tiny pieces of contour into cell, and tiny pieces of cell into "
            "contour; an edit that can be undone.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Look for open contours, cells with a missing contour, and tiny islands."""
    from napari_copnet.teaching.project import Project
    from napari_copnet.teaching.slice_check import without_islands
    from napari_copnet.training.sources import parse_slices

    with Project.open(project, read_only=not remove_islands) as opened:
        chosen = parse_slices(slices, opened.shape[0]) if slices else opened.chosen
        for z in chosen if remove_islands else ():
            contour, out = opened.to_check(z)
            opened.draw(z, without_islands(contour, check.island, excluded=out))
        found = {z: opened.check(z, check) for z in chosen}
    _show_findings(found, {}, as_json)


def draw_command(
    project: Folder,
    slices: Annotated[
        str,
        typer.Argument(
            help="Slices counted from 0, such as 0,10; default: all in which the file has any."
        ),
    ] = "",
    *,
    contours: Annotated[
        Path,
        typer.Option(
            "--contours",
            help="Labels, contours or their probability: of the whole stack, or of these slices "
            "alone, in their order.",
        ),
    ],
    kind: Annotated[
        Literal["auto", "labels", "mask", "probability"],
        typer.Option("--kind", help="What the file holds; auto tells it by the values."),
    ] = "auto",
    labelled_only: Annotated[
        bool,
        typer.Option(
            "--labelled-only",
            help="What has no label was not annotated, instead of being background.",
        ),
    ] = False,
    read: ReadParams,
    as_json: Json = False,
) -> None:
    """Replace the contours of slices by those in a file, such as one drawn in another program."""
    from napari_copnet.cli.inputs import read_slices
    from napari_copnet.teaching.drawn_elsewhere import drawn_slices
    from napari_copnet.teaching.project import Project
    from napari_copnet.training.sources import parse_slices

    with Project.open(project) as opened:
        chosen = parse_slices(slices, opened.shape[0]) if slices else None
        found = watched(drawn_slices(read_slices(contours, read), opened.shape, chosen, kind))
        for one in found:
            opened.take_drawn(one, labelled_only=labelled_only)
    taken = [one.z for one in found]
    show({"slices": taken}, as_json, [f"Replaced the contours of {len(taken)} slices"])


def done_command(
    project: Folder,
    slices: Slices,
    *,
    check: CheckParams,
    despite: Annotated[
        bool, typer.Option("--despite", help="Mark as done even if the checks find something.")
    ] = False,
    reviewed: Annotated[
        Path | None,
        typer.Option(
            "--reviewed", help="Mask of the reviewed area (above 0); the rest is ignored."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check slices, and mark those without findings as done."""
    import numpy as np

    from napari_copnet.cli.inputs import read_slices
    from napari_copnet.teaching.project import DONE, Project
    from napari_copnet.training.sources import parse_slices

    mask = read_slices(reviewed, ReadParams())
    with Project.open(project) as opened:
        chosen = parse_slices(slices, opened.shape[0])
        found = {}
        for z in chosen:
            if mask is not None:
                opened.set_reviewed(z, np.asarray(mask[z if len(mask) > 1 else 0]))
            found[z] = opened.finish(z, check, despite=despite)
        states = {z: opened.state(z) for z in chosen}
    _show_findings(found, states, as_json)
    if any(state != DONE for state in states.values()):
        raise typer.Exit(1)


def reopen_command(project: Folder, slices: Slices, *, as_json: Json = False) -> None:
    """Put slices that are done back in work."""
    _each(project, slices, "reopen", as_json)


def drop_command(project: Folder, slices: Slices, *, as_json: Json = False) -> None:
    """Remove slices from the list; their contours are kept."""
    _each(project, slices, "drop", as_json)


def export_command(
    project: Folder,
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder to write, new or empty.")],
    kind: Kind = "contours",
    number: Annotated[int, typer.Option("--number", help="Number of the dataset.")] = 1,
    name: Annotated[str | None, typer.Option("--name", help="Name of the dataset.")] = None,
    model: Annotated[
        str, typer.Option("--model", help="closing: contour model that makes the Step 1 maps.")
    ] = "default",
    hold_out: Annotated[
        bool,
        typer.Option(
            "--hold-out/--no-hold-out", help="Hold out the slices of fold 0 for validation."
        ),
    ] = True,
    gpus: Annotated[
        int, typer.Option("--gpus", help="Number of GPUs for the printed commands.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Write an nnU-Net dataset, to train elsewhere with nnU-Net's commands."""
    from napari_copnet.networks.package import find_model
    from napari_copnet.teaching.nnunet_export import export_nnunet
    from napari_copnet.teaching.project import Project

    maps = find_model(model, "contours") if kind == "closing" else None
    with Project.open(project, read_only=True) as opened:
        result = watched(
            export_nnunet(
                opened,
                out,
                kind,
                number=number,
                name=name,
                model=maps,
                hold_out=hold_out,
                gpus=gpus,
            )
        )
    lines = [f"Wrote {result['dataset']} with {len(result['cases'])} slices. To train it:"]
    show(result, as_json, lines + [f"  {line}" for line in result["commands"]])


def compare_command(
    project: Folder,
    *,
    new: Annotated[str, typer.Option("--new", help="New model, by name or folder.")],
    old: Annotated[
        str, typer.Option("--old", help="Model to compare with, by name or folder.")
    ] = "shipped",
    kind: Kind = "contours",
    slices: Annotated[
        str,
        typer.Option(
            "--slices",
            help="Slices that are done; default: those that neither model was trained on.",
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the contours of both models.")
    ] = None,
    device: DeviceParams,
    as_json: Json = False,
) -> None:
    """Compare a new model with an old one on annotated slices."""
    from napari_copnet.files import check_writable
    from napari_copnet.io.write import write_image
    from napari_copnet.networks.package import find_model
    from napari_copnet.teaching.model_comparison import compare
    from napari_copnet.teaching.project import Project
    from napari_copnet.training.sources import parse_slices

    if out is not None:
        check_writable(out)
    models = find_model(old, kind), find_model(new, kind)
    files = {}
    with Project.open(project, read_only=True) as opened:
        chosen = parse_slices(slices, opened.shape[0]) if slices else None
        compared = watched(compare(opened, *models, slices=chosen, device=device))
        if out is not None:
            masks = {"old": compared.old_mask, "new": compared.new_mask, "truth": compared.truth}
            for name, mask in masks.items():
                size = opened.session.facts.voxel_size
                path = write_image(out / name, mask, voxel_size=size, kind="closed")
                files[name] = str(path)
    lines = [compared.text, f"  {'':<10}{'old':>8}{'new':>8}"]
    lines += [f"  {row['name']:<10}{row['old']:>8.3f}{row['new']:>8.3f}" for row in compared.rows()]
    show({**compared.as_dict(), "text": compared.text, "files": files}, as_json, lines)


def _each(project: Path, slices: str, what: Literal["reopen", "drop"], as_json: bool) -> None:
    from napari_copnet.teaching.project import Project
    from napari_copnet.training.sources import parse_slices

    with Project.open(project) as opened:
        chosen = parse_slices(slices, opened.shape[0])
        for z in chosen:
            getattr(opened, what)(z)
        states = {str(z): opened.state(z) for z in chosen}
    show({"states": states}, as_json, [f"  {z:>5}  {state}" for z, state in states.items()])


def _show_findings(found: dict[int, Any], states: dict[int, str], as_json: bool) -> None:
    rows = [
        {"slice": z, "kind": one.kind, "y": one.y, "x": one.x, "size": one.size, "text": one.text}
        for z, findings in found.items()
        for one in findings
    ]
    lines = []
    for z, findings in found.items():
        state = f" {states[z]}" if z in states else ""
        count = len(findings)
        lines.append(f"Slice {z}:{state} {count or 'no'} finding{'s' if count != 1 else ''}")
        lines += [f"    ({one.y}, {one.x})  {one.text}" for one in findings[:20]]
        if count > 20:
            lines.append(f"    and {count - 20} more")
    show({"findings": rows, "states": {str(z): s for z, s in states.items()}}, as_json, lines)
