"""Rebuild docs/results.md and its figures from public data.

    python -m research.results --data ../shared/data --out docs --work work-results

Finished parts are kept in the work folder: run it again to go on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from napari_copnet.errors import CopnetError
from napari_copnet.evaluation.baselines.cellpose import SCRATCH
from napari_copnet.evaluation.baselines.registry import make_baselines
from napari_copnet.params import BaselineParams, DeviceParams
from napari_copnet.progress import Progress
from research.datasets import DATASETS
from research.methods import Choices, DataSetOutcome, measure
from research.results_document import write_results


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, one line of progress a step, and write the document."""
    names = [dataset.name for dataset in DATASETS]
    parser = argparse.ArgumentParser(prog="results", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data")
    parser.add_argument("--out", type=Path, required=True, help="folder for results.md and images")
    parser.add_argument("--work", type=Path, required=True, help="folder for finished parts")
    parser.add_argument("--datasets", default="", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--methods", default="", help="baselines; default: all that can run")
    parser.add_argument("--limit", type=int, default=0, help="slices of each block, for a look")
    parser.add_argument("--iterations", type=int, default=30, help="to follow closing over")
    parser.add_argument("--hela-minutes", type=float, default=25.0, help="to train Step 1 of HeLa")
    parser.add_argument("--chen-minutes", type=float, default=4.0, help="to train Chen's network")
    parser.add_argument(
        "--cellpose-model",
        default=SCRATCH,
        help="file with Cellpose weights; default: trained from random ones on the tuning slices",
    )
    parser.add_argument("--cellpose-epochs", type=int, default=40, help="of its training")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    chosen = parser.parse_args(arguments)
    device = DeviceParams(device=chosen.device)
    choices = Choices(
        chosen.data, chosen.work, device, chosen.limit, chosen.iterations, chosen.hela_minutes
    )
    params = BaselineParams(
        chen_minutes=chosen.chen_minutes,
        cellpose_model=chosen.cellpose_model,
        cellpose_epochs=chosen.cellpose_epochs,
    )
    wanted = [name for name in chosen.datasets.split(",") if name] or names
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        parser.error(f"there is no data set {unknown[0]!r}: choose of {', '.join(names)}")
    try:
        methods = [name for name in chosen.methods.split(",") if name]
        baselines, notes = make_baselines(methods, params, device, image=True)
        outcomes: list[DataSetOutcome] = []
        for dataset in DATASETS:
            if dataset.name in wanted:
                outcomes.append(_watched(dataset.name, measure(dataset, baselines, choices)))
        path = write_results(outcomes, notes, chosen.out, choices)
    except CopnetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"{path}\n")
    return 0


def _watched(name, work):
    """Run a step to its end; a line when another part of it begins or another tenth is done."""
    shown = ("", -1)
    while True:
        try:
            progress: Progress = next(work)
        except StopIteration as end:
            return end.value
        now = (progress.step, int(10 * progress.done / progress.total) if progress.total else 0)
        if now != shown:
            shown = now
            sys.stderr.write(
                f"{name}: {progress.step} {progress.done:.1f} of {progress.total:.1f} "
                f"{progress.unit} {progress.note}\n"
            )


if __name__ == "__main__":
    sys.exit(main())
