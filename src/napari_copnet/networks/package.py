"""A model is a folder: ``model.json`` (what it is) and ``weights.safetensors`` (numbers only)."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError, ModelError
from napari_copnet.files import sha256, whole_file
from napari_copnet.folders import check_free, holds_only, whole_folder
from napari_copnet.leftovers import tidy
from napari_copnet.networks.plan import NetworkPlan, plan_from_dict
from napari_copnet.records import read_record

KINDS = ("contours", "closing")
FORMAT = 1
SHIPPED = Path(__file__).parent / "shipped"
# Which of the user's models "default" means, by kind, written by `adopt`.
ADOPTED = "adopted.json"
_RESERVED = ("default", "shipped", ADOPTED)
MODELS_VARIABLE = "NAPARI_COPNET_MODELS"

JSON, WEIGHTS = "model.json", "weights.safetensors"
LARGEST = {JSON: 1 << 20, WEIGHTS: 2 << 30}
_KEYS = {"format", "name", "kind", "plan", "card", "weights_sha256"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DAMAGED = "The model may be damaged: import or train it again."


@dataclass(frozen=True)
class ModelPackage:
    """A model on disk.

    Attributes
    ----------
    name, kind : str
        Kind is ``"contours"`` (Step 1) or ``"closing"`` (Step 2).
    plan : NetworkPlan
        How to build the network.
    folder : Path
        Where it lies.
    sha256 : str
        Of the weight file.
    card : dict
        data, licence, command, scores (validation), created (ISO time), parent (a model's name
        and hash, for fine-tuned ones).
    """

    name: str
    kind: str
    plan: NetworkPlan
    folder: Path
    sha256: str
    card: dict[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> list[str]:
        """What it was trained on, a line for each data set; empty where the card does not say."""
        lines = self.card.get("data") or []
        return [str(line) for line in (lines if isinstance(lines, list | tuple) else [lines])]

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights by parameter name, float32.

        Raises
        ------
        ModelError
            The weight file is missing or unreadable, or does not have the hash it should.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = self.folder / WEIGHTS
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"Model {self.name!r} has no readable weights.", DAMAGED) from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ModelError(
                f"The weights of model {self.name!r} do not match its {JSON}.",
                DAMAGED,
            )
        try:
            weights = load(data)
        except (SafetensorError, ValueError, KeyError) as error:
            raise ModelError(
                f"The weights of model {self.name!r} can't be read.", DAMAGED
            ) from error
        for name, values in weights.items():
            if values.dtype.kind != "f" or not np.isfinite(values).all():
                raise ModelError(
                    f"Weight {name!r} of model {self.name!r} has values that are not numbers.",
                    DAMAGED,
                )
        return {name: values.astype(np.float32) for name, values in weights.items()}


def models_folder() -> Path:
    """Return the folder of the user's models (`NAPARI_COPNET_MODELS`, or the data folder)."""
    if chosen := os.environ.get(MODELS_VARIABLE):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "napari-copnet" / "models"


def load_package(folder: Path | str, *, verify: bool = True) -> ModelPackage:
    """Read a model folder; the weights are only hashed.

    Parameters
    ----------
    folder : path
        Has ``model.json`` and ``weights.safetensors``.
    verify : bool
        Whether to compare the hash of the weights; listing many models does without.

    Raises
    ------
    ModelError
        Not a model folder, broken JSON, unknown keys or format, or weights with another hash.
    """
    folder = Path(folder)
    path = folder / JSON
    if not folder.exists():
        tidy(folder.parent)  # a program may have been killed while it replaced this one
    if not path.is_file():
        raise ModelError(
            f"{folder} is not a model: it has no {JSON}.",
            "Choose a folder made by this package, or import an nnU-Net folder first "
            "(copnet model import).",
        )
    if path.stat().st_size > LARGEST[JSON]:
        raise ModelError(f"{path} is too large to be a model's description.", DAMAGED)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not readable JSON.", DAMAGED) from error
    if not isinstance(values, dict) or set(values) != _KEYS:
        raise ModelError(f"{path} does not have the keys of a model.", DAMAGED)
    if values["format"] != FORMAT:
        raise ModelError(
            f"{path} has format {values['format']!r}; this version reads format {FORMAT}.",
            "Update napari-copnet.",
        )
    name = check_name(values["name"])
    kind, digest, card = values["kind"], values["weights_sha256"], values["card"]
    if kind not in KINDS or not isinstance(digest, str) or not isinstance(card, dict):
        raise ModelError(f"{path} has an invalid kind, hash or card.", DAMAGED)
    plan = plan_from_dict(values["plan"])
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"Model {name!r} in {folder} has no {WEIGHTS}.", DAMAGED)
    if verify and sha256(folder / WEIGHTS) != digest:
        raise ModelError(
            f"The weights of model {name!r} in {folder} do not match its {JSON}.",
            DAMAGED,
        )
    return ModelPackage(name, kind, plan, folder, digest, card)


