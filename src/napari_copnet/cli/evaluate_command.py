"""`copnet evaluate`: predicted contours against true ones."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from napari_copnet.cli.console import Json, show, watched
from napari_copnet.cli.inputs import (
    padding_beside,
    read_checked,
    read_slices,
    refuse_other_shapes,
)
from napari_copnet.cli.options import add_command
from napari_copnet.cli.step_commands import Invert, TruthKind
from napari_copnet.errors import InputError
from napari_copnet.lazy_array import LazyArray, chosen_slices
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
        typer.Option("--iterations", help="Iterations that a run kept; each of them is scored."),
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
    """Score contours: labelled, merged, split, NSD and clDice, mean ± sd over slices.

    Files are read slice by slice: memory does not grow with the number of slices.
    """
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
    from napari_copnet.files import check_file, check_files, check_writable, whole_file
    from napari_copnet.io.read import read_iterations
    from napari_copnet.records import has_keys
    from napari_copnet.runs.united import is_united
    from napari_copnet.training.sources import parse_slices

    true = read_slices(truth, read)
    if invert or truth_kind != "auto":
        true = as_contour(true, truth_kind, invert=invert)
    padding = padding_beside(pred, true.shape)
    if image is not None:
        padding = _with_padding_of(image, padding, true.shape, read)
    images = {
        "prediction": read_slices(pred, read),
        "baseline": read_slices(baseline, read),
        "excluded pixels": read_slices(exclude_pixels, read),
        "excluded structure": read_slices(exclude_cell, read),
    }
    refuse_other_shapes(images, true.shape)
    kept = read_iterations(iterations, lazy=True) if iterations is not None else None
    if kept is not None:
        step1 = LazyArray(kept.shape[1:], kept.dtype, lambda z: kept[0, z])
        refuse_other_shapes({"iterations": step1}, true.shape)
    for folder in (out, *(file.parent for file in (csv, report) if file is not None)):
        if folder is not None:
            check_writable(folder)
    if out is not None:
        before = has_keys(out / "scores.json", "slices", "cells", "labelled")
        check_files(out, ("scores.json", "slices.csv", "cells.csv"), ours=before)
    if csv is not None:
        check_file(csv, is_cells)
    if report is not None:
        check_file(report, is_page)

    numbers = parse_slices(slices or "", true.shape[0])
    chosen = {
        name: None if image is None else chosen_slices(image, numbers)
        for name, image in images.items()
    }
    left_out = None if padding is None else chosen_slices(padding, numbers)
    stack = TrueStack(
        chosen_slices(true, numbers),
        score,
        exclude_pixels=chosen["excluded pixels"],
        exclude_cell=chosen["excluded structure"],
        padding=left_out,
    )
    contours = {
        name: stack.prediction(name, predicted)
        for name in ("prediction", "baseline")
        if (predicted := chosen[name]) is not None
    }
    tables = any(target is not None for target in (out, csv, report))
    scores = watched(evaluate_all(contours, stack, numbers, by_cell=tables))
    evaluation = replace(scores["prediction"], baseline=scores.get("baseline"))
    result = plain(evaluation.as_dict())
    if left_out is not None:
        pixels = sum(int(np.count_nonzero(left_out[z])) for z in range(len(left_out)))
        result["padding"] = pixels / left_out.size
    by_iteration = None
    if kept is not None and iterations is not None:
        unite = is_united(_record_beside(iterations))
        by_iteration = watched(score_iterations(_of_slices(kept, numbers), stack, numbers, unite))
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


def _of_slices(iterations: LazyArray, numbers: list[int]) -> LazyArray:
    """Return the iterations (I, Z, Y, X) of some slices."""
    shape = (iterations.shape[0], len(numbers), *iterations.shape[2:])
    return LazyArray(shape, iterations.dtype, lambda k, z: iterations[k, numbers[z]])


def _with_padding_of(image: Path, known: Any, shape: tuple[int, ...], read: ReadParams) -> Any:
    """Add the padding found in a stack to the known padding, shape (Z, Y, X), lazy, or None."""
    from napari_copnet.padding.detect import find_padding

    stack = read_checked(image, read, lazy=True)
    if stack.shape != tuple(shape):
        raise InputError(
            f"The image has the shape {stack.shape}, but the truth {tuple(shape)}.",
            "Both must have the same frame.",
        )
    # One bit a pixel, compressed: padding is a few straight borders.
    found: dict[int, bytes] = {}
    for z in range(shape[0]):
        padding = find_padding(np.asarray(stack.data[z], np.float32))
        if padding is not None:
            found[z] = zlib.compress(np.packbits(padding).tobytes())
    if not found:
        return known

    def plane(z: int) -> np.ndarray:
        values = np.zeros(shape[1:], bool) if known is None else np.array(known[z])
        if z in found:
            bits = np.frombuffer(zlib.decompress(found[z]), np.uint8)
            values |= np.unpackbits(bits, count=values.size).reshape(values.shape).view(bool)
        return values

    return LazyArray(shape, bool, plane)


def _record_beside(iterations: Path) -> dict[str, Any] | None:
    """Return the record of the run whose iterations these are; None without a readable one."""
    from napari_copnet.errors import InputError
    from napari_copnet.runs.generation import read_generation

    try:
        return read_generation(iterations.parent)
    except InputError:
        return None
