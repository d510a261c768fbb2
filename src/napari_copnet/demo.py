"""The whole pipeline on the bundled sample: contours, cells, scores and a report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from napari_copnet.evaluation.figures import (
    closed_over,
    coloured,
    convergence,
    grey,
    overlay,
    panels,
    score_bars,
)
from napari_copnet.evaluation.report import ReportSection, score_table, write_page
from napari_copnet.evaluation.scores import Evaluation, evaluate
from napari_copnet.files import check_writable, whole_file
from napari_copnet.params import ClosingParams, DeviceParams, ScoreParams, Settings
from napari_copnet.pipeline import RunResult, run
from napari_copnet.progress import Progress, Steps
from napari_copnet.restored import Restored, restore
from napari_copnet.runs.generation import check_results, new_generation
from napari_copnet.runs.run_record import OUTPUTS, save_run, write_images, write_record
from napari_copnet.steps.frame import to_original
from napari_copnet.steps.iteration_history import contour_after
from napari_copnet.synthetic import Tissue, sample_stack
from napari_copnet.types import is_contour


@dataclass(frozen=True)
class Demo:
    """What the demo made.

    Attributes
    ----------
    record : dict
        The run's record, with ``scores`` and all ``files``.
    tissue : Tissue
        The sample and its truth.
    result : RunResult
        In the processed frame.
    restored : Restored
        In the frame of the sample.
    """

    record: dict[str, Any]
    tissue: Tissue
    result: RunResult
    restored: Restored


def demo(out: Path, device: DeviceParams = DeviceParams()) -> Steps[Demo]:
    """Run the whole pipeline on the bundled sample with the default models.

    Writes the results of `copnet run`, the sample with its truth, ``overview.png``,
    ``scores.json`` and ``index.html`` into `out`.

    Raises
    ------
    OutputError
        `out` can't be written to.
    """
    check_writable(out)
    names = [f"{name}.tif" for name in (*OUTPUTS, "image", "truth_contours", "truth_cells")]
    check_results(out, [*names, "excluded.tif", "scores.json", "overview.png", "index.html"])
    yield Progress("sample", 0, 1, "stacks")
    tissue = sample_stack()
    yield Progress("sample", 1, 1, "stacks")
    settings = Settings(device=device, closing=ClosingParams(keep_iterations=True))
    result = yield from run(tissue.stack, settings)
    restored = yield from restore(result)
    excluded = tissue.excluded | outside(result)
    scores = yield from _scores(tissue, restored, excluded, settings.closing.unite)

    truth = {
        "image": np.asarray(tissue.stack.data),
        "truth_contours": tissue.contours,
        "truth_cells": tissue.cells,
        "excluded": excluded.astype(np.uint8),
    }
    overview = _overview(tissue, restored, scores, outside(result))
    with new_generation(out) as made:
        folder = made.folder
        record = save_run(result, restored, settings, folder)
        record["files"].update(write_images(folder, truth, tissue.stack, tissue.stack.voxel_size))
        record["command"] = "demo"
        record["scores"] = scores
        with whole_file(folder / "scores.json") as beside:
            beside.write_text(json.dumps(scores, indent=1) + "\n")
        record["files"]["scores"] = str(folder / "scores.json")
        with whole_file(folder / "overview.png") as beside:
            beside.write_bytes(overview)
        record["files"]["figure"] = str(folder / "overview.png")
        record["files"]["page"] = str(_page(folder, tissue, result, restored, record, overview))
        write_record(folder, record)
    return Demo(made.record, tissue, result, restored)


def outside(result: RunResult) -> np.ndarray:
    """Return where the original stack has no result: True, shape (Z, Y, X).

    Drift carries a strip of some slices out of the aligned frame.
    """
    frame = result.preprocessed.frame
    covered = np.ones(frame.processed_shape, np.uint8)
    return to_original(covered, frame, "labels") == 0


def _scores(
    tissue: Tissue, restored: Restored, excluded: np.ndarray, unite: bool
) -> Steps[dict[str, dict[str, Any]]]:
    methods = {"Step 1 alone": is_contour(restored.contours), "closed": restored.closed}
    if restored.iterations is not None and len(restored.iterations) > 1:
        numbers = range(len(restored.contours))
        first = np.stack([contour_after(restored.iterations, 1, z, unite) for z in numbers])
        methods = {
            "Step 1 alone": methods["Step 1 alone"],
            "after 1 iteration": first,
            "closed": methods["closed"],
        }
    scores: dict[str, dict[str, Any]] = {}
    for name, mask in methods.items():
        evaluation: Evaluation = yield from evaluate(
            mask.astype(np.uint8), tissue.contours, ScoreParams(), exclude_pixels=excluded
        )
        scores[name] = evaluation.as_dict()
    return scores


def worst_slice(scores: Mapping[str, Any]) -> int:
    """Return the slice in which closing helped most, to show in a picture."""
    before = [s["labelled"] for s in scores["Step 1 alone"]["slices"]]
    after = [s["labelled"] for s in scores["closed"]["slices"]]
    gains = [(b or 0) - (a or 0) for a, b in zip(before, after, strict=True)]
    return int(np.argmax(gains))


def before_closing(contours: np.ndarray, closed: np.ndarray, out_of_view: np.ndarray) -> np.ndarray:
    """Return the contours of Step 1, and the line along what alignment moved out of view.

    That line is in `closed` only, but is no gap that was closed.

    Parameters
    ----------
    contours : ndarray, shape (Y, X)
        Contour probability.
    closed, out_of_view : ndarray, shape (Y, X)

    Returns
    -------
    ndarray, shape (Y, X), bool
    """
    near = ndimage.binary_dilation(out_of_view, np.ones((3, 3)), iterations=2)
    return np.asarray(is_contour(contours) | (near & is_contour(closed)))


def _overview(
    tissue: Tissue, restored: Restored, scores: Mapping[str, Any], out_of_view: np.ndarray
) -> bytes:
    z = worst_slice(scores)
    image = np.asarray(tissue.stack.data[z])
    before = before_closing(restored.contours[z], restored.closed[z], out_of_view[z])
    return panels(
        {
            f"SEM slice {z}": grey(image),
            "Step 1: contour probability": restored.contours[z],
            "Step 2: gaps closed (green)": closed_over(image, before, restored.closed[z]),
            "Cells": overlay(image, restored.cells[z]),
        }
    )


def _page(
    out: Path,
    tissue: Tissue,
    result: RunResult,
    restored: Restored,
    record: Mapping[str, Any],
    overview: bytes,
) -> Path:
    scores = record["scores"]
    before, after = scores["Step 1 alone"], scores["closed"]
    z = worst_slice(scores)
    z_before = _plain_labels(is_contour(restored.contours[z]))
    seconds = sum(result.seconds.values())
    lead = (
        f"{record['cells']} cells in {tissue.stack.shape[0]} slices. Correctly labelled cells: "
        f"{100 * before['labelled']:.0f} % from the contour probability alone, "
        f"{100 * after['labelled']:.0f} % after closing. The networks took {seconds:.0f} s."
    )
    sections = [
        ReportSection(
            "From image to cells",
            "The contour network predicts the contour probability of each pixel. The closing "
            "network then closes gaps, repeatedly, until almost nothing changes. The regions that "
            "the closed contours enclose are the cells. Shown is the slice that gained most.",
            pictures=[overview],
        ),
        ReportSection(
            "How good they are",
            "The sample is synthetic tissue, so the ground truth is exact. A true cell is "
            "labelled when one predicted cell matches it to 85 %, merged when it runs into a "
            "neighbour, and split otherwise. Mean ± standard deviation over slices; the vessel and "
            "strips lost to drift are not scored.",
            table=score_table(scores),
            pictures=[score_bars(scores)],
        ),
        ReportSection(
            "The same slice without and with closing",
            "Left, cells from the contour probability alone: a gap gives two cells one colour. "
            "Right, after closing.",
            pictures=[
                panels(
                    {
                        "Step 1 alone": coloured(z_before),
                        "closed": coloured(_plain_labels(restored.closed[z])),
                        "truth": coloured(_plain_labels(tissue.contours[z])),
                    }
                )
            ],
        ),
        ReportSection(
            "Convergence",
            "Share of pixels that crossed the contour threshold in each iteration.",
            pictures=[convergence(record["changed"], ClosingParams().tolerance)],
        ),
        ReportSection(
            "How it was made",
            "Everything needed to repeat the run is in run.json.",
            details=("Record of the run", json.dumps(_shortened(record), indent=1)),
        ),
    ]
    return write_page(out / "index.html", "napari-copnet on synthetic tissue", lead, sections)


def _plain_labels(contour: np.ndarray) -> np.ndarray:
    import cc3d

    return cc3d.connected_components(np.asarray(contour) == 0, connectivity=4)


def _shortened(record: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("versions", "machine", "date", "settings", "models", "seconds", "changed")
    return {name: record[name] for name in kept if name in record}
