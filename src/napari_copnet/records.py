"""Read JSON records, such as ``run.json``, that may be damaged, hostile or another program's.

What is read is bounded, and a record is of the form that it should have before anyone looks into
it. A form is written as the values it stands for: a type (`int` and `float` are finite and never
`bool`; a whole number is a `float` too), None, a `Range`, a tuple of alternatives, a list of one
form for any number of items, a `Fixed` list, or a dict with forms by key. A key that ends with
``?`` may be missing; other keys than those named may be there.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_copnet.errors import InputError

# Records of the largest stacks have some megabytes.
MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Range:
    """A whole number from `low` to `high`."""

    low: int
    high: int


@dataclass(frozen=True)
class Fixed:
    """A list of `count` items of one form."""

    form: Any
    count: int


SIDE = Range(1, 1 << 24)
# The shape of a stack, (Z, Y, X).
SHAPE = Fixed(SIDE, 3)


def is_record_of(path: Path, command: str) -> bool:
    """Whether a file is the record that a command of ours wrote."""
    try:
        return bool(read_record(path, {"command": str})["command"] == command)
    except InputError:
        return False


def read_record(path: Path | str, form: Any = dict, hint: str = "") -> dict[str, Any]:
    """Return the JSON object in a file.

    Parameters
    ----------
    path : path
        A plain file.
    form : object
        The form that it should have; see above.
    hint : str
        What the user can do when it does not.

    Raises
    ------
    InputError
        Missing, no plain file, too large, not JSON in UTF-8, or not of that form. The message
        names the file, and the value that does not fit.
    """
    path = Path(path)
    hint = hint or "Restore it from a copy."
    data = read_bounded(path, MOST_BYTES, hint)
    if not data.strip():
        raise InputError(f"{path} is empty.", hint)
    try:
        values = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is damaged: it is not text.", hint) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: it is not readable JSON.", hint) from error
    if not isinstance(values, dict):
        raise InputError(f"{path} is damaged: it is no record.", hint)
    if (place := unfit(values, form)) is not None:
        what = f"{place} has a value that can't be" if place else "it is not what was written"
        raise InputError(f"{path} is damaged: {what}.", hint)
    return values


def read_bounded(path: Path | str, most: int, hint: str = "") -> bytes:
    """Return the bytes of a plain file, if they are no more than `most`.

    Raises
    ------
    InputError
        Missing, unreadable, larger, or no plain file: a pipe would be waited for for ever.
    """
    path = Path(path)
    try:
        # Not to wait for the other end of a pipe.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(f"{path} is not a plain file.", hint)
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} can't be read: {reason}.", hint) from error
    if len(data) > most:
        raise InputError(f"{path} is too large to be a record.", hint)
    return data


def is_plain_file(path: Path | str) -> bool:
    """Whether a path is a file of its own: no folder, link, pipe or device."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def has_keys(path: Path | str, *keys: str) -> bool:
    """Whether a file is a record with these keys: one that this package wrote."""
    try:
        return set(keys) <= set(read_record(path))
    except InputError:
        return False


def unfit(value: Any, form: Any, place: str = "") -> str | None:
    """Return where a value is not of a form, such as ``frame.shifts``; None if it is."""
    if isinstance(form, tuple):
        found = [unfit(value, one, place) for one in form]
        # Of alternatives that contain others, the place inside says more.
        return None if None in found else max((f for f in found if f is not None), key=len)
    if isinstance(form, dict):
        if not isinstance(value, Mapping):
            return place
        for key, inner in form.items():
            name, optional = key.removesuffix("?"), key.endswith("?")
            if name not in value:
                if optional:
                    continue
                return _joined(place, name)
            if (wrong := unfit(value[name], inner, _joined(place, name))) is not None:
                return wrong
        return None
    if isinstance(form, Fixed | list):
        inner, count = (form.form, form.count) if isinstance(form, Fixed) else (form[0], None)
        if not isinstance(value, list) or (count is not None and len(value) != count):
            return place
        return next((w for item in value if (w := unfit(item, inner, place)) is not None), None)
    return None if _is_of(value, form) else place


def _is_of(value: Any, form: Any) -> bool:
    if form is None:
        return value is None
    if isinstance(form, Range):
        return _is_whole(value) and form.low <= value <= form.high
    if form is int:
        return _is_whole(value)
    if form is float:
        # A whole number may be too large to be one of these.
        return (_is_whole(value) and abs(value) < 1 << 1000) or (
            isinstance(value, float) and math.isfinite(value)
        )
    return isinstance(value, form)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
