"""How slices are named for people: counted from 1, in code from 0."""

from __future__ import annotations

import re
from collections.abc import Iterable

# As texts of edits had it while slices were counted from 0.
_FROM_0 = re.compile(r" (?:in|between) slices? (\d+)(?: (to|and) (\d+))?")
_KEYS = re.compile(r", (closure|gap|split|unsettled) \d+(?: \d+ \d+)?")


def named(slices: Iterable[int], joint: str = "to") -> str:
    """Return the name of a slice, or of the range from the first to the last.

    Parameters
    ----------
    slices : iterable of int
        Counted from 0.
    joint : str
        Between the first and the last.

    Returns
    -------
    str
        Such as ``slice 3`` or ``slices 3 to 7``, counted from 1; empty for none.
    """
    every = sorted(slices)
    if not every:
        return ""
    first, last = every[0] + 1, every[-1] + 1
    return f"slice {first}" if first == last else f"slices {first} {joint} {last}"


def renamed(text: str) -> str:
    """Return the text of an edit with slices counted from 1, also one that was made before."""

    def name(found: re.Match[str]) -> str:
        first, joint, last = found.groups()
        return ", " + named([int(first), int(last or first)], joint or "to")

    return _KEYS.sub(r", \1", _FROM_0.sub(name, text))
