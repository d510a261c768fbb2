"""Errors for users: one sentence that says what is wrong, and a hint what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# What a button says, and the fields of `params.ReadParams` that it stands for.
Answer = tuple[str, dict[str, Any]]


class CopnetError(Exception):
    """A problem the user can act on.

    Deliberately not a RuntimeError: thread workers of the GUI swallow those.

    Parameters
    ----------
    message : str
        One sentence that says what is wrong, ending with a full stop.
    hint : str
        What the user can do about it. May be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class InputError(CopnetError):
    """A file or array given by the user can't be used."""


class NeedsChoiceError(InputError):
    """The input can be read in more than one way; the user must say which.

    Parameters
    ----------
    message, hint : str
        As for `CopnetError`.
    option : str
        Name of the field of `params.ReadParams` that settles it; a dialog can ask for it.
    answers : sequence of (str, dict)
        The likeliest answers: in words, and as fields of `params.ReadParams`.

    Attributes
    ----------
    option : str
    answers : tuple
        As given.
    """

    def __init__(
        self, message: str, hint: str, option: str, answers: Sequence[Answer] = ()
    ) -> None:
        super().__init__(message, hint)
        self.option = option
        self.answers = tuple(answers)


class ModelError(CopnetError):
    """A model folder, weight file or plan is unknown, broken or not allowed."""


class DeviceError(CopnetError):
    """The device asked for is absent, or ran out of memory on every fallback."""


class OutputError(CopnetError):
    """A result can't be written to the requested place."""
