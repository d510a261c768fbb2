"""Models as zip files, to share; zips from others are not trusted."""

from __future__ import annotations

import json
import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

from napari_copnet.errors import ModelError
from napari_copnet.files import check_file, whole_file
from napari_copnet.folders import check_free, whole_folder
from napari_copnet.networks.package import (
    DAMAGED,
    JSON,
    LARGEST,
    WEIGHTS,
    ModelPackage,
    check_name,
    is_model_folder,
    load_package,
    models_folder,
)

# What reading a damaged zip raises.
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)


def export_zip(package: ModelPackage, path: Path | str, *, replace: bool = False) -> Path:
    """Write a model as one zip file, to share it.

    Parameters
    ----------
    package : ModelPackage
    path : path
        The zip: missing, or such a zip that may be replaced.
    replace : bool
        Whether it may.

    Raises
    ------
    ModelError
        The model is broken.
    OutputError
        It can't be written, or is a file that stays.
    """
    check_file(path, is_model_zip, replace=replace)
    load_package(package.folder)
    with whole_file(path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
        for name in (JSON, WEIGHTS):
            archive.write(package.folder / name, name)
    return Path(path)


def is_model_zip(path: Path | str) -> bool:
    """Whether a file is a zip made by `export_zip`."""
    if not Path(path).is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return JSON in archive.namelist()
    except BROKEN:
        return False


def import_zip(
    path: Path | str,
    out: Path | str | None = None,
    *,
    name: str | None = None,
    replace: bool = False,
) -> ModelPackage:
    """Add a zip made by `export_zip` to the user's models.

    Parameters
    ----------
    path : path
        The zip.
    out : path, optional
        The model folder to write; the one of its name in the models folder if not given.
    name : str, optional
        What to call the model; as in the zip if not given.
    replace : bool
        Whether a model of the same name may be replaced.

    Raises
    ------
    ModelError
        Not such a zip, names or sizes that can't be, a broken model, or a name already taken.
    OutputError
        `out` can't be written, or holds something that stays.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sorted(member.filename for member in members) != sorted(LARGEST):
                raise ModelError(
                    f"{path.name} is not a model: it should hold {JSON} and {WEIGHTS} only.",
                    "Choose a zip made by copnet model export.",
                )
            content = {
                member.filename: read_member(archive, member, LARGEST[member.filename])
                for member in members
            }
    except BROKEN as error:
        raise ModelError(f"{path} is not a readable zip file.", DAMAGED) from error
    try:
        facts = json.loads(content[JSON])
        own = check_name(facts["name"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"The {JSON} in {path.name} can't be read.", DAMAGED) from error
    name = own if name is None else check_name(name)
    if name != own:
        content[JSON] = (json.dumps({**facts, "name": name}, indent=1) + "\n").encode()
    folder = models_folder() / name if out is None else Path(out)
    if out is None and not replace:
        refuse_taken(name)
    check_free(folder, is_model_folder, replace=replace)
    with whole_folder(folder, is_model_folder, replace=replace) as beside:
        for member_name, data in content.items():
            (beside / member_name).write_bytes(data)
        load_package(beside).weights()
    return load_package(folder)


def refuse_taken(name: str) -> None:
    """Refuse a name that a model in the models folder has.

    Raises
    ------
    ModelError
        It has.
    """
    if is_model_folder(models_folder() / name):
        raise ModelError(
            f"There is already a model {name!r}.",
            "Replace it (--replace), or give the new one another name (--name).",
        )


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """Read a zip member of at most `most` bytes, whatever size it declares.

    Raises
    ------
    ModelError
        It is larger.
    """
    # Weights hardly pack: a hundredfold is a bomb, whatever its size.
    honest = 100 * member.compress_size + (1 << 20)
    with archive.open(member) as file:
        return _bounded(file, member.filename, min(most, honest))


def _bounded(file: IO[bytes], name: str, most: int) -> bytes:
    data = file.read(most + 1)
    if len(data) > most:
        raise ModelError(
            f"{name[:80]!r} in the zip is larger than {most / 1e6:.0f} MB.",
            "No model has such a file: nothing was imported.",
        )
    return data
