"""`copnet baselines`: baselines of the closing network on the same input."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_copnet.cli.console import Json, Out, show, watched
from napari_copnet.cli.inputs import read_checked, read_slices, refuse_other_shapes
from napari_copnet.cli.options import add_command
from napari_copnet.cli.step_commands import Invert, TruthKind
from napari_copnet.lazy_array import chosen_slices
from napari_copnet.params import BaselineParams, DeviceParams, ReadParams, ScoreParams, as_dict


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "baselines", baselines_command)


def baselines_command(
    contours: Annotated[Path, typer.Argument(help="Contour probability of Step 1.")],
    truth: Annotated[
        Path, typer.Option("--truth", help="True contours: mask, probability or labels.")
    ],
    out: Out,
    *,
    image: Annotated[
        Path | None,
        typer.Option("--image", help="The image that Step 1 was applied to, for Cellpose."),
    ] = None,
    closed: Annotated[
        list[str] | None,
        typer.Option(
            "--closed",
            help="Closed contours to score as well, as FILE or NAME=FILE; may be repeated.",
        ),
    ] = None,
    methods: Annotated[
        str,
        typer.Option(
            "--methods",
            help="Comma-separated: threshold, closing, watershed-distance, watershed, chen, "
            "cellpose. Default: all that can run.",
        ),
    ] = "",
    train_slices: Annotated[
        str, typer.Option("--train-slices", help="Slices for tuning; default: the first third.")
    ] = "",
    slices: Annotated[
        str,
        typer.Option(
            "--slices", help="Slices to score; default: all that are far enough from those."
        ),
    ] = "",
    exclude_pixels: Annotated[
        Path | None,
        typer.Option("--exclude-pixels", help="Mask of pixels to leave out of the scores."),
    ] = None,
    read: ReadParams,
    score: ScoreParams,
    baseline: BaselineParams,
    device: DeviceParams,
    truth_kind: TruthKind = "auto",
    invert: Invert = False,
    as_json: Json = False,
) -> None:
    """Tune each baseline on some slices, and score it on others next to Step 1.

    Files are read slice by slice: memory does not grow with the number of slices, except while
    Cellpose is fine-tuned, which needs all slices to tune on at once.
    """
    from napari_copnet.cli.run_command import refuse_own_input
    from napari_copnet.evaluation.baselines.base import SliceBlock
    from napari_copnet.evaluation.baselines.comparison import compare, split_for_tuning
    from napari_copnet.evaluation.baselines.comparison_files import lines, write_comparison
    from napari_copnet.evaluation.baselines.disk_masks import DiskMasks
    from napari_copnet.evaluation.baselines.registry import make_baselines
    from napari_copnet.evaluation.contour_input import as_contour
    from napari_copnet.evaluation.true_slices import TrueStack
    from napari_copnet.files import check_files, check_writable
    from napari_copnet.io.probability import probability_slices
    from napari_copnet.records import has_keys

    stack = read_checked(contours, read, lazy=True)
    baselines, notes = make_baselines(
        [name.strip() for name in methods.split(",") if name.strip()],
        baseline,
        device,
        pixel_size=stack.voxel_size.x,
        image=image is not None,
    )
    true = read_slices(truth, read)
    if invert or truth_kind != "auto":
        true = as_contour(true, truth_kind, invert=invert)
    beside = {name: read_slices(path, read) for name, path in map(_named, closed or [])}
    pixels, grey = read_slices(exclude_pixels, read), read_slices(image, read)
    u = probability_slices(stack)
    refuse_other_shapes(
        {"Step 1 map": u, "image": grey, "excluded pixels": pixels, **beside}, true.shape
    )
    train, test = split_for_tuning(len(u), train_slices, slices)
    inputs = [contours, truth, *(path for _, path in map(_named, closed or []))]
    refuse_own_input(out, *inputs, *(path for path in (image, exclude_pixels) if path))
    check_writable(out)
    written = ("baselines.csv", "baselines.json", *(f"{one.name}.tif" for one in baselines))
    check_files(out, written, ours=has_keys(out / "baselines.json", "methods", "files"))

    def part(array: Any, chosen: list[int]) -> Any:
        return None if array is None else chosen_slices(array, chosen)

    def truth_of(chosen: list[int]) -> TrueStack:
        return TrueStack(part(true, chosen), score, exclude_pixels=part(pixels, chosen))

    with DiskMasks(out, (len(test), *u.shape[1:])) as masks:
        compared = watched(
            compare(
                baselines,
                SliceBlock(part(u, train), part(grey, train), truth_of(train)),
                SliceBlock(part(u, test), part(grey, test)),
                truth_of(test),
                out / "work",
                closed={name: part(mask, test) for name, mask in beside.items()},
                numbers=test,
                masks=masks.new,
            )
        )
        record = {
            "command": "baselines",
            "train_slices": train,
            "slices": test,
            "settings": {**as_dict(score), **as_dict(baseline), **as_dict(device)},
            "notes": notes,
        }
        record = write_comparison(
            out, compared, record, stack, {baseline.name for baseline in baselines}
        )
    shown = [*notes, *lines(compared), f"See {out / 'baselines.csv'}"]
    show(record, as_json, shown)


def _named(text: str) -> tuple[str, Path]:
    """Return name and path of FILE or NAME=FILE."""
    name, equals, path = text.partition("=")
    return (name, Path(path)) if equals else (Path(text).name.split(".")[0], Path(text))
