"""Make the sample that comes with the package: the stack, its truth, and what a run makes of it.

Usage: python scripts/make_sample.py

To be done anew when the default models or the default settings change: the window shows the result
that is kept only for those it was made with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.pipeline import RunResult, run
from napari_copnet.progress import Progress, finish
from napari_copnet.synthetic import Tissue, sample_stack
from napari_copnet.types import Iteration

LEVELS = 15
OUT = Path(__file__).parent.parent / "src" / "napari_copnet" / "gui" / "samples" / "tissue.npz"


def kept(tissue: Tissue, result: RunResult, maps: list[np.ndarray]) -> dict[str, Any]:
    """Return the arrays to keep: contour probability in 16 steps, as differences of iterations.

    Parameters
    ----------
    tissue : Tissue
    result : RunResult
    maps : list of ndarray, shape (Z, Y, X)
        Contour probability after each iteration, without Step 1.
    """
    closing, size, verdict = result.closing, result.size, result.verdict
    assert size is not None
    assert verdict is not None
    steps = np.stack([np.asarray(result.contours), *maps])
    # Finer steps are mostly noise: they take twice the room, and nobody sees them.
    steps = np.round(LEVELS * steps.astype(np.float32)).astype(np.uint8)
    steps = np.diff(steps, axis=0, prepend=np.zeros((1, *steps.shape[1:]), np.uint8))
    record = {
        "size": {"size": size.size, "reason": size.reason},
        "settled": bool(closing.settled),
        "likely_gaps": bool(closing.likely_gaps),
        "certainty": closing.certainty,
        "mode": result.cells.mode,
        "verdict": verdict.as_dict(),
        "models": [result.models[kind].sha256 for kind in ("contours", "closing")],
    }
    return {
        "image": tissue.stack.data,
        "true_contours": np.packbits(np.asarray(tissue.contours) > 0),
        "true_cells": np.asarray(tissue.cells).astype(np.uint16),
        "shifts": result.preprocessed.frame.shifts,
        "iterations": steps,
        "mask": np.packbits(np.asarray(closing.mask) > 0),
        "cells": np.asarray(result.cells.labels).astype(np.uint16),
        "counts": result.cells.counts,
        "links": result.cells.links,
        "changed": closing.changed,
        "changed_by_slice": closing.changed_by_slice,
        "iterations_by_slice": closing.iterations_by_slice,
        "converged": closing.converged,
        "levels": np.array(LEVELS),
        "record": json.dumps(record),
    }


def main() -> None:
    """Make the file."""
    tissue = sample_stack()
    maps: list[np.ndarray] = []

    def collect(progress: Progress) -> None:
        if isinstance(progress.partial, Iteration):
            maps.append(np.array(progress.partial.probability))

    result = finish(run(tissue.stack), collect)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(OUT, **kept(tissue, result, maps))
    print(OUT, f"{OUT.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
