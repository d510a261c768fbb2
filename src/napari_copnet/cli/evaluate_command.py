"""`copnet evaluate`: predicted contours against true ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from napari_copnet.cli.console import Json, show, watched
from napari_copnet.cli.inputs import (
    read_checked,
    read_padding,
    read_values,
    refuse_other_shapes,
)
from napari_copnet.cli.options import add_command
from napari_copnet.cli.step_commands import Invert, TruthKind
from napari_copnet.errors import InputError
from napari_copnet.params import ReadParams, ScoreParams


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
        Path | None,
        typer.Option("--baseline", help="Contours to compare with, such as those of Step 1."),
    ] = None,
    exclude_pixels: Annotated[
        Path | None,
        typer.Option(
            "--exclude-pixels",
            "--exclude",
            help="Mask of pixels to leave out of the scores. The padding found by a run is saved "
            "beside its results, and is left out too.",
        ),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option("--image", help="The stack; padding found in it is left out of the scores."),
    ] = None,
    exclude_cell: Annotated[
        Path | None,
        typer.Option(
            "--exclude-cell", help="Mask of a structure; true cells in it are not scored."
        ),
    ] = None,
    slices: Annotated[
        str | None, typer.Option("--slices", help="Slices to score, such as 0-9 or 3,5,7.")
    ] = None,
    truth_kind: TruthKind = "auto",
    invert: Invert = False,
    iterations: Annotated[
        Path | None,
        typer.Option("--iterations", help="Iterations that a run kept, to score each of them."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for scores.json, slices.csv and cells.csv."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="File for a table of all true cells.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="File for a report with figures (HTML).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score contours: labelled, merged, split, NSD and clDice, mean ± sd over slices."""
    import json
    from dataclasses import replace

    from napari_copnet.cli.console import plain
    from napari_copnet.evaluation.contour_input import as_contour
    from napari_copnet.evaluation.over_iterations import score_iterations
    from napari_copnet.evaluation.page import evaluation_page
    from napari_copnet.evaluation.report import is_page, score_table
    from napari_copnet.evaluation.score_tables import is_cells, write_cells, write_slices
    from napari_copnet.evaluation.scores import evaluate_all
    from napari_copnet.evaluation.true_slices import TrueStack
    from napari_copnet.files import check_file, check_writable, whole_file
    from napari_copnet.io.read import read_iterations
    from napari_copnet.runs.united import is_united
    from napari_copnet.training.sources import parse_slices

    true = np.asarray(read_checked(truth, read).data[:])
    if invert or truth_kind != "auto":
        true = as_contour(true, truth_kind, invert=invert)
    padding = read_padding(pred, None, true.shape, read)
    if image is not None:
        padding = _with_padding_of(image, padding, true.shape, read)
    images = {
        "prediction": read_values(pred, read),
        "baseline": read_values(baseline, read),
        "excluded pixels": read_values(exclude_pixels, read),
        "excluded structure": read_values(exclude_cell, read),
    }
    refuse_other_shapes(images, true.shape)
    kept = read_iterations(iterations) if iterations is not None else None
    refuse_other_shapes({"iterations": None if kept is None else kept[0]}, true.shape)
    for folder in (out, *(file.parent for file in (csv, report) if file is not None)):
        if folder is not None:
            check_writable(folder)
    if csv is not None:
        check_file(csv, is_cells)
    if report is not None:
        check_file(report, is_page)

    numbers = parse_slices(slices or "", true.shape[0])
    chosen = {name: None if image is None else image[numbers] for name, image in images.items()}
    stack = TrueStack(
        true[numbers],
        score,
        exclude_pixels=chosen["excluded pixels"],
        exclude_cell=chosen["excluded structure"],
        padding=None if padding is None else padding[numbers],
    )
    contours = {
        name: stack.prediction(name, predicted)
        for name in ("prediction", "baseline")
        if (predicted := chosen[name]) is not None
    }
    scores = watched(evaluate_all(contours, stack, numbers))
    evaluation = replace(scores["prediction"], baseline=scores.get("baseline"))
    result = plain(evaluation.as_dict())
    if padding is not None:
        result["padding"] = float(np.mean(padding[numbers]))
    by_iteration = None
    if kept is not None and iterations is not None:
        unite = is_united(_record_beside(iterations))
        by_iteration = watched(score_iterations(kept[:, numbers], stack, numbers, unite))
        result["iterations"] = by_iteration.as_dict()

    files: dict[str, str] = {}
    if out is not None:
        with whole_file(out / "scores.json") as beside:
            beside.write_text(json.dumps(result, indent=1) + "\n")
        files["scores"] = str(out / "scores.json")
        files["slices"] = str(write_slices(out / "slices.csv", evaluation))
        files["cells"] = str(write_cells(out / "cells.csv", evaluation))
    if csv is not None:
        files["csv"] = str(write_cells(csv, evaluation))
    if report is not None:
        page = evaluation_page(
            report,
            evaluation,
            stack,
            contours["prediction"],
            baseline=contours.get("baseline"),
            iterations=by_iteration,
            title=f"{pred.name} against {truth.name}",
        )
        files["report"] = str(page)
    if files:
        result["files"] = files
    table = {name: one.as_dict() for name, one in reversed(scores.items())}
    rows = ["".join(f"{cell:<20}" for cell in row).rstrip() for row in score_table(table)]
    end = f"{result['cells']} true cells in {len(numbers)} slices"
    if padding is not None:
        end += f"; {result['padding']:.1%} of the pixels are padding, and left out of the scores"
    show(result, as_json, [*rows, end, *(f"  {name:<12}{path}" for name, path in files.items())])


def _with_padding_of(
    image: Path, known: np.ndarray | None, shape: tuple[int, ...], read: ReadParams
) -> np.ndarray | None:
    """Add the padding found in a stack to the known padding."""
    from napari_copnet.padding.detect import find_padding

    stack = read_checked(image, read)
    if stack.shape != tuple(shape):
        raise InputError(
            f"The image has the shape {stack.shape}, but the truth {tuple(shape)}.",
            "Both must have the same frame.",
        )
    for z in range(shape[0]):
        padding = find_padding(np.asarray(stack.data[z], np.float32))
        if padding is not None:
            known = np.zeros(shape, bool) if known is None else known
            known[z] |= padding
    return known


def _record_beside(iterations: Path) -> dict[str, Any] | None:
    """Return the record of the run whose iterations these are; None without a readable one."""
    import json

    try:
        record = json.loads((iterations.parent / "run.json").read_text())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
