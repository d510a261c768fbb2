"""Files that appear whole or not at all: written next to the target, synced, then renamed."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_copnet.errors import OutputError
from napari_copnet.leftovers import in_work, tidy

# Folders in which this process has looked for what killed ones left.
_tidied: set[Path] = set()


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Yield a path next to `path` to write to; on success it replaces `path`.

    Parameters
    ----------
    path : path
        Where the file shall be. Its suffix is kept on the temporary file.

    Raises
    ------
    OutputError
        No right, no room, or no such folder to write to. Nothing is left behind.
    """
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent not in _tidied:
            tidy(path.parent)
            _tidied.add(path.parent)
        beside = unused_name(path.parent, "".join(path.suffixes[-2:]))
        beside.touch(exist_ok=False)
        try:
            yield beside
            sync(beside)
            os.replace(beside, path)
            sync(path.parent)
        finally:
            beside.unlink(missing_ok=True)


def check_file(path: Path | str, ours: Callable[[Path], bool], *, replace: bool = True) -> None:
    """Check before work starts that a file which the user named may be written; nothing is made.

    Parameters
    ----------
    path : path
        May be missing.
    ours : callable
        Says of a file whether this package wrote it.
    replace : bool
        Whether such a file may be replaced.

    Raises
    ------
    OutputError
        There is a file that stays, or a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder.", "Give a file name.")
    if os.path.lexists(path) and not (path.is_file() and path.stat().st_size == 0):
        if not (path.is_file() and ours(path)):
            raise OutputError(
                f"{path} already exists, and napari-copnet did not write it.",
                "Choose another name; the file was not changed.",
            )
        if not replace:
            raise OutputError(
                f"{path} already exists.", "Replace it (--replace), or choose another name."
            )


def check_files(folder: Path | str, names: Iterable[str], *, ours: bool) -> None:
    """Check before work starts that files of these names may be written into a folder.

    Parameters
    ----------
    folder : path
    names : iterable of str
    ours : bool
        Whether an earlier result of the same command is there, which may be replaced.

    Raises
    ------
    OutputError
        One of them is there, and is not ours.
    """
    for name in names:
        check_file(Path(folder) / name, lambda _: ours)


def check_writable(folder: Path | str, bytes_needed: int = 0) -> Path:
    """Check before work starts that files can be written into `folder`; nothing is made.

    Raises
    ------
    OutputError
        It could not be made, can't be written to, or has less free room than `bytes_needed`.
    """
    folder = Path(folder)
    with explained(folder):
        if os.path.lexists(folder) and not folder.is_dir():
            # A link to nothing too.
            raise NotADirectoryError(folder)
        there = folder.absolute()
        while not there.exists():
            there = there.parent
        with tempfile.TemporaryFile(dir=there):
            pass
        free = shutil.disk_usage(there).free
    if free < bytes_needed:
        raise OutputError(
            f"There is not enough space in {folder}: {bytes_needed / 1e9:.1f} GB needed, "
            f"{free / 1e9:.1f} GB free.",
            "Choose another folder, or free some space.",
        )
    return folder


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file, or of a folder's files with their relative names."""
    path = Path(path)
    digest = hashlib.sha256()
    if path.is_dir():
        for child in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(child.relative_to(path).as_posix().encode())
            digest.update(bytes.fromhex(sha256(child)))
        return digest.hexdigest()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unused_name(folder: Path, suffix: str = "") -> Path:
    """Return a path in a folder for an unfinished file or folder of this process.

    Files made there by the usual means get the rights that the user's new files have.
    """
    return folder / f"{in_work('writing')}{secrets.token_hex(8)}{suffix}"


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the system's error on writing `path` into a sentence for the user."""
    try:
        yield
    except PermissionError as error:
        raise OutputError(
            f"You have no permission to write {path}.", "Choose another folder."
        ) from error
    except IsADirectoryError as error:
        raise OutputError(
            f"{path} can't be written: there is a folder where a file is needed.",
            "Choose another name.",
        ) from error
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(
            f"{path} can't be written: there is a file where a folder is needed.",
            "Choose another folder.",
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(
                f"There is no space to write {path}.", "Choose another folder, or free some space."
            ) from error
        if error.errno == errno.EROFS:
            raise OutputError(
                f"{path} is on a read-only disk.", "Choose another folder."
            ) from error
        if error.errno == errno.EFBIG:
            raise OutputError(
                f"{path} is larger than files may be on this disk, or for this user.",
                "Choose another folder, or write fewer results.",
            ) from error
        if error.errno == errno.ENAMETOOLONG:
            raise OutputError("This name is too long.", "Choose a shorter one.") from error
        raise OutputError(
            f"{path} can't be written: {error.strerror or error}.", "Choose another folder."
        ) from error
