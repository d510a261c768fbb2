"""The files of a comparison: masks, a table, and everything as JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.evaluation.baselines.comparison import Compared
from napari_copnet.evaluation.report import score_table
from napari_copnet.evaluation.score_names import SCORES
from napari_copnet.files import whole_file
from napari_copnet.foreign_text import plain_cell
from napari_copnet.io.write import write_image
from napari_copnet.lazy_array import LazyArray
from napari_copnet.runs.run_record import described, surroundings
from napari_copnet.types import Stack

COLUMNS = SCORES


def lines(compared: Mapping[str, Compared]) -> list[str]:
    """Return the table as lines of text, with what tuning chose."""
    rows = score_table({one.title: one.scores.as_dict() for one in compared.values()})
    width = 2 + max(len(row[0]) for row in rows)
    text = [row[0].ljust(width) + "".join(f"{cell:<16}" for cell in row[1:]) for row in rows]
    for one in compared.values():
        chosen = ", ".join(
            f"{name} {value:g}"
            for name, value in one.settings.items()
            if isinstance(value, int | float)
        )
        if chosen:
            text.append(f"  {one.title}: {chosen}")
    return [line.rstrip() for line in text]


def _in_stack(mask: Any, numbers: Sequence[int], shape: tuple[int, ...]) -> LazyArray:
    """Return the mask of some slices as one of the whole stack, 0 on the others."""
    place = {number: position for position, number in enumerate(numbers)}

    def plane(z: int) -> np.ndarray:
        return np.asarray(mask[place[z]]) if z in place else np.zeros(shape[1:], np.uint8)

    return LazyArray(shape, np.uint8, plane)


def write_comparison(
    out: Path,
    compared: Mapping[str, Compared],
    record: Mapping[str, Any],
    stack: Stack,
    baselines: Collection[str],
) -> dict[str, Any]:
    """Write the baselines' masks, ``baselines.csv`` and ``baselines.json`` into a folder.

    Parameters
    ----------
    out : Path
    compared : mapping
        From `compare`.
    record : mapping
        What to write besides; ``slices`` are those scored.
    stack : Stack
        Step 1's map: masks get its size and frame, and are 0 on slices that were not scored.
    baselines : collection of str
        Whose masks to write.

    Returns
    -------
    dict
        What was written as JSON, with ``methods`` and ``files``.
    """
    files: dict[str, str] = {}
    for name in baselines:
        whole = _in_stack(compared[name].mask, record["slices"], stack.shape)
        files[name] = str(write_image(out / name, whole, like=stack, kind="closed", format="tiff"))
    with whole_file(out / "baselines.csv") as beside, beside.open("w", newline="") as file:
        writer = csv.writer(file)
        spread = [f"{name}_sd" for name in COLUMNS]
        writer.writerow(["method", *COLUMNS, *spread, "cells", "slices", "settings"])
        for name, one in compared.items():
            scores = one.scores.as_dict()
            writer.writerow(
                [
                    plain_cell(name),
                    *(scores[column] for column in COLUMNS),
                    *(scores["sd"][column] for column in COLUMNS),
                    scores["cells"],
                    len(scores["slices"]),
                    json.dumps(one.settings),
                ]
            )
    files["table"] = str(out / "baselines.csv")
    files["scores"] = str(out / "baselines.json")
    result = {
        **record,
        **surroundings(),
        "inputs": {"contours": described(stack)},
        "methods": {name: one.as_dict() for name, one in compared.items()},
        "files": files,
    }
    with whole_file(out / "baselines.json") as beside:
        beside.write_text(json.dumps(result, indent=1) + "\n")
    return result
