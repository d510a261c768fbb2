"""Write folders completely or not at all, and never replace files of others.

A new folder is filled beside the old one under a name that begins with ``.writing-`` and identifies
the machine and the process; then it is renamed. The next process that writes there removes what a
killed process left under such a name, and restores a folder that it had moved out of the way.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from napari_copnet.errors import OutputError
from napari_copnet.files import explained, sync, unused_name
from napari_copnet.leftovers import in_work, tidy

Ours = Callable[[Path], bool]
# Written by file browsers beside our files, and not worth keeping.
SYSTEM_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def check_free(path: Path | str, ours: Ours | None = None, *, replace: bool = True) -> None:
    """Check, before work starts, that a folder may be written; nothing is created.

    Parameters
    ----------
    path : path
        May be missing or an empty folder.
    ours : callable, optional
        Returns whether a folder holds only what this package wrote there. By default, no folder
        does.
    replace : bool
        Whether such a folder may be replaced.

    Raises
    ------
    OutputError
        The path is occupied by something that must be kept.
    """
    path = Path(path)
    with explained(path):
        if _is_free(path):
            return
    if not path.is_dir():
        raise OutputError(f"{path} is a file.", "Choose another folder; the file was not changed.")
    if ours is None or not ours(path):
        raise OutputError(
            f"{path} is not empty, and holds files that napari-copnet did not write.",
            "Choose a new or empty folder; nothing in this one was changed.",
        )
    if not replace:
        raise OutputError(
            f"{path} already holds an earlier result.",
            "Replace it (--replace), or choose another folder.",
        )


@contextlib.contextmanager
def whole_folder(
    path: Path | str, ours: Ours | None = None, *, replace: bool = True
) -> Iterator[Path]:
    """Yield an empty folder beside `path` to fill; on success it takes the place of `path`.

    Parameters
    ----------
    path : path
        Path of the new folder.
    ours, replace
        What may exist there, as for `check_free`. It is checked again and replaced only once the
        new folder is complete.

    Raises
    ------
    OutputError
        The path is occupied by something that must be kept, or writing fails for lack of
        permission or space. Nothing is left behind.
    """
    path = Path(os.path.realpath(path)) if Path(path).is_symlink() else Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        tidy(path.parent)
    check_free(path, ours, replace=replace)
    with explained(path):
        beside = unused_name(path.parent)
        beside.mkdir()
        try:
            yield beside
            for child in sorted(beside.rglob("*")):
                if child.is_file():
                    sync(child)
            _swap(beside, path, ours, replace)
            sync(path.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def holds_only(folder: Path, names: frozenset[str] | set[str]) -> bool:
    """Return whether a folder holds only plain files with these names; some may be missing."""
    try:
        return all(
            entry.name in SYSTEM_FILES
            or (entry.name in names and entry.is_file(follow_symlinks=False))
            for entry in os.scandir(folder)
        )
    except OSError:
        return False


def holds_only_kinds(folder: Path, kinds: re.Pattern[str]) -> bool:
    """Return whether the relative path (with ``/``) of every file in a folder matches `kinds`.

    A link matches nothing: what it leads to is another's.
    """
    return all(
        path.name in SYSTEM_FILES
        or (not path.is_symlink() and kinds.fullmatch(path.relative_to(folder).as_posix()))
        for path in Path(folder).rglob("*")
        if not path.is_dir() or path.is_symlink()
    )


def _swap(beside: Path, path: Path, ours: Ours | None, replace: bool) -> None:
    """Move the folder `beside` to `path`, if that may be replaced."""
    for _ in range(10):
        check_free(path, ours, replace=replace)
        with contextlib.suppress(OSError):
            # Fails unless it is an empty folder; systems differ on renaming onto one.
            path.rmdir()
        # The rename itself is the last check: it never replaces a folder that holds something.
        if _renamed(beside, path):
            return
        if not replace:
            # Somebody else was first: the check says so.
            continue
        old = path.with_name(in_work("replaced") + path.name)
        if not _renamed(path, old):
            continue
        if ours is None or not ours(old):
            # Something was put there since the last check.
            _renamed(old, path)
            continue
        done = _renamed(beside, path)
        if not done and _renamed(old, path):
            continue
        shutil.rmtree(old, ignore_errors=True)
        if done:
            return
    raise OutputError(f"{path} is being written by another program.", "Try again.")


def _renamed(path: Path, target: Path) -> bool:
    """Rename a folder if the new name is free; return whether it was."""
    try:
        os.rename(path, target)
    except OSError as error:
        # On Windows: PermissionError when the target, or a file below the folder, is in use.
        taken = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.ENOENT)
        if error.errno in taken:
            return False
        raise
    return True


def _is_free(path: Path) -> bool:
    if not os.path.lexists(path):
        return True
    return path.is_dir() and not any(True for _ in os.scandir(path))
