"""The results in a folder are of one generation: all of one run, each as the run wrote it.

New results are written into a hidden folder beside the old ones, and take their place together.
``run.json`` has the SHA-256 of each file. While files change places it says that they do, and
has the hashes of both generations: killed at any moment, a folder is known to be mixed, the next
run puts it right, and a file that is of neither generation is never touched. Tables and exports
have records of other names, and the same promise.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from napari_copnet.errors import InputError, OutputError
from napari_copnet.files import explained, sha256, sync, unused_name, whole_file
from napari_copnet.leftovers import in_work, tidy
from napari_copnet.locks import only_writer
from napari_copnet.records import SHAPE, Fixed, Range, is_plain_file, read_record

RECORD = "run.json"
# While files change places.
UNFINISHED = "unfinished"
REPEAT = "Repeat the run into the same folder."
_HASHES = "hashes"
_SLICES = [Range(0, 1 << 24)]
_MODEL = {"name?": str, "sha256?": str}
# What is read of the record of a run, or of a step alone.
FORM: dict[str, Any] = {
    "command?": str,
    "key?": str,
    "files?": dict,
    _HASHES + "?": dict,
    UNFINISHED + "?": bool,
    "versions?": dict,
    "settings?": {
        "cells?": dict,
        "closing?": dict,
        "preprocess?": {"size?": (Range(0, 1 << 24), None)},
    },
    "frame?": {
        "results?": str,
        "original_shape?": SHAPE,
        "processed_shape?": SHAPE,
        "shifts?": [Fixed(float, 2)],
    },
    "blank_slices?": _SLICES,
    "changed?": [float],
    "converged_by_slice?": [(bool, int)],
    "iterations_by_slice?": [int],
    "inputs?": {
        "stack?": {
            "path?": (str, None),
            "sha256?": (str, None),
            "stamp?": ([int], None),
            "voxel_size?": Fixed((float, None), 3),
        }
    },
    "read?": dict,
    "size?": (dict, None),
    "models?": {"contours?": _MODEL, "closing?": _MODEL},
    "verdict?": ({"light": str, "says": str}, None),
    "notes?": [str],
}


@dataclass
class Generation:
    """Results on their way into a folder.

    Attributes
    ----------
    out : Path
        Where they are to lie.
    folder : Path
        Where to write them, ``run.json`` among them.
    record : dict
        In the end, the record as it lies in `out`: ``files`` maps names to paths there.
    name : str
        Of the file that the record lies in.
    """

    out: Path
    folder: Path
    record: dict[str, Any] = field(default_factory=dict)
    name: str = RECORD

    def write(self, record: dict[str, Any]) -> None:
        """Write the record beside the results; ``files`` has their paths there."""
        path = self.folder / self.name
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


@contextlib.contextmanager
def new_generation(
    out: Path | str, name: str = RECORD, *, keep: bool = False
) -> Iterator[Generation]:
    """Write results that take the place of those before, all together.

    Files that were not written by a run, or were changed since, stay, whatever their names.

    Parameters
    ----------
    out : path
        Folder; created if missing.
    name : str
        Of the record.
    keep : bool
        Whether earlier results of other names stay, such as exports to other formats.

    Yields
    ------
    Generation
        Its folder has to hold the record in the end.

    Raises
    ------
    OutputError
        A file that must stay has the name of a result, another program writes here too, or there
        is no permission or no space to write. Nothing in `out` was changed then.
    """
    out = Path(out)
    with explained(out):
        is_new = not out.exists()
        out.mkdir(parents=True, exist_ok=True)
        tidy(out)
        beside = unused_name(out)
        try:
            beside.mkdir()
            made = Generation(out, beside, name=name)
            yield made
            with only_writer(out):
                made.record = _put_in_place(made, keep)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
            if is_new:
                with contextlib.suppress(OSError):
                    out.rmdir()


def check_results(
    out: Path | str, names: Iterable[str] = (), record: str = RECORD, *, replaces: str = ""
) -> None:
    """Check before work starts that results can be written into a folder; nothing is made.

    Parameters
    ----------
    out : path
        May be missing.
    names : iterable of str
        File names of the results.
    record : str
        File name of their record.
    replaces : str
        The command whose results alone may make room; by default those of any.

    Raises
    ------
    OutputError
        A file that must stay has such a name, or the results are of another command.
    """
    out = Path(out)
    known = _known(out, record)
    if replaces and os.path.lexists(out / record):
        command = read_record(out / record, {"command?": str}).get("command")
        if command != replaces:
            raise OutputError(
                f"copnet {replaces} did not write the results in {out}, but copnet {command}.",
                "Choose another folder.",
            )
    for name in names:
        _check_ours(out / name, known)


def read_generation(folder: Path | str) -> dict[str, Any] | None:
    """Return ``run.json`` of a folder; None where there is none.

    Raises
    ------
    InputError
        It is damaged, or the folder holds files of two runs.
    """
    path = Path(folder) / RECORD
    if not os.path.lexists(path):
        return None
    record = read_record(path, FORM, f"{REPEAT} Or remove {RECORD}: images still open.")
    if record.get(UNFINISHED):
        raise InputError(
            f"The results in {path.parent} come from two runs, one of which was stopped.", REPEAT
        )
    return record


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
    hashes = record.get(_HASHES)
    if not isinstance(hashes, dict):
        return path.exists()
    return _is_as_told(path, hashes.get(path.name), thorough=thorough)


# Changing places -------------------------------------------------------------

# By file name: what each of the generations that it may be of says of it. None of an earlier
# version, which said nothing but the name.
_Known = dict[str, list[dict[str, Any]] | None]


def _put_in_place(made: Generation, keep: bool) -> dict[str, Any]:
    """Let new results take the place of those before; return the record."""
    out, beside = made.out, made.folder
    record = read_record(beside / made.name)
    files = record.get("files", {})
    record["files"] = {
        name: str(out / Path(path).relative_to(beside))
        if Path(path).is_relative_to(beside)
        else path
        for name, path in files.items()
    }
    new = [path for path in sorted(beside.iterdir()) if path.name != made.name]
    for path in new:
        for child in [path, *path.rglob("*")]:
            if child.is_file():
                sync(child)
    hashes = {path.name: _described(path) for path in new}
    known = _known(out, made.name)
    for name in hashes:
        _check_ours(out / name, known)
    kept = _of_the_same(out, record) if made.name == RECORD else {}
    if keep:
        kept = {name: _which(out / name, it) for name, it in known.items() if it}
        kept = {name: it for name, it in kept.items() if name not in hashes}
    _write(
        out / made.name,
        {
            "command": record.get("command", "run"),
            UNFINISHED: True,
            _HASHES: {**known, **{name: _either(known, name, it) for name, it in hashes.items()}},
        },
    )
    aside = beside / in_work("replaced")
    for name in hashes:
        if (out / name).is_dir():
            os.rename(out / name, aside)
            os.rename(beside / name, out / name)
            shutil.rmtree(aside)
        else:
            os.replace(beside / name, out / name)
    for name in known.keys() - hashes.keys() - kept.keys():
        path = out / name
        # What an earlier version named stays: nothing tells whether it is still that file.
        if known[name] is not None and os.path.lexists(path) and _is_ours(path, known):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    sync(out)
    record[_HASHES] = {**kept, **hashes}
    _write(out / made.name, record)
    return record


def _of_the_same(out: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Return hashes of what an equal run before wrote, and this one did not; `record` names it.

    Equal stacks, settings and models make equal results, of which not all may be asked for.
    """
    try:
        before = read_generation(out) or {}
    except InputError:
        return {}
    frames = [r.get("frame", {}) for r in (before, record)]
    equal = "key" in record and before.get("key") == record["key"]
    if not equal or frames[0].get("results") != frames[1].get("results"):
        return {}
    kept = {}
    for name, local in named_files(before).items():
        hashes = before.get(_HASHES, {})
        if name not in record["files"] and local in hashes and is_intact(out / local, before):
            record["files"][name] = str(out / local)
            kept[local] = hashes[local]
    return kept


