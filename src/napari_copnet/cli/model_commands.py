"""`copnet model`: list, import, adopt, discard and export models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_copnet.cli.console import Json, show
from napari_copnet.cli.options import add_command

Kind = Annotated[
    Literal["contours", "closing"],
    typer.Option(
        "--kind",
        help="Kind of model: contours (Step 1) or closing (Step 2).",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="List, import, adopt, discard and export models.", no_args_is_help=True
    )
    add_command(group, "list", list_command)
    add_command(group, "show", show_command)
    add_command(group, "import", import_command)
    add_command(group, "adopt", adopt_command)
    add_command(group, "discard", discard_command)
    add_command(group, "restore", restore_command)
    add_command(group, "export", export_command)
    app.add_typer(group, name="model")


def list_command(
    *,
    discarded: Annotated[
        bool, typer.Option("--discarded", help="List discarded models, which can be restored.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the models; the default of each kind is marked."""
    from napari_copnet.teaching import gallery

    if discarded:
        gone = [_described(model) for model in gallery.discarded()]
        show({"models": gone}, as_json, [f"{m['name']:<28}{m['kind']}" for m in gone])
        return
    entries = gallery.entries()
    lines = [
        f"{'*' if e.adopted else ' '} {e.model.name:<34}{e.model.kind:<10}"
        f"{e.model.plan.dimensions}D  {e.text}"
        for e in entries
    ]
    show({"models": [gallery.as_plain(e) for e in entries]}, as_json, lines)


def show_command(
    model: Annotated[str, typer.Argument(help="Name or folder of a model.")],
    *,
    kind: Kind = "contours",
    as_json: Json = False,
) -> None:
    """Show a model's card: its training data and scores; with --json everything in it."""
    from napari_copnet.networks.model_card import card_lines
    from napari_copnet.networks.package import find_model

    found = find_model(model, kind)
    described = {**_described(found), "plan": found.plan.as_dict(), "card": found.card}
    show(described, as_json, card_lines(found))


def import_command(
    source: Annotated[Path, typer.Argument(help="nnU-Net result folder or zip, or a model zip.")],
    *,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Name for the model; default: that in its zip, or of nnU-Net's data set.",
        ),
    ] = None,
    kind: Kind = "contours",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Model folder to write; default: one in the models folder."),
    ] = None,
    configuration: Annotated[
        str | None, typer.Option(help="nnU-Net configuration, such as 2d or 3d_fullres.")
    ] = None,
    fold: Annotated[str | None, typer.Option(help="nnU-Net fold, such as 0 or all.")] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="nnU-Net checkpoint file; default: the final one, else the best or latest."
        ),
    ] = None,
    contour: Annotated[
        str | None,
        typer.Option(help="Name of the nnU-Net class that is the contour, if it is not clear."),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace an existing model with this name, or in --out."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Import a model; no code in it is run."""
    from napari_copnet.networks.import_model import import_model

    model = import_model(
        source,
        kind,
        name,
        out=out,
        replace=replace,
        configuration=configuration,
        fold=fold,
        checkpoint=checkpoint,
        contour=contour,
    )
    lines = [f"Imported {model.name} ({model.kind}) to {model.folder}"]
    lines += [f"  {key}: {model.card[key]}" for key in ("fold", "contour") if key in model.card]
    show(_described(model), as_json, lines)


def adopt_command(
    model: Annotated[
        str, typer.Argument(help="Name of a model; shipped goes back to the shipped model.")
    ],
    *,
    kind: Kind = "contours",
    as_json: Json = False,
) -> None:
    """Make a model the default of its kind."""
    from napari_copnet.networks.package import adopt, find_model

    found = find_model(model, kind)
    adopt(found)
    show(_described(found), as_json, [f"The default {found.kind} model is now {found.name}"])


def discard_command(
    model: Annotated[str, typer.Argument(help="Name of a model.")],
    *,
    kind: Kind = "contours",
    as_json: Json = False,
) -> None:
    """Remove a model from the list; `copnet model restore` puts it back."""
    from napari_copnet.networks.package import find_model
    from napari_copnet.teaching.gallery import discard

    found = find_model(model, kind)
    place = discard(found)
    lines = [f"Discarded {found.name}. Put it back with: copnet model restore {found.name}"]
    show({"name": found.name, "files": {"model": str(place)}}, as_json, lines)


def restore_command(
    model: Annotated[str, typer.Argument(help="Name of a discarded model.")],
    *,
    as_json: Json = False,
) -> None:
    """Put a discarded model back."""
    from napari_copnet.teaching.gallery import restore

    found = restore(model)
    show(_described(found), as_json, [f"Restored {found.name} to {found.folder}"])


def export_command(
    model: Annotated[str, typer.Argument(help="Name or folder of a model.")],
    out: Annotated[Path, typer.Option("--out", help="Zip file, or folder, to write.")],
    *,
    kind: Kind = "contours",
    format: Annotated[
        Literal["zip", "folder", "bioimageio"],
        typer.Option(
            "--format",
            help="zip: for `copnet model import`. folder: a model folder. bioimageio: a package "
            "for the BioImage Model Zoo, as used by Fiji, ilastik and others.",
        ),
    ] = "zip",
    author: Annotated[
        list[str] | None, typer.Option("--author", help="bioimageio: author; may be repeated.")
    ] = None,
    licence: Annotated[
        str, typer.Option("--licence", help="bioimageio: SPDX identifier, such as CC-BY-4.0.")
    ] = "CC-BY-3.0",
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace an earlier export of a model there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Export a model to share it."""
    from napari_copnet.networks.model_zip import export_zip
    from napari_copnet.networks.package import find_model

    found = find_model(model, kind)
    if format == "bioimageio":
        from napari_copnet.teaching.model_zoo import export_model_zoo

        path = export_model_zoo(found, out, authors=author or (), licence=licence, replace=replace)
    elif format == "folder":
        from napari_copnet.teaching.gallery import export_folder

        path = export_folder(found, out, replace=replace)
    else:
        path = export_zip(found, out, replace=replace)
    show({"files": {"model": str(path)}}, as_json, [f"Wrote {path}"])


def _described(model: Any) -> dict[str, Any]:
    return {
        "name": model.name,
        "kind": model.kind,
        "dimensions": model.plan.dimensions,
        "folder": str(model.folder),
        "sha256": model.sha256,
    }
