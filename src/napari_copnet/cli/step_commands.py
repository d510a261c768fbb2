"""One step at a time: files in, files out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import typer

from napari_copnet.cli.console import Json, Out, show, watched
from napari_copnet.cli.inputs import read_checked, read_padding, threshold_beside
from napari_copnet.cli.options import Options, add_command
from napari_copnet.cli.run_command import Format, refuse_own_input
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
from napari_copnet.types import is_contour

if TYPE_CHECKING:
    from napari_copnet.types import Stack, VoxelSize

TruthKind = Annotated[
    Literal["auto", "probability", "mask", "labels"],
    typer.Option("--truth-kind", help="Content of the truth; auto decides from its values."),
]
Invert = Annotated[
    bool, typer.Option("--invert", help="The truth is a mask of cells, not of contours.")
]
Exclude = Annotated[
    Path | None,
    typer.Option(
        "--exclude",
        help="Mask of areas to leave out. Padding found by the previous step is saved beside its "
        "result, and is read from there.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all random choices.")]


@dataclass(frozen=True)
class Results(Options):
    """Where a step's results go, and how."""

    out: Out
    format: Format = "tiff"
    as_json: Json = False

    def read(self, path: Path, read: ReadParams, command: str, *names: str) -> Stack:
        """Open an input, checking its pixels and that a command's results can be written."""
        stack = read_checked(path, read)
        refuse_own_input(self.out, path)
        self.check(command, *names)
        return stack

    def check(self, command: str, *names: str) -> None:
        """Check that results can be written, and would replace only those of the same command."""
        from napari_copnet.files import check_writable
        from napari_copnet.io.formats import FORMATS
        from napari_copnet.runs.generation import check_results

        check_writable(self.out)
        files = [name + FORMATS[self.format][0] for name in names]
        check_results(self.out, files, replaces=command)

    def save(
        self,
        images: dict[str, np.ndarray],
        record: dict[str, Any],
        stack: Stack,
        voxel_size: VoxelSize | None = None,
    ) -> None:
        """Write a step's images and record to the folder and print their paths.

        Parameters
        ----------
        images : dict of str to ndarray
        record : dict
        stack : Stack
            The input of the step.
        voxel_size : VoxelSize, optional
            Voxel size of the images, if it differs from that of the stack.
        """
        from napari_copnet.runs.generation import new_generation
        from napari_copnet.runs.run_record import (
            described,
            surroundings,
            write_images,
            write_record,
        )

        size = voxel_size or stack.voxel_size
        inputs = {"stack": described(stack)} if stack.source else {}
        with new_generation(self.out) as made:
            files = write_images(made.folder, images, stack, size, self.format)
            write_record(
                made.folder, {**record, **surroundings(), "inputs": inputs, "files": files}
            )
        record = made.record
        files = {name: path for name, path in record["files"].items() if name in images}
        lines = [note for note in record.get("notes", []) if note]
        show(record, self.as_json, lines + [f"  {name:<16}{path}" for name, path in files.items()])


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
    results: Results,
    *,
    read: ReadParams,
    preprocess: PreprocessParams,
) -> None:
    """Normalise, resize and align a stack."""
    from napari_copnet.runs.run_record import padding_shares
    from napari_copnet.steps.preprocess import preprocess as work

    image = results.read(stack, read, "preprocess", "image", "excluded")
    ready = watched(work(image, preprocess))
    images = {"image": ready.data, "excluded": ready.margin.astype(np.uint8)}
    if ready.padding is not None:
        images["padding"] = ready.padding.astype(np.uint8)
    notes = [*image.notes, *ready.notes]
    if preprocess.invert == "auto":
        notes.append(
            "Without the contour network, light membranes go unnoticed: nothing was inverted. "
            "Use --invert yes if your membranes are light."
        )
    frame = {
        "original_shape": list(ready.frame.original_shape),
        "processed_shape": list(ready.frame.processed_shape),
        "shifts": ready.frame.shifts.tolist(),
    }
    results.save(
        images,
        {
            "command": "preprocess",
            "settings": as_dict(preprocess),
            "frame": frame,
            "blank_slices": list(ready.blank),
            "inverted": ready.inverted,
            "padding_by_slice": padding_shares(ready),
            "notes": notes,
        },
        image,
        ready.voxel_size,
    )


def contours_step(
    image: Annotated[Path, typer.Argument(help="Preprocessed stack.")],
    results: Results,
    *,
    read: ReadParams,
    device: DeviceParams,
    contours: ContourParams,
    exclude: Exclude = None,
) -> None:
    """Step 1: predict the contour probability of each pixel."""
    from napari_copnet.io.check import blank_slices
    from napari_copnet.networks.nnunet import Network
    from napari_copnet.networks.package import find_model
    from napari_copnet.padding.stack import without_padding
    from napari_copnet.steps.contours import predict_contours
    from napari_copnet.steps.threshold import at_threshold

    stack = results.read(image, read, "contours", "contours")
    model = find_model(contours.contour_model, "contours")
    network = Network.load(model, device)
    data = np.asarray(stack.data[:], np.float32)
    padding = read_padding(image, exclude, data.shape, read)
    blank = blank_slices(stack)
    data, padding = without_padding(data, padding, blank)
    probability = watched(predict_contours(data, network, contours, skip=blank, padding=padding))
    probability = at_threshold(probability, contours.threshold)
    results.save(
        {"contours": probability, **_padding_image(padding)},
        {
            "command": "contours",
            "settings": {**as_dict(device), **as_dict(contours)},
            "models": {"contours": {"name": model.name, "sha256": model.sha256}},
            "notes": list(stack.notes),
        },
        stack,
    )


