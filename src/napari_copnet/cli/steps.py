"""One step at a time: files in, files out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import typer

from napari_copnet.cli.console import Json, Out, show, watched
from napari_copnet.cli.options import add_command
from napari_copnet.cli.run import Format, refuse_own_input
from napari_copnet.params import (
    CellParams,
    ClosingParams,
    ContourParams,
    DegradeParams,
    DeviceParams,
    PreprocessParams,
    ReadParams,
    TissueParams,
    as_dict,
)

if TYPE_CHECKING:
    from napari_copnet.types import Stack, VoxelSize

TruthKind = Annotated[
    Literal["auto", "probability", "mask", "labels"],
    typer.Option("--truth-kind", help="What the truth holds; auto tells by its values."),
]
Invert = Annotated[
    bool, typer.Option("--invert", help="The truth is a mask of cells, not of contours.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all random choices.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    add_command(app, "preprocess", preprocess_step)
    add_command(app, "contours", contours_step)
    add_command(app, "close", close_step)
    add_command(app, "cells", cells_step)
    add_command(app, "simulate", simulate_step)
    add_command(app, "sample", sample_step)


def preprocess_step(
    stack: Annotated[Path, typer.Argument(help="Stack to preprocess.")],
    out: Out,
    *,
    read: ReadParams,
    preprocess: PreprocessParams,
    format: Format = "tiff",
    as_json: Json = False,
) -> None:
    """Normalise, resize and align a stack."""
    from napari_copnet.io.check import check_pixels
    from napari_copnet.io.read import read_stack
    from napari_copnet.steps.preprocess import preprocess as work

    image = check_pixels(read_stack(stack, read), read.repair)
    refuse_own_input(out, stack)
    ready = watched(work(image, preprocess))
    frame = {
        "original_shape": list(ready.frame.original_shape),
        "processed_shape": list(ready.frame.processed_shape),
        "shifts": ready.frame.shifts.tolist(),
    }
    save(
        out,
        {"image": ready.data, "excluded": ready.margin.astype(np.uint8)},
        {
            "command": "preprocess",
            "settings": as_dict(preprocess),
            "frame": frame,
            "blank_slices": list(ready.blank),
            "notes": [*image.notes, *ready.notes],
        },
        image,
        ready.voxel_size,
        format,
        as_json,
    )


def contours_step(
    image: Annotated[Path, typer.Argument(help="Preprocessed stack.")],
    out: Out,
    *,
    read: ReadParams,
    device: DeviceParams,
    contours: ContourParams,
    format: Format = "tiff",
    as_json: Json = False,
) -> None:
    """Step 1: predict the contour probability of each pixel."""
    from napari_copnet.io.check import blank_slices, check_pixels
    from napari_copnet.io.read import read_stack
    from napari_copnet.networks.nnunet import Network
    from napari_copnet.networks.package import find_model
    from napari_copnet.steps.contours import predict_contours

    stack = check_pixels(read_stack(image, read), read.repair)
    refuse_own_input(out, image)
    model = find_model(contours.contour_model, "contours")
    network = Network.load(model, device)
    data = np.asarray(stack.data[:], np.float32)
    probability = watched(predict_contours(data, network, contours, skip=blank_slices(stack)))
    save(
        out,
        {"contours": probability},
        {
            "command": "contours",
            "settings": {**as_dict(device), **as_dict(contours)},
            "models": {"contours": {"name": model.name, "sha256": model.sha256}},
            "notes": list(stack.notes),
        },
        stack,
        stack.voxel_size,
        format,
        as_json,
    )


def close_step(
    contours: Annotated[Path, typer.Argument(help="Contour probability, 0 to 1 or 0 to 255.")],
    out: Out,
    *,
    read: ReadParams,
    device: DeviceParams,
    closing: ClosingParams,
    format: Format = "tiff",
    as_json: Json = False,
) -> None:
    """Step 2: close gaps until nearly nothing changes."""
    from napari_copnet.io.check import check_pixels
    from napari_copnet.io.probability import as_probability
    from napari_copnet.io.read import read_stack
    from napari_copnet.networks.nnunet import Network
    from napari_copnet.networks.package import find_model
    from napari_copnet.steps.closing import close

    stack = check_pixels(read_stack(contours, read), read.repair)
    refuse_own_input(out, contours)
    model = find_model(closing.closing_model, "closing")
    network = Network.load(model, device)
    result = watched(close(as_probability(stack), network, closing))
    images: dict[str, np.ndarray] = {"closed": result.mask}
    if result.iterations is not None:
        images["iterations"] = result.iterations
    save(
        out,
        images,
        {
            "command": "close",
            "settings": {**as_dict(device), **as_dict(closing)},
            "models": {"closing": {"name": model.name, "sha256": model.sha256}},
            "changed": result.changed.tolist(),
            "iterations_by_slice": result.iterations_by_slice.tolist(),
            "converged": result.settled,
            "notes": list(stack.notes),
        },
        stack,
        stack.voxel_size,
        format,
        as_json,
    )


def cells_step(
    closed: Annotated[Path, typer.Argument(help="Closed contours: a mask or a probability.")],
    out: Out,
    *,
    read: ReadParams,
    cells: CellParams,
    format: Format = "tiff",
    as_json: Json = False,
) -> None:
    """Label the cells that closed contours enclose."""
    from napari_copnet.io.check import check_pixels
    from napari_copnet.io.probability import as_probability
    from napari_copnet.io.read import read_stack
    from napari_copnet.steps.cells import label_cells

    stack = check_pixels(read_stack(closed, read), read.repair)
    refuse_own_input(out, closed)
    mask = (as_probability(stack) >= 0.5).astype(np.uint8)
    result = watched(label_cells(mask, cells))
    save(
        out,
        {"cells": result.labels},
        {
            "command": "cells",
            "settings": as_dict(cells),
            "cells": int(result.labels.max(initial=0)),
            "cells_by_slice": result.counts.tolist(),
            "notes": list(stack.notes),
        },
        stack,
        stack.voxel_size,
        format,
        as_json,
    )


def simulate_step(
    truth: Annotated[Path, typer.Argument(help="True contours: mask or label image.")],
    out: Out,
    *,
    read: ReadParams,
    degrade: DegradeParams,
    per_slice: Annotated[
        int, typer.Option("--per-slice", min=1, help="Degraded maps for each slice.")
    ] = 20,
    truth_kind: TruthKind = "auto",
    invert: Invert = False,
    seed: Seed = 0,
    format: Format = "tiff",
    as_json: Json = False,
) -> None:
    """Degrade true contours by the diffusion equation: simulated gaps."""
    from napari_copnet.evaluation.contour_input import as_contour
    from napari_copnet.io.check import check_pixels
    from napari_copnet.io.read import read_stack
    from napari_copnet.training.degrade import simulate

    stack = check_pixels(read_stack(truth, read), read.repair)
    refuse_own_input(out, truth)
    contours = as_contour(np.asarray(stack.data[:]), truth_kind, invert=invert)
    maps = watched(simulate(contours, per_slice, degrade, seed, pixel_size=stack.voxel_size.x))
    save(
        out,
        {"degraded": maps},
        {
            "command": "simulate",
            "settings": {**as_dict(degrade), "per_slice": per_slice, "seed": seed},
            "notes": list(stack.notes),
        },
        stack,
        stack.voxel_size,
        format,
        as_json,
    )


def sample_step(
    out: Out,
    *,
    tissue: TissueParams,
    seed: Seed = 0,
    format: Format = "tiff",
    as_json: Json = False,
) -> None:
    """Make a stack that looks like SEM, with its exact contours and cells."""
    from napari_copnet.samples import make_tissue

    made = make_tissue(tissue, seed)
    images = {
        "image": made.stack.data,
        "truth_contours": made.contours,
        "truth_cells": made.cells,
    }
    if made.excluded.any():
        images["excluded"] = made.excluded.astype(np.uint8)
    save(
        out,
        images,
        {"command": "sample", "settings": {**as_dict(tissue), "seed": seed}},
        made.stack,
        made.stack.voxel_size,
        format,
        as_json,
    )


def save(
    out: Path,
    images: dict[str, np.ndarray],
    record: dict[str, Any],
    stack: Stack,
    voxel_size: VoxelSize,
    format: str,
    as_json: bool,
) -> None:
    """Write a step's images and record into a folder and show where they are."""
    from napari_copnet.record import described, surroundings, write_images, write_record

    files = write_images(out, images, stack, voxel_size, format)
    inputs = {"stack": described(stack)} if stack.source else {}
    record = {**record, **surroundings(), "inputs": inputs, "files": files}
    write_record(out, record)
    lines = [note for note in record.get("notes", []) if note]
    show(record, as_json, lines + [f"  {name:<16}{path}" for name, path in files.items()])
