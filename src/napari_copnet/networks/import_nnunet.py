"""Convert nnU-Net result folders and zips to model packages, without running their code."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from napari_copnet.errors import ModelError
from napari_copnet.folders import check_free
from napari_copnet.networks.model_zip import BROKEN, read_member
from napari_copnet.networks.nnunet import network_with_weights
from napari_copnet.networks.nnunet_classes import contour_class, contour_first
from napari_copnet.networks.package import ModelPackage, check_name, is_model_folder, save_package
from napari_copnet.networks.plan import NetworkPlan, plan_from_nnunet
from napari_copnet.networks.provenance import provenance_card

_LARGEST_JSON, _LARGEST_WEIGHTS = 64 << 20, 4 << 30
# The first of these that a fold has.
_CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth", "checkpoint_latest.pth")
_HINT = "Give nnU-Net's result folder (it holds dataset.json, plans.json and fold_0), or its zip."


def import_nnunet(
    source: Path | str,
    kind: str,
    name: str,
    out: Path | str,
    configuration: str | None = None,
    fold: int | str | None = None,
    checkpoint: str | None = None,
    card: Mapping[str, Any] | None = None,
    *,
    contour: str | None = None,
    replace: bool = False,
) -> ModelPackage:
    """Make a model package from a network that nnU-Net trained.

    Checkpoints are pickles: only tensors and plain values are accepted from them, and networks are
    built from allow-listed names. There is no fallback to an unsafe reading.

    Parameters
    ----------
    source : path
        A result folder such as ``nnUNetTrainer__nnUNetPlans__2d``, a folder above it, or a zip
        made by ``nnUNetv2_export_model_to_zip``.
    kind, name : str
        ``"contours"`` or ``"closing"``, and what to call the model.
    out : path
        The model folder to write: missing, empty, or a model's that may be replaced.
    configuration : str, optional
        Such as ``"2d"``; needed where several were trained.
    fold : int or str, optional
        By default the lowest there is, ``"all"`` before numbers. One fold is imported; the card
        says which, and of how many.
    checkpoint : str, optional
        File name within the fold; by default the final one, else the best, else the latest.
    card : mapping, optional
        Data, licence and scores, when known. What a dataset of ours says of itself is taken
        without asking: which slices the model has learnt from, and their size.
    contour : str, optional
        Name of the class that is the contour, where `nnunet_classes.contour_class` can't tell.
    replace : bool
        Whether a model in `out` may be replaced.

    Raises
    ------
    ModelError
        Not nnU-Net's files, more than one trained network to choose from, or content that is not
        allowed. Nothing is written.
    OutputError
        `out` can't be written, or holds something that stays.
    """
    check_name(name)
    check_free(out, is_model_folder, replace=replace)
    source = Path(source)
    if checkpoint and (PurePosixPath(checkpoint).name != checkpoint or "\\" in checkpoint):
        raise ModelError(f"{checkpoint!r} is not a file name.", "Give the name without a folder.")
    files: _Folder | _Zip = _Folder(source) if source.is_dir() else _Zip(source)
    with files:
        root = _trained_root(files, configuration)
        plans = _parse(files.read(root / "plans.json", _LARGEST_JSON), "plans.json")
        dataset = _parse(files.read(root / "dataset.json", _LARGEST_JSON), "dataset.json")
        chosen, folds = _checkpoint(files, root, fold, checkpoint)
        known = provenance_card(dataset, chosen.parent.name, kind)
        number = contour_class(dataset, contour)
        data = files.read(chosen, _LARGEST_WEIGHTS)
    content = _load_checkpoint(data)
    trained = content["init_args"].get("configuration") or configuration
    if configuration is not None and trained != configuration:
        raise ModelError(
            f"This network was trained as {trained!r}, not {configuration!r}.",
            "Leave the configuration out, or choose another folder.",
        )
    plan = plan_from_nnunet(plans, str(trained), dataset)
    plan = _with_mirror_axes(plan, content.get("inference_allowed_mirroring_axes"))
    weights = _weights(content["network_weights"], len(data))
    network_with_weights(plan, weights)
    weights = contour_first(weights, number)
    of_folds = {"fold": f"{chosen.parent.name} of {folds}"} if folds > 1 else {}
    of_classes = {"contour": _name_of(dataset, number)} if plan.classes > 2 or contour else {}
    return save_package(
        out,
        name=name,
        kind=kind,
        plan=plan,
        weights=weights,
        card={
            "data": [str(dataset.get("name") or plans.get("dataset_name") or "not stated")[:200]],
            "licence": str(dataset.get("licence") or dataset.get("license") or "not stated")[:200],
            "command": "imported from nnU-Net",
            "scores": {},
            "parent": f"{source.name}/{chosen.parent.name}/{chosen.name}",
            **of_folds,
            **of_classes,
            **known,
            **(card or {}),
        },
        half=False,
        replace=replace,
    )


class _Folder:
    """The files of a folder, by relative path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = [
            PurePosixPath(file.relative_to(path).as_posix())
            for pattern in ("**/plans.json", "**/dataset.json", "**/fold_*/*.pth")
            for file in path.glob(pattern)
            if file.is_file()
        ]

    def __enter__(self) -> _Folder:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, name: PurePosixPath, most: int) -> bytes:
        path = self._path / name
        if not path.is_file():
            raise ModelError(f"{self._path} has no {name}.", _HINT)
        if path.stat().st_size > most:
            raise ModelError(f"{path} is larger than {most / 1e6:.0f} MB.", _HINT)
        return path.read_bytes()


