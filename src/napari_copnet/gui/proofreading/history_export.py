"""The list of edits as a file."""

from __future__ import annotations

import csv
import datetime
import io
import json
from pathlib import Path

from napari_copnet.files import whole_file
from napari_copnet.foreign_text import plain_cell
from napari_copnet.proofreading.edit_history import EditHistory

COLUMNS = ("number", "made", "tool", "text", "applied")


def history_rows(history: EditHistory) -> list[dict[str, object]]:
    """Return the edits in order: number, UTC time, tool, text, and whether it is applied."""
    return [
        {
            "number": index + 1,
            "made": datetime.datetime.fromtimestamp(entry.made, datetime.UTC).isoformat(
                timespec="milliseconds"
            ),
            "tool": entry.tool,
            "text": entry.text,
            "applied": index < history.position,
        }
        for index, entry in ((i, history[i]) for i in range(len(history)))
    ]


def export_history(history: EditHistory, path: Path) -> None:
    """Write the list of edits, as JSON for names that end in .json, else as CSV.

    Raises
    ------
    OutputError
        It can't be written there.
    """
    rows = history_rows(history)
    if path.suffix.lower() == ".json":
        text = json.dumps(rows, indent=2)
    else:
        table = io.StringIO()
        writer = csv.DictWriter(table, COLUMNS)
        writer.writeheader()
        writer.writerows({key: plain_cell(row[key]) for key in row} for row in rows)
        text = table.getvalue()
    with whole_file(path) as beside:
        beside.write_text(text)
