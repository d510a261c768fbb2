"""Keep others out of a folder for a moment, without leaving a file in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_copnet.errors import OutputError


@contextmanager
def only_writer(folder: Path | str) -> Iterator[None]:
    """Be the one process that writes its results into a folder.

    The folder itself is locked. Windows, and network drives that lock files only, know no such
    lock: there nobody is kept out.

    Raises
    ------
    OutputError
        Another process is at it.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    folder = Path(folder)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"Another program is writing its results to {folder}.",
                "Wait for it, or choose another folder.",
            ) from error
        except OSError:
            # A network drive.
            pass
        yield
    finally:
        os.close(handle)
