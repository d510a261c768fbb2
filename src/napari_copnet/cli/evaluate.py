"""`copnet evaluate`: predicted contours against true ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from napari_copnet.cli.console import Json, show, watched
from napari_copnet.cli.options import add_command
from napari_copnet.cli.steps import Invert, TruthKind
from napari_copnet.params import ReadParams, ScoreParams

if TYPE_CHECKING:
    from napari_copnet.types import Stack


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "evaluate", evaluate_command)


def evaluate_command(
    pred: Annotated[
        Path, typer.Option("--pred", help="Predicted contours: mask, probability or labels.")
    ],
    truth: Annotated[
        Path, typer.Option("--truth", help="True contours: mask, probability or labels.")
    ],
    *,
    read: ReadParams,
    score: ScoreParams,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="Contours to compare with, such as Step 1's.")
    ] = None,
    exclude_pixels: Annotated[
        Path | None, typer.Option("--exclude-pixels", help="Mask of pixels that are not scored.")
    ] = None,
    exclude_cell: Annotated[
        Path | None,
        typer.Option("--exclude-cell", help="Mask of a structure whose true cell is not scored."),
    ] = None,
    slices: Annotated[
        str | None, typer.Option("--slices", help="Slices to score, such as 0-9 or 3,5,7.")
    ] = None,
    truth_kind: TruthKind = "auto",
    invert: Invert = False,
    out: Annotated[Path | None, typer.Option("--out", help="Also write scores.json here.")] = None,
    as_json: Json = False,
) -> None:
    """Score contours: labelled, merged, split, NSD and clDice, mean ± sd over slices."""
    import json

    from napari_copnet.cli.console import plain
    from napari_copnet.errors import InputError
    from napari_copnet.evaluation.contour_input import as_contour
    from napari_copnet.evaluation.report import score_table
    from napari_copnet.evaluation.scores import evaluate
    from napari_copnet.files import whole_file
    from napari_copnet.io.check import check_pixels
    from napari_copnet.io.read import read_stack
    from napari_copnet.training.sources import parse_slices

    def load(path: Path | None) -> Any:
        if path is None:
            return None
        stack: Stack = check_pixels(read_stack(path, read), read.repair)
        return np.asarray(stack.data[:])

    true = load(truth)
    if invert or truth_kind != "auto":
        true = as_contour(true, truth_kind, invert=invert)
    images: dict[str, Any] = {
        "prediction": load(pred),
        "truth": true,
        "baseline": load(baseline),
        "excluded pixels": load(exclude_pixels),
        "excluded structure": load(exclude_cell),
    }
    shape = images["truth"].shape
    for name, image in images.items():
        if image is not None and image.shape != shape:
            raise InputError(
                f"The {name} has the shape {image.shape}, the truth {shape}.",
                "Both have to lie on the same pixels; copnet run writes the original frame.",
            )
    numbers = parse_slices(slices or "", shape[0])
    chosen: list[Any] = [None if i is None else i[numbers] for i in images.values()]
    evaluation = watched(
        evaluate(
            chosen[0],
            chosen[1],
            score,
            baseline=chosen[2],
            exclude_pixels=chosen[3],
            exclude_cell=chosen[4],
        )
    )
    result = plain(evaluation.as_dict())
    for one in (result, result.get("baseline") or {"slices": []}):
        for scores in one["slices"]:
            scores["slice"] = numbers[scores["slice"]]
    if out is not None:
        with whole_file(out / "scores.json") as beside:
            beside.write_text(json.dumps(result, indent=1) + "\n")
        result["files"] = {"scores": str(out / "scores.json")}
    table = {"prediction": result}
    if result.get("baseline"):
        table = {"baseline": result["baseline"], **table}
    rows = ["".join(f"{cell:<20}" for cell in row).rstrip() for row in score_table(table)]
    show(result, as_json, [*rows, f"{result['cells']} true cells in {len(numbers)} slices"])
