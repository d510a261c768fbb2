"""Text from files of others, made harmless for where it is shown: terminals, tables, pages.

A model's card, a session's list of edits and file names may hold what a terminal, a spreadsheet
or a browser would obey.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Any

# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#!|~>])")


def printable(text: str) -> str:
    """Return a text without what moves a terminal's cursor or turns the direction of writing.

    Line breaks and tabs stay.
    """
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co") else "\ufffd"
        for c in text
    )


def plain_cell(value: Any) -> Any:
    """Return a value for a cell of a CSV table: a text that could be a formula begins with ``'``.

    Numbers stay as they are, also where they are texts.
    """
    if not isinstance(value, str) or not value.lstrip(" ").startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return "'" + value
    return value


def as_markdown(text: Any) -> str:
    """Return a text as one line of Markdown that shows it and does nothing else."""
    line = " ".join(printable(str(text)).split())
    return _MARKDOWN.sub(r"\\\1", html.escape(line, quote=False))