def _which(path: Path, may_be: list[dict[str, Any]]) -> dict[str, Any]:
    """Return which of several a file is; the last one where it is none of them."""
    return next((told for told in may_be if _is_as_told(path, told)), may_be[-1])


def _either(known: _Known, name: str, new: dict[str, Any]) -> list[dict[str, Any]] | None:
    before = known.get(name, [])
    return None if before is None else [*before, new]


def _write(path: Path, record: dict[str, Any]) -> None:
    with whole_file(path) as file:
        file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _described(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {"sha256": sha256(path)}
    if path.is_file():
        found = path.stat()
        values |= {"bytes": found.st_size, "changed": found.st_mtime_ns}
    return values


def _known(out: Path, record_name: str) -> _Known:
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
    if _HASHES not in record:
        return dict.fromkeys(named_files(record).values())
    return {
        name: None
        if it is None
        else [one for one in (it if isinstance(it, list) else [it]) if isinstance(one, dict)]
        for name, it in record[_HASHES].items()
        if local_name(name) == name != record_name
    }


def _check_ours(path: Path, known: _Known) -> None:
    if os.path.lexists(path) and not _is_ours(path, known):
        was = "was changed since: " if path.name in known else ""
        raise OutputError(
            f"{path} already exists, and {was}napari-copnet did not write it.",
            "Move it elsewhere, or choose another folder; nothing was changed.",
        )


def _is_ours(path: Path, known: _Known) -> bool:
    if path.name not in known or not (is_plain_file(path) or _is_folder(path)):
        return False
    may_be = known[path.name]
    return may_be is None or any(_is_as_told(path, told) for told in may_be)


def _is_as_told(path: Path, told: Any, *, thorough: bool = True) -> bool:
    """Whether a file or folder is what `_described` was told of, at once or by its hash."""
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