class _Zip:
    """The files of a zip, read into memory one by one; nothing is extracted to disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except BROKEN as error:
            raise ModelError(
                f"{path} is neither a folder nor a readable zip file.", _HINT
            ) from error
        self.names = []
        for name in self._archive.namelist():
            parts = PurePosixPath(name)
            if parts.is_absolute() or ".." in parts.parts or "\\" in name or ":" in name:
                self._archive.close()
                raise ModelError(
                    f"{path.name} holds a file that points outside it: {name[:80]!r}.",
                    "Nothing was imported; do not trust this file.",
                )
            self.names.append(parts)

    def __enter__(self) -> _Zip:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def read(self, name: PurePosixPath, most: int) -> bytes:
        try:
            member = self._archive.getinfo(name.as_posix())
            # A checkpoint hardly compresses: a hundredfold is a bomb, whatever its size.
            if member.file_size > most or member.file_size > 100 * member.compress_size + (1 << 20):
                raise ModelError(
                    f"{name} in {self._path.name} would unpack to {member.file_size / 1e6:.0f} MB.",
                    "Nothing was imported; do not trust this file.",
                )
            return read_member(self._archive, member, most)
        except KeyError as error:
            raise ModelError(f"{self._path.name} has no {name}.", _HINT) from error
        except BROKEN as error:
            raise ModelError(f"{self._path.name} can't be unpacked.", _HINT) from error


def _trained_root(files: _Folder | _Zip, configuration: str | None) -> PurePosixPath:
    """Return the one folder that holds plans, dataset and folds."""
    names = set(files.names)
    roots = sorted({name.parent.parent for name in names if name.parent.name.startswith("fold_")})
    roots = [root for root in roots if root / "plans.json" in names]
    if configuration is not None and len(roots) > 1:
        roots = [root for root in roots if root.name.endswith(f"__{configuration}")]
    if not roots:
        raise ModelError("There is no trained nnU-Net network here.", _HINT)
    if len(roots) > 1:
        raise ModelError(
            "There is more than one trained nnU-Net network here.",
            f"Give a configuration, or one of: {', '.join(str(root) for root in roots[:5])}.",
        )
    return roots[0]


def _checkpoint(
    files: _Folder | _Zip, root: PurePosixPath, fold: int | str | None, wanted: str | None
) -> tuple[PurePosixPath, int]:
    """Return the file of the weights, and of how many folds it is one."""
    checkpoints = (wanted,) if wanted else _CHECKPOINTS
    found = [
        name
        for name in files.names
        if name.parent.parent == root
        and name.name in checkpoints
        and (fold is None or name.parent.name == f"fold_{fold}")
    ]
    if not found:
        which = "any fold" if fold is None else f"fold {fold}"
        raise ModelError(
            f"There is no {wanted or 'checkpoint'} for {which}.",
            "Choose another fold or checkpoint (checkpoint_best.pth).",
        )
    folds = len({name.parent for name in found})

    def preference(name: PurePosixPath) -> tuple[int, bool, int, str]:
        # "fold_all" sorts after numbers but was trained on all data.
        number = name.parent.name.removeprefix("fold_")
        at = int(number) if number.isdecimal() else 0
        return checkpoints.index(name.name), number != "all", at, number

    return min(found, key=preference), folds


def _name_of(dataset: Mapping[str, Any], number: int) -> str:
    return next(str(name)[:60] for name, value in dataset["labels"].items() if value == number)


def _parse(data: bytes, name: str) -> dict[str, Any]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"The {name} of this model is not readable JSON.", _HINT) from error
    if not isinstance(values, dict):
        raise ModelError(f"The {name} of this model is not what nnU-Net writes.", _HINT)
    return values


def _load_checkpoint(data: bytes) -> dict[str, Any]:
    """Read a checkpoint by torch's restricted unpickler, which builds allow-listed classes only."""
    import pickle

    import torch

    kinds = [getattr(np.dtypes, name) for name in np.dtypes.__all__ if name.endswith("DType")]
    # The function that makes numpy scalars, by the names that numpy 1 and 2 give it in pickles.
    scalar = np.float64(0).__reduce__()[0]
    allowed = [
        np.dtype,
        *kinds,
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
    ]
    _check_checkpoint(data)
    try:
        with torch.serialization.safe_globals(allowed):
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            "The checkpoint contains more than numbers and was not loaded.",
            "It could run code on this computer. Do not trust it unless you know its origin.",
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            "The checkpoint can't be read.", "It may be damaged or cut off: copy it again."
        ) from error
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("network_weights"), dict)
        or not isinstance(content.get("init_args"), dict)
    ):
        raise ModelError("The checkpoint is not one that nnU-Net wrote.", _HINT)
    return content


