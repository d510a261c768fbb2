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
from pathlib import Path
from typing import Any

from napari_copnet.errors import InputError, OutputError
from napari_copnet.files import explained, sync, unused_name, whole_file
from napari_copnet.leftovers import in_work, tidy
from napari_copnet.locks import only_writer
from napari_copnet.records import SHAPE, Fixed, Range, read_record
from napari_copnet.runs.known_files import (
    HASHES,
    RECORD,
    Known,
    check_ours,
    file_facts,
    is_intact,
    is_ours,
    known_files,
    named_files,
    which_of,
)

# While files change places.
UNFINISHED = "unfinished"
REPEAT = "Repeat the run into the same folder."
_SLICES = [Range(0, 1 << 24)]
_MODEL = {"name?": str, "sha256?": str}
# What is read of the record of a run, or of a step alone.
FORM: dict[str, Any] = {
    "command?": str,
    "key?": str,
    "files?": dict,
    HASHES + "?": dict,
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
    known = known_files(out, record)
    if replaces and os.path.lexists(out / record):
        command = read_record(out / record, {"command?": str}).get("command")
        if command != replaces:
            raise OutputError(
                f"copnet {replaces} did not write the results in {out}, but copnet {command}.",
                "Choose another folder.",
            )
    for name in names:
        check_ours(out / name, known)


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


# Changing places -------------------------------------------------------------


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
    hashes = {path.name: file_facts(path) for path in new}
    known = known_files(out, made.name)
    for name in hashes:
        check_ours(out / name, known)
    kept = _of_the_same(out, record) if made.name == RECORD else {}
    if keep:
        kept = {name: which_of(out / name, it) for name, it in known.items() if it}
        kept = {name: it for name, it in kept.items() if name not in hashes}
    _write(
        out / made.name,
        {
            "command": record.get("command", "run"),
            UNFINISHED: True,
            HASHES: {**known, **{name: _either(known, name, it) for name, it in hashes.items()}},
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
        if known[name] is not None and os.path.lexists(path) and is_ours(path, known):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    sync(out)
    record[HASHES] = {**kept, **hashes}
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
        hashes = before.get(HASHES, {})
        if name not in record["files"] and local in hashes and is_intact(out / local, before):
            record["files"][name] = str(out / local)
            kept[local] = hashes[local]
    return kept


def _either(known: Known, name: str, new: dict[str, Any]) -> list[dict[str, Any]] | None:
    before = known.get(name, [])
    return None if before is None else [*before, new]


def _write(path: Path, record: dict[str, Any]) -> None:
    with whole_file(path) as file:
        file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
