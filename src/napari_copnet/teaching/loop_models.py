"""The models of the loop of teaching: one for each round, in the project's folder."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.networks.package import (
    ModelPackage,
    adopt,
    find_model,
    list_models,
    load_package,
    models_folder,
)
from napari_copnet.teaching.fine_tuning import unfinished
from napari_copnet.teaching.gallery import export_folder
from napari_copnet.teaching.project_view import ProjectView
from napari_copnet.teaching.state_folder import FOLDER

_NUMBER = re.compile(r"-round-(\d+)$")


def rounds_folder(project: ProjectView) -> Path:
    """Return the folder of the models of a project's loop."""
    return project.folder / FOLDER / "rounds"


def newest_model(project: ProjectView) -> ModelPackage | None:
    """Return the model of the last round that was finished, or None."""
    for folder in reversed(rounds(project)):
        with contextlib.suppress(CopnetError):
            return load_package(folder)
    return None


def current_model(project: ProjectView) -> ModelPackage:
    """Return the newest model of a project; before its first round, the default contour model."""
    return newest_model(project) or find_model("default", "contours")


def next_name(project: ProjectView) -> str:
    """Return the name of the model of the next round, or of the one that was stopped."""
    left = next(iter(unfinished(rounds_folder(project))), None)
    if left is not None:
        return left.name
    last = max((_number(folder) for folder in rounds(project)), default=0)
    stem = re.sub(r"[^A-Za-z0-9]+", "-", project.session.facts.name).strip("-")[:30] or "stack"
    return f"{stem}-{project.stack_id[:6]}-round-{last + 1}"


def adopt_newest(project: ProjectView) -> ModelPackage:
    """Copy the newest model to the user's models, and let ``"default"`` mean it.

    Raises
    ------
    CopnetError
        There is none yet, or another model of its name.
    """
    model = newest_model(project)
    if model is None:
        raise InputError(
            "No model has been trained yet.", "Mark a slice as done, and train a round first."
        )
    known = [one for one in list_models() if one.sha256 == model.sha256 and one.kind == model.kind]
    if known:
        adopted = known[0]
    else:
        adopted = load_package(export_folder(model, models_folder() / model.folder.name))
    adopt(adopted)
    return adopted


def rounds(project: ProjectView) -> list[Path]:
    """Return the folders of finished rounds, the newest last."""
    folder = rounds_folder(project)
    found = [path for path in folder.glob("*-round-*") if _NUMBER.search(path.name)]
    return sorted((path for path in found if path.is_dir()), key=_number)


def _number(folder: Path) -> int:
    found = _NUMBER.search(folder.name)
    return int(found[1]) if found else 0