def save_package(
    folder: Path | str,
    *,
    name: str,
    kind: str,
    plan: NetworkPlan,
    weights: dict[str, np.ndarray],
    card: dict[str, Any],
    half: bool = True,
    replace: bool = False,
) -> ModelPackage:
    """Write a model folder, whole or not at all.

    Parameters
    ----------
    folder : path
        The model's folder: missing, empty, or a model's that may be replaced.
    name, kind, plan, card
        See `ModelPackage`. ``created`` is added to the card where it is missing.
    weights : dict of ndarray
        By parameter name. Second names of shared parameters (``all_modules``,
        ``decoder.encoder``), which nnU-Net's checkpoints hold, are left out.
    half : bool
        Store as float16, half the size.
    replace : bool
        Whether a model in `folder` may be replaced. Any other folder that is not empty stays.

    Raises
    ------
    ModelError
        A name or kind that can't be, or weights that are not finite (also as float16).
    OutputError
        It can't be written, or holds something that stays.
    """
    from safetensors.numpy import save

    check_name(name)
    check_free(folder, is_model_folder, replace=replace)
    if kind not in KINDS:
        raise ModelError(f"There is no kind of model {kind!r}.", f"Kinds: {', '.join(KINDS)}.")
    dtype = np.float16 if half else np.float32
    stored = {}
    for key, values in weights.items():
        if ".all_modules." in key or key.startswith("decoder.encoder."):
            continue
        with np.errstate(over="ignore"):
            stored[key] = np.ascontiguousarray(values, dtype=dtype)
        if not np.isfinite(stored[key]).all():
            raise ModelError(
                f"Weight {key!r} is not finite" + (" as float16." if half else "."),
                "Training has diverged, or the weights need half=False.",
            )
    if not stored:
        raise ModelError("There are no weights to save.", "Train or import the model again.")
    data = save(stored)
    digest = hashlib.sha256(data).hexdigest()
    card = {"created": datetime.now(UTC).isoformat(timespec="seconds"), **card}
    text = json.dumps(
        {
            "format": FORMAT,
            "name": name,
            "kind": kind,
            "plan": plan.as_dict(),
            "card": card,
            "weights_sha256": digest,
        },
        indent=1,
        ensure_ascii=False,
    )
    with whole_folder(folder, is_model_folder, replace=replace) as beside:
        (beside / JSON).write_text(text + "\n", encoding="utf-8")
        (beside / WEIGHTS).write_bytes(data)
    return ModelPackage(name, kind, plan, Path(folder), digest, card)


def is_model_folder(folder: Path) -> bool:
    """Whether a folder holds a model, perhaps a damaged one, and nothing else."""
    try:
        text = (folder / JSON).read_bytes()[: LARGEST[JSON]]
    except OSError:
        return False
    return holds_only(folder, {JSON, WEIGHTS}) and b'"weights_sha256"' in text


def list_models() -> list[ModelPackage]:
    """Return the shipped and the user's models, shipped first; damaged ones are left out."""
    found = []
    tidy(models_folder())
    for place in (SHIPPED, models_folder()):
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            # Hidden are those being written, and those discarded.
            if not folder.name.startswith(".") and (folder / JSON).is_file():
                try:
                    found.append(load_package(folder, verify=False))
                except ModelError:
                    continue
    return found


