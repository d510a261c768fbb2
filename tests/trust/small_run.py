"""A small run, to be damaged."""

import numpy as np

from napari_copnet.io.write import write_image
from napari_copnet.runs.generation import new_generation
from napari_copnet.runs.run_record import write_record
from napari_copnet.types import VoxelSize

SHAPE = (2, 12, 14)


def contour_of(number=0):
    contour = np.zeros(SHAPE, np.uint8)
    contour[:, ::6] = contour[:, :, (number + 3) % 7 :: 7] = 1
    return contour


def write_run(folder, number=0, names=("contours", "closed"), **record):
    """Write a run's results as `save_run` does; those of different numbers differ."""
    contour = contour_of(number)
    arrays = {
        "contours": contour * np.float32(0.9),
        "closed": contour,
        "iterations": np.stack([contour * np.float32(0.5), contour * np.float32(0.9)]),
        "cells": (1 - contour).astype(np.uint32),
    }
    record = {
        "command": "run",
        "key": f"run {number}",
        "settings": {"cells": {"min_size": 4}, "closing": {"keep_iterations": True}},
        "frame": {
            "results": "original",
            "original_shape": list(SHAPE),
            "processed_shape": list(SHAPE),
            "shifts": [[0.0, 0.0]] * SHAPE[0],
        },
        "converged_by_slice": [True] * SHAPE[0],
        "blank_slices": [],
        "inputs": {"stack": {"path": None, "sha256": None}},
        **record,
    }
    with new_generation(folder) as made:
        record["files"] = {
            name: str(
                write_image(
                    made.folder / name,
                    arrays[name],
                    kind=name,
                    voxel_size=VoxelSize(0.05, 0.01, 0.01),
                )
            )
            for name in names
        }
        write_record(made.folder, record)
    return made.record
