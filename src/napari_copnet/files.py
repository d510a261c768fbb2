"""Files and folders that appear whole or not at all: written beside, synced, then renamed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_copnet.errors import OutputError


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it takes the place of `path`.

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
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=".writing-", suffix="".join(path.suffixes[-2:]), dir=path.parent
        )
        os.close(handle)
        beside = Path(name)
        try:
            yield beside
            _sync(beside)
            beside.chmod(0o666 & ~_umask())
            os.replace(beside, path)
            _sync(path.parent)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path | str) -> Iterator[Path]:
    """Yield an empty folder beside `path` to fill; on success it takes the place of `path`.

    A folder that was there is replaced only when the new one is complete.

    Raises
    ------
    OutputError
        No right, no room, or no such folder to write to. Nothing is left behind.
    """
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
        old = beside.with_name(beside.name + ".old")
        try:
            yield beside
            for child in sorted(beside.rglob("*")):
                if child.is_file():
                    _sync(child)
            beside.chmod(0o777 & ~_umask())
            if path.exists():
                os.replace(path, old)
            os.replace(beside, path)
            _sync(path.parent)
        finally:
            if old.exists() and not path.exists():
                os.replace(old, path)
            shutil.rmtree(beside, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def check_writable(folder: Path | str, bytes_needed: int = 0) -> Path:
    """Check before work starts that files can be written into `folder`; nothing is made.

    Raises
    ------
    OutputError
        It could not be made, can't be written to, or has less free room than `bytes_needed`.
    """
    folder = Path(folder)
    with _explained(folder):
        there = folder.absolute()
        while not there.exists():
            there = there.parent
        with tempfile.TemporaryFile(dir=there):
            pass
        free = shutil.disk_usage(there).free
    if free < bytes_needed:
        raise OutputError(
            f"There is no room in {folder}: {bytes_needed / 1e9:.1f} GB needed, "
            f"{free / 1e9:.1f} GB free.",
            "Choose another folder, or free some room.",
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


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise OutputError(
            f"There is no right to write {path}.", "Choose another folder."
        ) from error
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(
            f"{path} can't be written: a file stands where a folder is needed.",
            "Choose another folder.",
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(
                f"There is no room to write {path}.", "Choose another folder, or free some room."
            ) from error
        if error.errno == errno.EROFS:
            raise OutputError(
                f"{path} lies on a read-only disk.", "Choose another folder."
            ) from error
        raise
