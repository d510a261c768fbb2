"""Which files of a folder are what its record says of them: those of the last run, unchanged.

A record has the SHA-256 of each file, and its size and time, which tell the same at once. While
files change places it has those of both generations; see `generation`.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from napari_copnet.errors import InputError, OutputError
from napari_copnet.files import sha256
from napari_copnet.records import is_plain_file, read_record

RECORD = "run.json"
HASHES = "hashes"
# By file name: what each of the generations that it may be of says of it. None of an earlier
# version, which said nothing but the name.
Known = dict[str, list[dict[str, Any]] | None]


def named_files(record: dict[str, Any]) -> dict[str, str]:
    """Return the file names of the results by the names of the results; see `local_name`."""
    files = record.get("files")
    found = {str(n): local_name(p) for n, p in files.items()} if isinstance(files, dict) else {}
    return {name: local for name, local in found.items() if local and local != RECORD}


def local_name(path: Any) -> str:
    """Return the last part of a path as any system writes it: a run's folder may have been moved.

    It is never a path to elsewhere; empty for what is no path.
    """
    if not isinstance(path, str):
        return ""
    name = PureWindowsPath(PurePosixPath(path).name).name
    return "" if name in ("", ".", "..") or "\0" in name else name


def is_intact(path: Path, record: dict[str, Any], *, thorough: bool = True) -> bool:
    """Whether a result is as the run wrote it: its size and time tell at once, else its hash does.

    Parameters
    ----------
    path : Path
        In the folder of the record.
    record : dict
        One without hashes, of an earlier version, says nothing: what is there is taken for intact.
    thorough : bool
        Whether to read files that were copied since; else their size has to do.
    """
    hashes = record.get(HASHES)
    if not isinstance(hashes, dict):
        return path.exists()
    return _is_as_told(path, hashes.get(path.name), thorough=thorough)


def which_of(path: Path, may_be: list[dict[str, Any]]) -> dict[str, Any]:
    """Return which of several a file is; the last one where it is none of them."""
    return next((told for told in may_be if _is_as_told(path, told)), may_be[-1])


def file_facts(path: Path) -> dict[str, Any]:
    """Return what a record says of a file: hash, size and time; of a folder its hash alone."""
    values: dict[str, Any] = {"sha256": sha256(path)}
    if path.is_file():
        found = path.stat()
        values |= {"bytes": found.st_size, "changed": found.st_mtime_ns}
    return values


def known_files(out: Path, record_name: str) -> Known:
    """Return what is known of the files that runs before have written.

    Raises
    ------
    OutputError
        There is such a record that no run wrote, or that can't be read.
    """
    path = out / record_name
    if not os.path.lexists(path):
        return {}
    try:
        if not is_plain_file(path):
            raise InputError(f"{path} is not a plain file.")
        record = read_record(path, {"command": str, "files?": dict, "hashes?": dict})
    except InputError as error:
        raise OutputError(
            f"{path} already exists, and is not the record of a run that can be read.",
            "Remove it, or choose another folder; nothing was changed.",
        ) from error
    if HASHES not in record:
        return dict.fromkeys(named_files(record).values())
    return {
        name: None
        if it is None
        else [one for one in (it if isinstance(it, list) else [it]) if isinstance(one, dict)]
        for name, it in record[HASHES].items()
        if local_name(name) == name != record_name
    }


def check_ours(path: Path, known: Known) -> None:
    """Check that a file is missing, or known and as it was written.

    Raises
    ------
    OutputError
        It has to stay.
    """
    if os.path.lexists(path) and not is_ours(path, known):
        was = "was changed since: " if path.name in known else ""
        raise OutputError(
            f"{path} already exists, and {was}napari-copnet did not write it.",
            "Move it elsewhere, or choose another folder; nothing was changed.",
        )


def is_ours(path: Path, known: Known) -> bool:
    """Whether a file is known and as it was written."""
    if path.name not in known or not (is_plain_file(path) or _is_folder(path)):
        return False
    may_be = known[path.name]
    return may_be is None or any(_is_as_told(path, told) for told in may_be)


def _is_as_told(path: Path, told: Any, *, thorough: bool = True) -> bool:
    """Whether a file or folder is what `file_facts` was told of, at once or by its hash."""
    if not isinstance(told, dict):
        return False
    if is_plain_file(path):
        found = path.stat()
        if told.get("bytes") != found.st_size:
            return False
        if told.get("changed") == found.st_mtime_ns:
            return True
    elif not _is_folder(path):
        return False
    return not thorough or sha256(path) == told.get("sha256")


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
