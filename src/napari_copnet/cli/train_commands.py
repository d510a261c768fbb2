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
        help="Content of the truth: labels (cell ids), contours (above 0 = contour) or cells "
        "(above 0 = cell); auto decides from its values.",
    ),
]
Zero = Annotated[
    Literal["region", "contour", "ignore"],
    typer.Option("--zero", help="Meaning of 0 in a label image."),
]
Synthetic = Annotated[
    int,
    typer.Option(
        "--synthetic", min=0, help="Number of stacks of synthetic tissue to train on, too."
    ),
]
SyntheticKind = Annotated[
    Literal["neuropil", "cortex", "tumour"],
    typer.Option("--synthetic-kind", help="Kind of the synthetic tissue."),
]
Size = Annotated[
    int,
    typer.Option(
        "--input-size", min=0, help="Longer in-plane side after resizing; 0 keeps the size."
    ),
]
Width = Annotated[
    float,
    typer.Option(
        "--contour-width",
        min=1.0,
        help="Width of the contours drawn between labels, in pixels after resizing.",
    ),
]
ModelOut = Annotated[Path, typer.Option("--out", help="Model folder to write, new or empty.")]


@dataclass(frozen=True)
class Truths(Options):
    """The training data."""

    truth: Annotated[
        list[Path] | None,
        typer.Option("--truth", help="True cells or contours of a stack; may be repeated."),
    ] = None
    slices: Annotated[
        list[str] | None,
        typer.Option(
            "--slices",
            help="Slices to train on, such as 0-114; once for each --truth, or once for all.",
        ),
    ] = None
    validation: Annotated[
        list[str] | None,
        typer.Option("--validation", help="Slices to validate on, given like --slices."),
    ] = None
    planes: Annotated[
        str,
        typer.Option("--planes", help="xy, or xy,xz,yz for stacks with isotropic voxels."),
    ] = "xy"
    truth_kind: TruthKind = "auto"
    zero: Zero = "region"
    synthetic: Synthetic = 0
    synthetic_kind: SyntheticKind = "neuropil"

    def sources(self, role: str, partners: Sequence[Path] | None) -> list[Source | SyntheticTissue]:
        """Return the training sources that the options name.

        Parameters
        ----------
        role : {"image", "contours"}
            Which images accompany the truths.
        partners : sequence of Path, optional
            The accompanying images, one for each truth.

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
        if self.synthetic:
            sources.append(SyntheticTissue(count=self.synthetic, kind=self.synthetic_kind))
        return sources


@dataclass(frozen=True)
class OutputOptions(Options):
    """Options of every training."""

    resume: Annotated[
        bool,
        typer.Option("--resume", help="Resume from the last checkpoint, with the same schedule."),
    ] = False
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the existing model in OUT.")
    ] = False
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the model; default: the name of its folder."),
    ] = None
    licence: Annotated[
        str | None,
        typer.Option("--licence", help="Licence of the training data, for the model card."),
    ] = None
    input_size: Size = 512
    contour_width: Width = 4.0
    start_from: Annotated[
        str | None,
        typer.Option("--start-from", help="Model to start from (fine-tuning), by name or folder."),
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
        list[Path] | None, typer.Option("--image", help="The image stack of each --truth.")
    ] = None,
    truths: Truths,
    train: TrainParams,
    device: DeviceParams,
    outcome: OutputOptions,
) -> None:
    """Train a contour network (Step 1) on stacks with true cells or contours."""
    _train("contours", truths.sources("image", image), out, train, None, device, outcome)


def closing_command(
    out: ModelOut,
    *,
    contours: Annotated[
        list[Path] | None,
        typer.Option(
            "--contours",
            help="Contour probability that Step 1 predicted for each --truth, to train on.",
        ),
    ] = None,
    truths: Truths,
    train: TrainParams,
    degrade: DegradeParams,
    device: DeviceParams,
    outcome: OutputOptions,
) -> None:
    """Train a closing network (Step 2) on true cells or contours with simulated gaps."""
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
            replace=outcome.replace,
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
