"""The losses of a training, an epoch a line, and the learning curve that a card keeps of them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from napari_copnet.errors import InputError
from napari_copnet.records import MOST_BYTES, read_bounded
from napari_copnet.training import child
from napari_copnet.training.work import work_folder

# Of the learning curve in a card.
CURVE_POINTS = 20


def read_losses(out: Path | str) -> list[dict[str, float]]:
    """Return what a training of `out` has written so far, a row per epoch, for curves.

    Returns
    -------
    list of dict
        With the keys of `child.COLUMNS`; those without a value (no validation) are missing.
    """
    try:
        text = read_bounded(work_folder(out) / child.LOSSES, MOST_BYTES).decode()
        header, *lines = text.splitlines()
    except (InputError, ValueError):
        return []
    names = header.split(",")
    rows = []
    for line in lines:
        values = line.split(",")
        if len(values) == len(names):
            # a line that is being written may end in half a number: the next look has all of it
            with contextlib.suppress(ValueError):
                rows.append({n: float(v) for n, v in zip(names, values, strict=True) if v})
    return rows


def learning_curve(losses: Sequence[dict[str, float]]) -> list[list[float]]:
    """Return the validation Dice of a training for its card: pairs of step and Dice.

    Parameters
    ----------
    losses : sequence of dict
        From `read_losses`; of epochs without validation nothing is kept.

    Returns
    -------
    list of [step, Dice]
        At most `CURVE_POINTS`, evenly spaced in epochs, with the first and the last.
    """
    rows = [row for row in losses if "validation_dice" in row]
    last = len(rows) - 1
    count = min(len(rows), CURVE_POINTS)
    chosen = sorted({round(at * last / max(1, count - 1)) for at in range(count)})
    return [[rows[at]["step"], round(rows[at]["validation_dice"], 4)] for at in chosen]