def close_step(
    contours: Annotated[Path, typer.Argument(help="Contour probability, 0 to 1 or 0 to 255.")],
    results: Results,
    *,
    read: ReadParams,
    device: DeviceParams,
    closing: ClosingParams,
    exclude: Exclude = None,
) -> None:
    """Step 2: close gaps until almost nothing changes."""
    from napari_copnet.io.probability import as_probability
    from napari_copnet.networks.nnunet import Network
    from napari_copnet.networks.package import find_model
    from napari_copnet.steps.closing import close

    stack = results.read(contours, read, "close", "closed")
    model = find_model(closing.closing_model, "closing")
    network = Network.load(model, device)
    padding = read_padding(contours, exclude, stack.shape, read)
    threshold = threshold_beside(contours)
    probability = as_probability(stack)
    result = watched(close(probability, network, closing, padding=padding, threshold=threshold))
    images: dict[str, np.ndarray] = {"closed": result.mask, **_padding_image(padding)}
    if result.iterations is not None:
        images["iterations"] = result.iterations
    results.save(
        images,
        {
            "command": "close",
            "settings": {**as_dict(device), **as_dict(closing)},
            "models": {"closing": {"name": model.name, "sha256": model.sha256}},
            "certainty": result.certainty,
            "changed": result.changed.tolist(),
            "iterations_by_slice": result.iterations_by_slice.tolist(),
            "likely_gaps": result.likely_gaps,
            "converged": result.settled,
            "notes": list(stack.notes),
        },
        stack,
    )


def cells_step(
    closed: Annotated[Path, typer.Argument(help="Closed contours: a mask or a probability.")],
    results: Results,
    *,
    read: ReadParams,
    cells: CellParams,
    exclude: Exclude = None,
) -> None:
    """Label the cells that closed contours enclose."""
    from napari_copnet.io.probability import as_probability
    from napari_copnet.steps.cells import label_cells

    stack = results.read(closed, read, "cells", "cells")
    mask = is_contour(as_probability(stack)).astype(np.uint8)
    padding = read_padding(closed, exclude, stack.shape, read)
    result = watched(label_cells(mask, cells, excluded=padding))
    results.save(
        {"cells": result.labels, **_padding_image(padding)},
        {
            "command": "cells",
            "settings": as_dict(cells),
            "cells": int(result.labels.max(initial=0)),
            "cells_by_slice": result.counts.tolist(),
            "notes": list(stack.notes),
        },
        stack,
    )


def _padding_image(padding: np.ndarray | None) -> dict[str, np.ndarray]:
    """Return the image that hands padding on to the next step."""
    return {} if padding is None else {"padding": padding.astype(np.uint8)}


def simulate_step(
    truth: Annotated[Path, typer.Argument(help="True contours: mask or label image.")],
    results: Results,
    *,
    read: ReadParams,
    degrade: DegradeParams,
    per_slice: Annotated[
        int, typer.Option("--per-slice", min=1, help="Number of degraded maps per slice.")
    ] = 20,
    truth_kind: TruthKind = "auto",
    invert: Invert = False,
    seed: Seed = 0,
) -> None:
    """Simulate gaps: degrade true contours with the diffusion equation."""
    from napari_copnet.evaluation.contour_input import as_contour
    from napari_copnet.training.degrade import simulate

    stack = results.read(truth, read, "simulate", "degraded")
    contours = as_contour(np.asarray(stack.data[:]), truth_kind, invert=invert)
    maps = watched(simulate(contours, per_slice, degrade, seed, pixel_size=stack.voxel_size.x))
    results.save(
        {"degraded": maps},
        {
            "command": "simulate",
            "settings": {**as_dict(degrade), "per_slice": per_slice, "seed": seed},
            "notes": list(stack.notes),
        },
        stack,
    )


def sample_step(
    results: Results,
    *,
    tissue: TissueParams,
    seed: Seed = 0,
) -> None:
    """Make synthetic tissue that looks like SEM, with its exact contours and cells."""
    from napari_copnet.synthetic import make_tissue

    results.check("sample", "image", "truth_contours", "truth_cells")
    made = make_tissue(tissue, seed)
    images = {
        "image": made.stack.data,
        "truth_contours": made.contours,
        "truth_cells": made.cells,
    }
    if made.excluded.any():
        images["excluded"] = made.excluded.astype(np.uint8)
    results.save(
        images,
        {"command": "sample", "settings": {**as_dict(tissue), "seed": seed}},
        made.stack,
    )
