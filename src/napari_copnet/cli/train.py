"""`copnet train`: train contour and closing networks."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_copnet.cli.console import Json, explained, show, watched
from napari_copnet.cli.options import with_settings
from napari_copnet.params import DegradeParams, DeviceParams, TrainParams

if TYPE_CHECKING:
    from napari_copnet.training.sources import MadeTissue, Source

Truth = Annotated[
    list[Path] | None,
    typer.Option("--truth", help="True cells or contours of a stack. Give it once per stack."),
]
Slices = Annotated[
    list[str] | None,
    typer.Option(
        "--slices",
        help="Slices to train on, such as 0-114: once for each --truth, or once for all.",
    ),
]
Validation = Annotated[
    list[str] | None,
    typer.Option("--validation", help="Slices to validate on, as --slices."),
]
Planes = Annotated[
    str,
    typer.Option("--planes", help="xy, or xy,xz,yz for stacks with isotropic voxels."),
]
TruthKind = Annotated[
    Literal["auto", "labels", "contours", "cells"],
    typer.Option(
        "--truth-kind",
        help="What the truth holds: labels (cell ids), contours (above 0 = contour) or cells "
        "(above 0 = cell).",
    ),
]
Zero = Annotated[
    Literal["region", "contour", "ignore"],
    typer.Option("--zero", help="What label 0 means in a label image."),
]
Made = Annotated[
    int, typer.Option("--made", min=0, help="Stacks of made tissue to learn from besides.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the last checkpoint, to the same schedule.")
]
Name = Annotated[str | None, typer.Option("--name", help="Name of the model; default: its folder.")]
Licence = Annotated[
    str | None, typer.Option("--licence", help="Licence of the data, for the model card.")
]
Size = Annotated[
    int,
    typer.Option("--input-size", min=0, help="Longer in-plane side the network sees; 0 keeps it."),
]
Width = Annotated[
    float,
    typer.Option(
        "--contour-width",
        min=1.0,
        help="Width in pixels, at the size the network sees, of contours drawn between labels.",
    ),
]
StartFrom = Annotated[
    str | None,
    typer.Option("--start-from", help="Model, by name or folder, to go on from (fine-tuning)."),
]
ModelOut = Annotated[Path, typer.Option("--out", help="Model folder to write.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Train contour and closing networks.", no_args_is_help=True)
    group.command("contours")(explained(with_settings(contours_command)))
    group.command("closing")(explained(with_settings(closing_command)))
    app.add_typer(group, name="train")


def contours_command(
    out: ModelOut,
    *,
    image: Annotated[
        list[Path] | None, typer.Option("--image", help="The stack each --truth annotates.")
    ] = None,
    truth: Truth = None,
    slices: Slices = None,
    validation: Validation = None,
    planes: Planes = "xy",
    truth_kind: TruthKind = "auto",
    zero: Zero = "region",
    made: Made = 0,
    train: TrainParams,
    device: DeviceParams,
    resume: Resume = False,
    name: Name = None,
    licence: Licence = None,
    input_size: Size = 512,
    contour_width: Width = 4.0,
    start_from: StartFrom = None,
    as_json: Json = False,
) -> None:
    """Train a contour network (Step 1) from stacks and their true cells or contours."""
    sources = _sources(truth, image, "image", slices, validation, planes, truth_kind, zero, made)
    _train(
        "contours",
        sources,
        out,
        train,
        None,
        licence=licence,
        start_from=start_from,
        as_json=as_json,
        device=device,
        resume=resume,
        name=name,
        size=input_size,
        width=contour_width,
    )


def closing_command(
    out: ModelOut,
    *,
    truth: Truth = None,
    contours: Annotated[
        list[Path] | None,
        typer.Option(
            "--contours", help="Real Step 1 contour probability of each --truth, to learn from."
        ),
    ] = None,
    slices: Slices = None,
    validation: Validation = None,
    planes: Planes = "xy",
    truth_kind: TruthKind = "auto",
    zero: Zero = "region",
    made: Made = 0,
    train: TrainParams,
    degrade: DegradeParams,
    device: DeviceParams,
    resume: Resume = False,
    name: Name = None,
    licence: Licence = None,
    input_size: Size = 512,
    contour_width: Width = 4.0,
    start_from: StartFrom = None,
    as_json: Json = False,
) -> None:
    """Train a closing network (Step 2) from true cells or contours, degraded anew each step."""
    sources = _sources(
        truth, contours, "contours", slices, validation, planes, truth_kind, zero, made
    )
    _train(
        "closing",
        sources,
        out,
        train,
        degrade,
        licence=licence,
        start_from=start_from,
        as_json=as_json,
        device=device,
        resume=resume,
        name=name,
        size=input_size,
        width=contour_width,
    )


def _sources(
    truth: Sequence[Path] | None,
    partner: Sequence[Path] | None,
    role: str,
    slices: Sequence[str] | None,
    validation: Sequence[str] | None,
    planes: str,
    truth_kind: str,
    zero: str,
    made: int,
) -> list[Source | MadeTissue]:
    """Return the training sources that the options name.

    Raises
    ------
    InputError
        The options do not pair up.
    """
    from napari_copnet.errors import InputError
    from napari_copnet.training.sources import MadeTissue, Source

    truths = list(truth or [])

    def matched(values: Sequence[Any] | None, option: str, default: Any) -> list[Any]:
        given = list(values or [])
        if not given:
            return [default] * len(truths)
        if len(given) == 1 and option != role:
            return given * len(truths)
        if len(given) != len(truths):
            raise InputError(
                f"--{option} is given {len(given)} times, --truth {len(truths)} times.",
                f"Give --{option} once for each --truth.",
            )
        return given

    partners = matched(partner, role, None)
    ranges = matched(slices, "slices", "")
    held = matched(validation, "validation", "")
    sources: list[Source | MadeTissue] = [
        Source(
            truth=path,
            slices=chosen,
            validation=kept,
            planes=tuple(part.strip() for part in planes.split(",")),
            truth_kind=truth_kind,
            zero=zero,
            **{role: other},
        )
        for path, other, chosen, kept in zip(truths, partners, ranges, held, strict=True)
    ]
    if made:
        sources.append(MadeTissue(count=made))
    return sources


def _train(
    kind: str,
    sources: list[Source | MadeTissue],
    out: Path,
    train: TrainParams,
    degrade: DegradeParams | None,
    *,
    licence: str | None,
    start_from: str | None,
    as_json: bool,
    **more: Any,
) -> None:
    from napari_copnet.networks.package import find_model
    from napari_copnet.training.fit import train as fit
    from napari_copnet.training.fit import work_folder

    card = {"command": shlex.join(["copnet", *sys.argv[1:]])}
    if licence:
        card["licence"] = licence
    start = find_model(start_from, kind).folder if start_from else None
    model = watched(fit(kind, sources, out, train, degrade, card=card, start_from=start, **more))
    scores = model.card.get("scores", {})
    work = work_folder(out)
    result = {
        "name": model.name,
        "kind": model.kind,
        "sha256": model.sha256,
        "scores": scores,
        "files": {"model": str(model.folder), "losses": str(work / "losses.csv")},
    }
    lines = [f"Trained {model.name} ({model.kind}) to {model.folder}"]
    lines += [f"  {key}: {value}" for key, value in scores.items()]
    show(result, as_json, lines)