def _check_checkpoint(data: bytes) -> None:
    """Check that a checkpoint is a zip as torch writes it: nothing in it is packed."""
    if data[:1] == b"\x80":
        # A pickle alone says how much memory to take before anything can be checked.
        raise ModelError(
            "The checkpoint is from before PyTorch 1.6, and may contain more than numbers.",
            "If you know its origin, load and save it again with a current PyTorch.",
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except BROKEN as error:
        raise ModelError(
            "The checkpoint can't be read.", "It may be damaged or cut off: copy it again."
        ) from error
    if sum(member.file_size for member in members) > len(data):
        raise ModelError(
            "The checkpoint would unpack to far more than its size.",
            "Nothing was imported; do not trust this file.",
        )


def _weights(state: Mapping[Any, Any], most: int) -> dict[str, np.ndarray]:
    """Return the parameters as float32 arrays by their first name, as `package` stores them.

    All together they hold no more numbers than a checkpoint of `most` bytes can.
    """
    import torch

    weights = {}
    left = most // 2  # a number takes two bytes or more
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise ModelError("The checkpoint's weights are not tensors by name.", _HINT)
        # Names that checkpoints of compiled or parallel training carry.
        name = name.removeprefix("_orig_mod.").removeprefix("module.")
        if ".all_modules." not in name and not name.startswith("decoder.encoder."):
            # A small tensor can claim to be a huge one by repeating itself.
            left -= value.numel()
            if left < 0 or value.layout != torch.strided or not value.is_floating_point():
                raise ModelError("The checkpoint's weights are larger than its file.", _HINT)
            weights[name] = value.detach().to(torch.float32).contiguous().numpy()
    return weights


def _with_mirror_axes(plan: NetworkPlan, axes: Any) -> NetworkPlan:
    if axes is None:
        return dataclasses.replace(plan, mirror_axes=())
    if not isinstance(axes, list | tuple) or not all(isinstance(axis, int) for axis in axes):
        raise ModelError("The checkpoint's mirroring axes can't be understood.", _HINT)
    return dataclasses.replace(plan, mirror_axes=tuple(sorted(axes)))
