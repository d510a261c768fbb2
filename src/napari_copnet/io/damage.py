"""Turn the errors that decoders raise on damaged files into one sentence."""

from __future__ import annotations

import struct
import tokenize
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from napari_copnet.errors import InputError

# Seen by fuzzing, besides the libraries' own errors, which are mostly ValueErrors.
_BROKEN = (
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    EOFError,
    AssertionError,
    SyntaxError,
    MemoryError,
    struct.error,
    tokenize.TokenError,
    zlib.error,
    ElementTree.ParseError,
)


@contextmanager
def damage_explained(path: Path, *further: type[Exception]) -> Iterator[None]:
    """Turn the errors that decoders raise on a damaged file into an `InputError`.

    Parameters
    ----------
    path : path
        The file being decoded.
    further : exception classes
        A library's own errors that derive from none of the usual ones.
    """
    broken: tuple[type[Exception], ...] = (*_BROKEN, *further)
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            f"{path.name} can't be read: {error.strerror or error}.",
            "Check that the file exists, is complete and is readable.",
        ) from error
    except broken as error:
        raise InputError(
            f"{path.name} is damaged, truncated or not a readable image ({type(error).__name__}).",
            "Copy or export it again, or open it in Fiji and save it as TIFF.",
        ) from error