def find_model(name_or_path: str | Path, kind: str) -> ModelPackage:
    """Return a model by its name or folder.

    Parameters
    ----------
    name_or_path : str or path
        ``"shipped"`` is the shipped model of the kind, ``"default"`` the adopted one, or the
        shipped one when none was adopted; else a model folder or a model's name.
    kind : str
        ``"contours"`` or ``"closing"``.

    Raises
    ------
    ModelError
        No such model (those known are listed), a model of the other kind, or a broken one.
    """
    text, path = str(name_or_path), Path(name_or_path).expanduser()
    if text == "default":
        package = _adopted_or_shipped(kind)
    elif text == "shipped":
        package = load_package(SHIPPED / kind)
    elif path.is_dir() and (path / JSON).is_file():
        package = load_package(path)
    else:
        known = list_models()
        named = [model for model in known if model.name == text]
        fitting = [model for model in named if model.kind == kind] or named
        if fitting:
            # The user's own model wins over a shipped one of the same name.
            package = load_package(fitting[-1].folder)
        elif _NAME.fullmatch(text) and (models_folder() / text / JSON).is_file():
            package = load_package(models_folder() / text)  # broken: say how
        else:
            names = ["default", "shipped", *(model.name for model in known if model.kind == kind)]
            raise ModelError(
                f"There is no {kind} model {text!r}.",
                f"Known {kind} models: {', '.join(dict.fromkeys(names))}; or give a model folder.",
            )
    if package.kind != kind:
        raise ModelError(
            f"Model {package.name!r} is a {package.kind} model, not a {kind} model.",
            f"Choose a {kind} model here.",
        )
    return package


def adopted_name(kind: str) -> str:
    """Return the name of the model that ``"default"`` means; empty for the shipped one."""
    path = models_folder() / ADOPTED
    if path.is_dir() or not os.path.lexists(path):
        return ""  # a folder is a model that an earlier version let be called so
    try:
        name = read_record(path).get(kind, "")
    except InputError as error:
        raise ModelError(
            f"{path}, which names the default model, can't be read.",
            "Delete it to go back to the shipped models, or adopt a model again.",
        ) from error
    # Never a path to elsewhere.
    return name if isinstance(name, str) and Path(name).name == name else ""


def adopt(package: ModelPackage | None, kind: str = "") -> None:
    """Make a model of the user's models folder the ``"default"`` of its kind.

    Parameters
    ----------
    package : ModelPackage or None
        None, or a shipped model, goes back to the shipped one.
    kind : str
        Of which kind to go back, when `package` is None.

    Raises
    ------
    ModelError
        The model is not in the models folder, so it could vanish unnoticed.
    OutputError
        It can't be written.
    """
    kind = package.kind if package is not None else kind
    if kind not in KINDS:
        raise ModelError(f"There is no kind of model {kind!r}.", f"Kinds: {', '.join(KINDS)}.")
    name = ""
    if package is not None and package.folder.resolve().parent != SHIPPED.resolve():
        if package.folder.resolve().parent != models_folder().resolve():
            raise ModelError(
                f"Model {package.name!r} is not in the models folder.",
                f"Export it, and import it to {models_folder()} first.",
            )
        name = package.folder.name
    path = models_folder() / ADOPTED
    try:
        values = read_record(path)
    except InputError:
        values = {}
    with whole_file(path) as beside:
        beside.write_text(json.dumps({**values, kind: name}, indent=1) + "\n", encoding="utf-8")


def _adopted_or_shipped(kind: str) -> ModelPackage:
    name = adopted_name(kind)
    if not name:
        return load_package(SHIPPED / kind)
    folder = models_folder() / name
    if not (folder / JSON).is_file():
        raise ModelError(
            f"The adopted {kind} model {name!r} no longer exists.",
            "Adopt another one, or the shipped one again: copnet model adopt shipped.",
        )
    return load_package(folder)


def check_name(name: Any) -> str:
    """Return a model's name when it can be one.

    Raises
    ------
    ModelError
        Not 1 to 64 letters, digits, dots, dashes or underscores, or a name that is taken.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in _RESERVED:
        raise ModelError(
            f"A model can't be called {str(name)[:80]!r}.",
            "Use 1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or "
            f"digit; {', '.join(map(repr, _RESERVED))} are taken.",
        )
    return name
