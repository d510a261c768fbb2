"""The gallery: the list of models, with adopting, discarding, restoring and exporting."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_copnet.errors import ModelError, OutputError
from napari_copnet.folders import check_free, whole_folder
from napari_copnet.networks.model_zip import export_zip
from napari_copnet.networks.package import (
    JSON,
    KINDS,
    SHIPPED,
    WEIGHTS,
    ModelPackage,
    adopt,
    adopted_name,
    find_model,
    is_model_folder,
    list_models,
    load_package,
    models_folder,
)
from napari_copnet.training import fit

# Discarded models lie here, out of every list, until they are put back.
DISCARDED = ".discarded"

__all__ = [
    "GalleryEntry",
    "adopt",
    "adopt_shipped",
    "discard",
    "discarded",
    "entries",
    "export_folder",
    "export_zip",
    "restore",
]


@dataclass(frozen=True)
class GalleryEntry:
    """A model as the gallery shows it.

    Attributes
    ----------
    model : ModelPackage
    adopted : bool
        ``"default"`` means this one.
    shipped : bool
        It came with the package, and can't be discarded.
    parent : str
        Name of the model it was fine-tuned from; empty for others.
    created : str
        ISO time; empty where it is not known.
    slices : int
        Annotated slices it has learnt from, its parents' included.
    """

    model: ModelPackage
    adopted: bool
    shipped: bool
    parent: str
    created: str
    slices: int

    @property
    def text(self) -> str:
        """A one-line description."""
        parts = [self.created[:10]] if self.created else []
        if self.parent:
            parts.append(f"from {self.parent}")
        if self.slices:
            parts.append(f"{self.slices} annotated slice{'s' if self.slices != 1 else ''}")
        return ", ".join(parts)


def entries(kind: str | None = None) -> list[GalleryEntry]:
    """Return the gallery: shipped models first, then the user's, the oldest first.

    Parameters
    ----------
    kind : str, optional
        ``"contours"`` or ``"closing"``; both by default.
    """
    default: dict[str, Path] = {}
    for one in KINDS:
        # A missing default is reported when it is used, not here.
        with contextlib.suppress(ModelError):
            default[one] = find_model("default", one).folder.resolve()
    found = [
        _entry(model, default.get(model.kind))
        for model in list_models()
        if kind is None or model.kind == kind
    ]
    return sorted(found, key=lambda entry: (not entry.shipped, entry.created, entry.model.name))


def adopt_shipped(kind: str) -> None:
    """Let ``"default"`` mean the shipped model of a kind again."""
    adopt(None, kind)


def discard(model: ModelPackage) -> Path:
    """Take a model out of the gallery; `restore` puts it back.

    A model that was adopted is no longer: the shipped one is the default again.

    Returns
    -------
    Path
        Where it lies now.

    Raises
    ------
    ModelError
        It is a shipped model, or lies elsewhere.
    OutputError
        It can't be moved.
    """
    home = model.folder.resolve().parent
    if home == SHIPPED.resolve():
        raise ModelError(f"Model {model.name!r} came with the package.", "It can't be discarded.")
    if home != models_folder().resolve():
        raise ModelError(
            f"Model {model.name!r} is not in the models folder.", "Delete its folder instead."
        )
    if adopted_name(model.kind) == model.folder.name:
        adopt_shipped(model.kind)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    place = models_folder() / DISCARDED / stamp
    _move(model.folder, place / model.folder.name)
    work = fit.work_folder(model.folder)
    if work.is_dir():
        _move(work, place / work.name)
    return place / model.folder.name


def discarded() -> list[ModelPackage]:
    """Return what was discarded and can be put back, the last one first."""
    home = models_folder() / DISCARDED
    found = []
    for place in sorted(home.iterdir(), reverse=True) if home.is_dir() else ():
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            with contextlib.suppress(ModelError):
                found.append(load_package(folder, verify=False))
    return found


def restore(name: str) -> ModelPackage:
    """Put the model that was discarded last under a name back into the gallery.

    Raises
    ------
    ModelError
        None was discarded, or there is another one of its name.
    """
    named = [model for model in discarded() if model.name == name or model.folder.name == name]
    if not named:
        names = ", ".join(dict.fromkeys(model.name for model in discarded()))
        raise ModelError(
            f"No model {name!r} was discarded.",
            f"Discarded: {names}." if names else "No model was discarded.",
        )
    model = named[0]
    target = models_folder() / model.folder.name
    if target.exists():
        raise ModelError(
            f"There is already a model {name!r}.",
            "Discard that one first, or give the new one another name.",
        )
    place = model.folder.parent
    _move(model.folder, target)
    work = fit.work_folder(model.folder)
    if work.is_dir() and not fit.work_folder(target).exists():
        _move(work, fit.work_folder(target))
    with contextlib.suppress(OSError):
        place.rmdir()
    return load_package(target)


def export_folder(model: ModelPackage, out: Path | str, *, replace: bool = False) -> Path:
    """Copy a model to a folder, whole or not at all; `--contour-model` takes it as it is.

    Parameters
    ----------
    model : ModelPackage
    out : path
        Missing, empty, or a model's folder that may be replaced.
    replace : bool
        Whether it may.

    Raises
    ------
    OutputError
        There is something that stays, or it can't be written.
    """
    out = Path(out)
    check_free(out, is_model_folder, replace=replace)
    load_package(model.folder)
    with whole_folder(out, is_model_folder, replace=replace) as beside:
        for name in (JSON, WEIGHTS):
            shutil.copy2(model.folder / name, beside / name)
    return out


def _entry(model: ModelPackage, default: Path | None) -> GalleryEntry:
    parent = model.card.get("parent", "")
    learnt = model.card.get("learnt", [])
    return GalleryEntry(
        model,
        model.folder.resolve() == default,
        model.folder.resolve().parent == SHIPPED.resolve(),
        str(parent.get("name", "")) if isinstance(parent, dict) else str(parent),
        str(model.card.get("created", "")),
        sum(len(entry.get("slices", [])) for entry in learnt if isinstance(entry, dict)),
    )


def _move(path: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    except OSError as error:
        raise OutputError(
            f"{path} can't be moved to {target}: {error.strerror}.", "Check the permissions."
        ) from error


def as_plain(entry: GalleryEntry) -> dict[str, Any]:
    """Return an entry in types that JSON knows."""
    model = entry.model
    return {
        "name": model.name,
        "kind": model.kind,
        "dimensions": model.plan.dimensions,
        "folder": str(model.folder),
        "sha256": model.sha256,
        "adopted": entry.adopted,
        "shipped": entry.shipped,
        "parent": entry.parent,
        "created": entry.created,
        "slices": entry.slices,
    }
