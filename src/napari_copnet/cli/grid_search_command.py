"""`copnet grid-search`: compare degradations for training a closing network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_copnet.cli.console import Json, Out, show, watched
from napari_copnet.cli.inputs import read_checked
from napari_copnet.cli.options import add_command
from napari_copnet.cli.train_commands import Size, Synthetic, TruthKind, Width, Zero
from napari_copnet.params import DegradeParams, DeviceParams, ReadParams, ScoreParams, TrainParams
from napari_copnet.training.truth import WIDTH


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "grid-search", grid_search_command)


def grid_search_command(
    truth: Annotated[
        Path, typer.Option("--truth", help="True cells or contours of a stack, to train on.")
    ],
    contours: Annotated[
        Path,
        typer.Option(
            "--contours",
            help="Step 1 probability of the same stack, on whose validation slices to score.",
        ),
    ],
    validation: Annotated[
        str, typer.Option("--validation", help="Slices to score on, such as 40-49.")
    ],
    out: Out,
    *,
    slices: Annotated[
        str,
        typer.Option(
            "--slices", help="Slices to train on; default: all that are far enough from those."
        ),
    ] = "",
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            help="Values of a training setting, as NAME=V1,V2; may be repeated. Default: "
            "N1=0,6,12 and N2=0,10,20.",
        ),
    ] = None,
    parallel: Annotated[
        int, typer.Option("--parallel", min=1, help="Number of trainings at the same time.")
    ] = 1,
    truth_kind: TruthKind = "auto",
    zero: Zero = "region",
    synthetic: Synthetic = 0,
    read: ReadParams,
    train: TrainParams,
    degrade: DegradeParams,
    device: DeviceParams,
    score: ScoreParams,
    input_size: Size = 512,
    contour_width: Width = WIDTH,
    as_json: Json = False,
) -> None:
    """Train and score a closing network at each point of a grid; a stopped search continues."""
    from napari_copnet.errors import InputError
    from napari_copnet.evaluation.baselines.comparison import split_for_tuning
    from napari_copnet.evaluation.grid_search import (
        Search,
        grid_search,
        parse_grid,
        point_name,
        points_of,
    )
    from napari_copnet.evaluation.score_names import SCORES, score_text
    from napari_copnet.evaluation.validation import at_network_size
    from napari_copnet.io.probability import as_probability
    from napari_copnet.training.cases import read_array
    from napari_copnet.training.sources import Source, SyntheticTissue

    chosen = parse_grid(grid or [])
    u = as_probability(read_checked(contours, read))
    true, _ = read_array(truth)
    if u.shape != true.shape:
        raise InputError(
            f"The Step 1 map has the shape {u.shape}, the truth {true.shape}.",
            "Both must be of the same stack and size.",
        )
    learnt, judged = split_for_tuning(len(u), slices, validation)
    maps, stack = at_network_size(
        u[judged], true[judged], input_size, truth_kind, zero, score, contour_width
    )
    sources: list[Source | SyntheticTissue] = [
        Source(
            truth=truth,
            slices=_listed(learnt),
            validation=_listed(judged),
            truth_kind=truth_kind,
            zero=zero,
        )
    ]
    if synthetic:
        sources.append(SyntheticTissue(count=synthetic))
    search = Search(sources, maps, stack, train, degrade, device, input_size, contour_width)
    result = watched(grid_search(search, out, chosen, parallel=parallel))
    lines = [f"Step 1 alone: {100 * result['step1']['labelled']:.1f} % labelled"]
    for point, row in zip(points_of(chosen), result["points"], strict=True):
        scores = ", ".join(score_text(name, row[name]) for name in SCORES)
        lines.append(f"{point_name(point)}: {scores}")
    show(result, as_json, [*lines, f"See {result['files']['figure']}"])


def _listed(slices: list[int]) -> str:
    return ",".join(map(str, slices))
