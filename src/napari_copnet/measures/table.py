"""A table of columns, and its files: CSV and Parquet."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet import __version__
from napari_copnet.files import whole_file
from napari_copnet.foreign_text import plain_cell
from napari_copnet.measures.schema import TABLES, Column

FORMATS = ("csv", "parquet")
_TYPES: dict[str, Any] = {
    "integer": np.int64,
    "number": np.float64,
    "truth": np.bool_,
    "text": np.str_,
}
# In the metadata of a Parquet file.
_OURS = b"napari-copnet"


class Table:
    """Columns of equal length.

    Parameters
    ----------
    name : str
        One of `schema.TABLES`, which has the columns in order.
    values : mapping of str to array
        By column. One that is missing is not known for any row; NaN is not known for that row.

    Attributes
    ----------
    name : str
    columns : tuple of Column
        All of the schema, also those of which nothing is known.
    """

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name = name
        self.columns = TABLES[name]
        kinds = {column.name: column.kind for column in self.columns}
        self._values = {key: np.asarray(value, _TYPES[kinds[key]]) for key, value in values.items()}
        lengths = {value.size for value in self._values.values()}
        if len(lengths) > 1:
            raise ValueError(f"columns of the lengths {sorted(lengths)}")
        self._length = lengths.pop() if lengths else 0

    def __len__(self) -> int:
        return self._length

    def __contains__(self, column: str) -> bool:
        return column in self._values

    def __getitem__(self, column: str) -> np.ndarray:
        return self._values[column]

    @property
    def known(self) -> tuple[Column, ...]:
        """The columns of which something is known."""
        return tuple(column for column in self.columns if column.name in self._values)

    @property
    def measures(self) -> tuple[Column, ...]:
        """The known columns that are measures of a row, not its name or place."""
        return tuple(column for column in self.known if column.measure)

    def numbers(self, column: str) -> np.ndarray:
        """Return a column as float64."""
        return self._values[column].astype(np.float64)

    def row(self, index: int) -> dict[str, Any]:
        """Return a row in plain values; what is not known is left out."""
        return {name: value[index].item() for name, value in self._values.items()}


def write_table(table: Table, folder: Path, format: str) -> Path:
    """Write a table as NAME.csv or NAME.parquet, whole or not at all.

    Parameters
    ----------
    table : Table
    folder : Path
    format : str
        ``"csv"``: all columns of the schema in its order; what is not known is empty, text that a
        spreadsheet would run is escaped. ``"parquet"``: the same with nulls, and definition and
        unit in the metadata of each column.

    Raises
    ------
    OutputError
        No permission or no space to write.
    """
    path = folder / f"{table.name}.{format}"
    with whole_file(path) as beside:
        if format == "csv":
            _write_csv(table, beside)
        else:
            _write_parquet(table, beside)
    return path


def _write_csv(table: Table, path: Path) -> None:
    texts = [_as_text(table, column) for column in table.columns]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([column.name for column in table.columns])
        writer.writerows(zip(*texts, strict=True))


def _as_text(table: Table, column: Column) -> list[Any]:
    if column.name not in table:
        return [""] * len(table)
    values = table[column.name].tolist()
    if column.kind == "number":
        return ["" if value != value else f"{value:.9g}" for value in values]
    if column.kind == "truth":
        return ["true" if value else "false" for value in values]
    return [plain_cell(value) for value in values]


def _write_parquet(table: Table, path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    types = {
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "truth": pyarrow.bool_(),
        "text": pyarrow.string(),
    }
    arrays, fields = [], []
    for column in table.columns:
        kind = types[column.kind]
        about = {"unit": column.unit, "definition": column.meaning}
        fields.append(pyarrow.field(column.name, kind, metadata=about))
        if column.name not in table:
            arrays.append(pyarrow.nulls(len(table), kind))
        else:
            values = table[column.name]
            unknown = np.isnan(values) if column.kind == "number" else None
            # Text as NumPy keeps it is of a type that Arrow does not take.
            given = values.tolist() if column.kind == "text" else values
            arrays.append(pyarrow.array(given, kind, mask=unknown))
    schema = pyarrow.schema(fields, metadata={_OURS: __version__})
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), path)
