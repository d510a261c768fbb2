"""Unpack what others have packed, into no more memory than it can honestly need."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib

# What reading a damaged zip, or NumPy archive, raises: headers in it are Python literals.
BROKEN_ARCHIVE = (
    OSError,
    ValueError,
    LookupError,
    EOFError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zlib.error,
    zipfile.BadZipFile,
)
# Of a member of a zip with more than this, hardly anything honest packs a hundredfold.
_FREE, _MOST_PACKED = 64 << 20, 100


def inflated(data: bytes, most: int) -> bytes:
    """Return the bytes that were compressed with zlib, at most `most`.

    Raises
    ------
    zlib.error
        Damaged, cut off, or larger.
    """
    unpacker = zlib.decompressobj()
    found = unpacker.decompress(data, most + 1)
    if len(found) > most:
        raise zlib.error(f"more than {most} bytes")
    if not unpacker.eof:
        raise zlib.error("incomplete")
    return found


def is_bomb(archive: zipfile.ZipFile, free: int = _FREE) -> bool:
    """Whether members of a zip unpack to far more than they take in it.

    Parameters
    ----------
    archive : zipfile.ZipFile
    free : int
        Bytes that all may unpack to, whatever they take.
    """
    members = archive.infolist()
    whole = sum(member.file_size for member in members)
    return whole > free + _MOST_PACKED * sum(member.compress_size for member in members)
