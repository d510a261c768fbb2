"""What the cells of a stack are like on the whole."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from napari_copnet.measures.table import Table


def population(tables: Mapping[str, Table]) -> Table:
    """Return mean, standard deviation and count of each measure.

    Parameters
    ----------
    tables : mapping of str to Table
        Of these, ``slices``, ``cells`` and ``pairs`` are summed up. Values that are not known do
        not count.
    """
    rows: list[tuple[object, ...]] = []
    for name in ("slices", "cells", "pairs"):
        if name not in tables:
            continue
        table = tables[name]
        for column in table.measures:
            # The mean of an angle that starts anew at 180° says nothing.
            if column.unit == "°":
                continue
            rows.append((name, column.name, column.unit, *summary(table.numbers(column.name))))
    heads = ("table", "measure", "unit", "mean", "sd", "n", "minimum", "median", "maximum")
    columns = zip(*rows, strict=True) if rows else [[] for _ in heads]
    return Table("population", dict(zip(heads, columns, strict=True)))


def summary(values: np.ndarray) -> tuple[float, float, int, float, float, float]:
    """Return mean, standard deviation (n − 1), n, minimum, median and maximum; NaN for none."""
    there = values[~np.isnan(values)]
    if not there.size:
        return (np.nan, np.nan, 0, np.nan, np.nan, np.nan)
    sd = float(np.std(there, ddof=1)) if there.size > 1 else float("nan")
    return (
        float(there.mean()),
        sd,
        int(there.size),
        float(there.min()),
        float(np.median(there)),
        float(there.max()),
    )
