"""`copnet thresholds`: find the contour threshold that suits annotated slices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_copnet.cli.console import Json, show, watched
from napari_copnet.cli.inputs import read_slices, refuse_other_shapes
from napari_copnet.cli.options import add_command
from napari_copnet.errors import InputError
from napari_copnet.params import (
    ClosingParams,
    ContourParams,
    DeviceParams,
    PreprocessParams,
    ReadParams,
    ScoreParams,
)
from napari_copnet.types import CONTOUR_ABOVE

# Of the cells: where fewer are labelled, another threshold is no way out.
FEW = 0.1


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "thresholds", thresholds_command)


def thresholds_command(
    stack: Annotated[Path, typer.Argument(help="Stack: TIFF, NIfTI, MRC, OME-Zarr or a folder.")],
    truth: Annotated[
        Path, typer.Option("--truth", help="True contours or cells, of the shape of the stack.")
    ],
    *,
    read: ReadParams,
    preprocess: PreprocessParams,
    contours: ContourParams,
    closing: ClosingParams,
    device: DeviceParams,
    score: ScoreParams,
    slices: Annotated[
        str,
        typer.Option(
            "--slices",
            help="Annotated slices, such as 0-4 or 3,20; default: those where the truth has "
            "anything.",
        ),
    ] = "",
    thresholds: Annotated[
        str, typer.Option("--thresholds", help="Probabilities to compare.")
    ] = "0.2,0.35,0.5,0.65,0.8",
    exclude_pixels: Annotated[
        Path | None,
        typer.Option("--exclude-pixels", "--exclude", help="Mask of pixels that are not scored."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run annotated slices at several thresholds of Step 1, to choose --threshold before a run."""
    import numpy as np

    from napari_copnet.evaluation.score_names import SCORES, score_text
    from napari_copnet.evaluation.threshold_scores import best_threshold
    from napari_copnet.io.read import read_stack
    from napari_copnet.params import Settings
    from napari_copnet.thresholds import try_thresholds
    from napari_copnet.training.sources import parse_slices

    wanted = _numbers(thresholds)
    if contours.threshold != CONTOUR_ABOVE:
        raise InputError(
            "--threshold is of a run: here several are compared.",
            "Name them with --thresholds, such as 0.2,0.5,0.8.",
        )
    image = read_stack(stack, read)
    true = read_slices(truth, read)
    excluded = read_slices(exclude_pixels, read)
    if excluded is not None and excluded.shape[0] == 1:
        excluded = np.asarray(excluded[0])
    refuse_other_shapes({"truth": true}, image.shape)
    if slices.strip():
        chosen = parse_slices(slices, len(true))
    else:
        chosen = [z for z in range(len(true)) if np.ptp(true[z])]
    settings = Settings(preprocess=preprocess, contours=contours, closing=closing, device=device)
    tried = watched(
        try_thresholds(
            image,
            true,
            chosen,
            wanted,
            settings,
            score=score,
            exclude_pixels=excluded,
            repair=read.repair,
        )
    )
    best = best_threshold(tried)
    rows = [{"threshold": one.threshold, **one.scores} for one in tried]
    lines = [
        f"{one.threshold:>6g}: " + ", ".join(score_text(name, one.scores[name]) for name in SCORES)
        for one in tried
    ]
    most = max(one.scores["labelled"] for one in tried)
    if most < FEW:
        hint = (
            f"No threshold labels more than {100 * most:.1f} % of the cells: the networks do not "
            "know this tissue. Teach them, or try another --size."
        )
    elif best != CONTOUR_ABOVE:
        hint = f"Most cells are labelled at {best:g}: run with --threshold {best:g}."
    else:
        hint = "No other threshold labels clearly more cells than 0.5, which is the default."
    show({"slices": chosen, "thresholds": rows, "best": best}, as_json, [*lines, hint])


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise InputError(
            f"--thresholds takes numbers, not {text!r}.", "For example: --thresholds 0.2,0.5,0.8."
        ) from error
