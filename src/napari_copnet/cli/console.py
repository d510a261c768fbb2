"""What a command shows: progress and notes on standard error, the result on standard output."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, TextIO

import numpy as np
import typer
from rich.console import Console

from napari_copnet.errors import CopnetError
from napari_copnet.foreign_text import printable
from napari_copnet.progress import Result, Steps, finish
from napari_copnet.watching import TerminalBars

Json = Annotated[
    bool, typer.Option("--json", help="Print only one JSON object on standard output.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]

_errors = Console(stderr=True, highlight=False)
# Where the one JSON object goes while what libraries print goes elsewhere.
_answers: ContextVar[TextIO | None] = ContextVar("answers", default=None)


def watched(work: Steps[Result]) -> Result:
    """Run a step to its end behind a progress bar on standard error; notes are printed once."""
    with contextlib.closing(work), TerminalBars(_errors) as bars:
        return finish(work, bars.show)


def say(sentence: str) -> None:
    """Print a sentence for the user on standard error."""
    _errors.print(printable(sentence), markup=False)


def show(result: dict[str, Any], as_json: bool, lines: list[str]) -> None:
    """Print a result: one JSON object, or lines for people."""
    if as_json:
        _answer(json.dumps(plain(result), allow_nan=False))
        return
    for line in lines:
        sys.stdout.write(printable(line) + "\n")


def plain(value: Any) -> Any:
    """Return `value` in the types JSON knows; NaN becomes null, paths become text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    return value


def explained(function: Callable[..., Any]) -> Callable[..., Any]:
    """End a command with exit code 1, a sentence and a hint when something is wrong."""

    @functools.wraps(function)
    def command(**values: Any) -> Any:
        as_json = bool(values.get("as_json"))
        with _alone() if as_json else contextlib.nullcontext(), _explaining(as_json):
            return function(**values)

    return command


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Send what libraries print to standard error: the answer is alone on standard output."""
    token = _answers.set(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _answers.reset(token)


def _answer(text: str) -> None:
    (_answers.get() or sys.stdout).write(text + "\n")


@contextlib.contextmanager
def _explaining(as_json: bool) -> Iterator[None]:
    try:
        yield
    except CopnetError as error:
        _fail(error.message, error.hint, as_json, error)
    except MemoryError as error:
        _fail(
            "There is not enough memory.",
            "Use fewer slices, a smaller --size, or a machine with more memory.",
            as_json,
            error,
        )
    except KeyboardInterrupt:
        _errors.print("Stopped.")
        raise typer.Exit(130) from None
    except (typer.Exit, typer.Abort, SystemExit):
        raise
    except Exception as error:
        if os.environ.get("COPNET_DEBUG"):
            raise
        _fail(
            f"copnet ran into an unexpected problem: {type(error).__name__}: {error}".rstrip(".")
            + ".",
            "Please report it. COPNET_DEBUG=1 shows the traceback.",
            as_json,
            error,
        )


def _fail(message: str, hint: str, as_json: bool, cause: BaseException) -> None:
    if os.environ.get("COPNET_DEBUG"):
        _errors.print_exception()
    if as_json:
        _answer(json.dumps({"error": message, "hint": hint}))
    text = printable(f"{message} {hint}".rstrip())
    _errors.print(text, markup=False, soft_wrap=True)
    raise typer.Exit(1) from cause
