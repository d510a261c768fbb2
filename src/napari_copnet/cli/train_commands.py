"""`copnet train`: train contour and closing networks."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_copnet.cli.console import Json, show, watched
from napari_copnet.cli.options import Options, add_command
from napari_copnet.params import DegradeParams, DeviceParams, TrainParams

if TYPE_CHECKING:
    from napari_copnet.training.sources import Source, SyntheticTissue

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
    int, typer.Option("--made", min=0, help="Stacks of synthetic tissue to learn from besides.")
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
ModelOut = Annotated[Path, typer.Option("--out", help="Model folder to write.")]


@dataclass(frozen=True)
class Truths(Options):
    """What to learn from."""

    truth: Annotated[
        list[Path] | None,
        typer.Option("--truth", help="True cells or contours of a stack. Give it once per stack."),
    ] = None
    slices: Annotated[
        list[str] | None,
        typer.Option(
            "--slices",
            help="Slices to train on, such as 0-114: once for each --truth, or once for all.",
        ),
    ] = None
    validation: Annotated[
        list[str] | None,
        typer.Option("--validation", help="Slices to validate on, as --slices."),
    ] = None
    planes: Annotated[
        str,
        typer.Option("--planes", help="xy, or xy,xz,yz for stacks with isotropic voxels."),
    ] = "xy"
    truth_kind: TruthKind = "auto"
    zero: Zero = "region"
    made: Made = 0

    def sources(self, role: str, partners: Sequence[Path] | None) -> list[Source | SyntheticTissue]:
        """Return the training sources that the options name.

        Parameters
        ----------
        role : {"image", "contours"}
            What each truth has beside it.
        partners : sequence of Path, optional
            These, one for each truth.

        Raises
        ------
        InputError
            The options do not pair up.
        """
        from napari_copnet.errors import InputError
        from napari_copnet.training.sources import Source, SyntheticTissue

        truths = list(self.truth or [])

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

        others = matched(partners, role, None)
        ranges = matched(self.slices, "slices", "")
        held = matched(self.validation, "validation", "")
        sources: list[Source | SyntheticTissue] = [
            Source(
                truth=path,
                slices=chosen,
                validation=kept,
                planes=tuple(part.strip() for part in self.planes.split(",")),
                truth_kind=self.truth_kind,
                zero=self.zero,
                **{role: other},
            )
            for path, other, chosen, kept in zip(truths, others, ranges, held, strict=True)
        ]
        if self.made:
            sources.append(SyntheticTissue(count=self.made))
        return sources


@dataclass(frozen=True)
class OutputOptions(Options):
    """How a network is trained, whatever it learns from."""

    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint, to the same schedule.")
    ] = False
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the model; default: its folder.")
    ] = None
    licence: Annotated[
        str | None, typer.Option("--licence", help="Licence of the data, for the model card.")
    ] = None
    input_size: Size = 512
    contour_width: Width = 4.0
    start_from: Annotated[
        str | None,
        typer.Option("--start-from", help="Model, by name or folder, to go on from (fine-tuning)."),
    ] = None
    as_json: Json = False


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Train contour and closing networks.", no_args_is_help=True)
    add_command(group, "contours", contours_command)
    add_command(group, "closing", closing_command)
    app.add_typer(group, name="train")


def contours_command(
    out: ModelOut,
    *,
    image: Annotated[
        list[Path] | None, typer.Option("--image", help="The stack each --truth annotates.")
    ] = None,
    truths: Truths,
    train: TrainParams,
    device: DeviceParams,
    outcome: OutputOptions,
) -> None:
    """Train a contour network (Step 1) from stacks and their true cells or contours."""
    _train("contours", truths.sources("image", image), out, train, None, device, outcome)


def closing_command(
    out: ModelOut,
    *,
    contours: Annotated[
        list[Path] | None,
        typer.Option(
            "--contours", help="Real Step 1 contour probability of each --truth, to learn from."
        ),
    ] = None,
    truths: Truths,
    train: TrainParams,
    degrade: DegradeParams,
    device: DeviceParams,
    outcome: OutputOptions,
) -> None:
    """Train a closing network (Step 2) from true cells or contours, degraded anew each step."""
    _train("closing", truths.sources("contours", contours), out, train, degrade, device, outcome)


def _train(
    kind: str,
    sources: list[Source | SyntheticTissue],
    out: Path,
    train: TrainParams,
    degrade: DegradeParams | None,
    device: DeviceParams,
    outcome: OutputOptions,
) -> None:
    from napari_copnet.networks.package import find_model
    from napari_copnet.training.fit import train as fit
    from napari_copnet.training.fit import work_folder

    card = {"command": shlex.join(["copnet", *sys.argv[1:]])}
    if outcome.licence:
        card["licence"] = outcome.licence
    start = find_model(outcome.start_from, kind).folder if outcome.start_from else None
    model = watched(
        fit(
            kind,
            sources,
            out,
            train,
            degrade,
            card=card,
            start_from=start,
            device=device,
            resume=outcome.resume,
            name=outcome.name,
            size=outcome.input_size,
            width=outcome.contour_width,
        )
    )
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
    show(result, outcome.as_json, lines)
