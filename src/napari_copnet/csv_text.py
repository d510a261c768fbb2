"""Text in tables that spreadsheets open."""

from __future__ import annotations

from typing import Any

# What a spreadsheet takes for the beginning of a formula; tabs and line ends are skipped over.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def escaped(value: Any) -> Any:
    """Return a value for a field of a CSV file that no spreadsheet runs as a formula.

    Parameters
    ----------
    value : object
        Text that begins as a formula does gets an apostrophe in front, which spreadsheets take as
        a sign of text. Numbers and all else stay as they are.
    """
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
