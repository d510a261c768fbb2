"""One self-contained HTML page: text, tables and pictures in a single file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from napari_copnet.evaluation.score_names import SCORES, title_of, told
from napari_copnet.files import whole_file


@dataclass(frozen=True)
class ReportSection:
    """A part of the page.

    Attributes
    ----------
    heading, text : str
        What it shows, and how to read it.
    table : sequence of rows
        The first row is the head.
    pictures : sequence of bytes
        PNG files.
    details : tuple of str, optional
        A summary, and a text folded away under it.
    """

    heading: str
    text: str = ""
    table: Sequence[Sequence[str]] = ()
    pictures: Sequence[bytes] = ()
    details: tuple[str, str] | None = None


def write_page(path: Path, title: str, lead: str, sections: Sequence[ReportSection]) -> Path:
    """Write a page, whole or not at all, and return its path.

    Raises
    ------
    OutputError
        It can't be written.
    """
    template = jinja2.Environment(autoescape=True).from_string(
        files("napari_copnet.evaluation").joinpath("report.html").read_text(encoding="utf-8")
    )
    parts = [
        {
            "heading": section.heading,
            "text": section.text,
            "table": section.table,
            "pictures": [base64.b64encode(png).decode() for png in section.pictures],
            "details": section.details,
        }
        for section in sections
    ]
    with whole_file(path) as beside:
        beside.write_text(template.render(title=title, lead=lead, sections=parts), encoding="utf-8")
    return Path(path)


def is_page(path: Path) -> bool:
    """Whether a file is a page that `write_page` wrote."""
    with path.open("rb") as file:
        return b'<meta name="generator" content="napari-copnet">' in file.read(1 << 12)


def score_table(scores: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Return scores by method as rows of text, mean ± standard deviation over slices.

    Parameters
    ----------
    scores : mapping
        Method to the dictionary of an `Evaluation`.
    """
    rows = [["", *(title_of(column, unit=True) for column in SCORES)]]
    for name, values in scores.items():
        spread = values.get("sd") or {}
        row = [name]
        for column in SCORES:
            value = values.get(column)
            if value is None:
                row.append("–")
                continue
            shown, digits = told(column, value)
            text = f"{shown:.{digits}f}"
            if spread.get(column) is not None:
                text += f" ± {told(column, spread[column])[0]:.{digits}f}"
            row.append(text)
        rows.append(row)
    return rows
