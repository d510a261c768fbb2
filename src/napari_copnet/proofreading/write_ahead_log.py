"""SQLite's write-ahead log of a journal: what it holds, and whether a part of it was damaged.

SQLite takes the first frame whose checksum is wrong for the end of the log, as it is after a power
failure, and drops what follows without a word. Where whole transactions follow, it is not the end:
they were durable once (https://sqlite.org/fileformat2.html#walformat).
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from pathlib import Path

_LOOK_AGAIN = 0.05  # s
_HEADER, _FRAME = 32, 24
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}


@dataclass(frozen=True)
class LogFrame:
    """A page as a transaction left it.

    Attributes
    ----------
    number : int
        Of the page, from 1.
    page : bytes
    commits : bool
        Whether a transaction ends with it.
    is_sound : bool
        Whether its checksum is right.
    """

    number: int
    page: bytes
    commits: bool
    is_sound: bool


def log_of(journal: Path) -> bytes:
    """Return the write-ahead log of a journal; empty where there is none."""
    path = journal.with_name(f"{journal.name}-wal")
    return path.read_bytes() if path.is_file() else b""


def frames_of(data: bytes, size: int) -> list[LogFrame]:
    """Return the frames of a log, those left of logs before it left out.

    Parameters
    ----------
    data : bytes
        The log.
    size : int
        Bytes of a page.
    """
    if len(data) < _HEADER + _FRAME:
        return []
    order = _MAGIC.get(struct.unpack_from(">I", data)[0], "<")
    salt, checksum = data[16:24], struct.unpack_from(">2I", data, 24)
    if not _is_header(data):
        # What is left of it tells nothing; the first frame was written with it.
        salt, checksum = data[_HEADER + 8 : _HEADER + 16], (0, 0)
    found, last = [], 0
    for at in range(_HEADER, len(data) - _FRAME - size + 1, _FRAME + size):
        head = data[at : at + _FRAME]
        told = struct.unpack_from(">2I", head, 16)
        page = data[at + _FRAME : at + _FRAME + size]
        is_right = _checksum(head[:8] + page, checksum, order) == told
        is_of_this = head[8:16] == salt
        checksum = told
        # The checksum leaves out the salt, in which a frame may be damaged.
        if is_of_this or is_right:
            number, pages = struct.unpack_from(">2I", head)
            found.append(LogFrame(number, page, pages > 0, is_right and is_of_this))
            last = len(found) if is_of_this else last
    # Those left of a log before this one lie behind it, and fit each other.
    return found[:last]


def is_damaged(data: bytes) -> bool:
    """Whether a log holds whole transactions past a part that can't be read.

    What SQLite drops of a log that is not damaged was never saved.
    """
    if len(data) < _HEADER + _FRAME:
        return False
    size = struct.unpack_from(">I", data, 8)[0]
    if not _is_header(data) or not 512 <= size <= 65536:
        return True
    frames = frames_of(data, size)
    bad = next((at for at, frame in enumerate(frames) if not frame.is_sound), len(frames))
    # The transaction of a frame that is cut off was on its way to the disk. None begins before the
    # one before it is safe there.
    end = next((at for at in range(bad, len(frames)) if frames[at].commits), len(frames))
    return any(frame.commits for frame in frames[end + 1 :])


def has_damaged_log(journal: Path) -> bool:
    """Whether the log of a journal is damaged; another process may be writing it."""
    try:
        data = log_of(journal)
        # Read half old and half new, it is another one when looked at again.
        while is_damaged(data):
            time.sleep(_LOOK_AGAIN)
            before, data = data, log_of(journal)
            if data == before:
                return True
    except OSError:
        # SQLite says what is wrong with it.
        pass
    return False


def _is_header(data: bytes) -> bool:
    order = _MAGIC.get(struct.unpack_from(">I", data)[0])
    told = struct.unpack_from(">2I", data, 24)
    return order is not None and _checksum(data[:24], (0, 0), order) == told


def _checksum(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & 0xFFFFFFFF
        second = (second + words[at + 1] + first) & 0xFFFFFFFF
    return first, second
