"""The work folder of a training, next to its model: only our own files are touched."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

from napari_copnet.errors import OutputError
from napari_copnet.folders import SYSTEM_FILES, holds_only, holds_only_kinds
from napari_copnet.records import is_plain_file

# Any of these shows that a training has used the folder.
_MARKS = ("lock", "finetune.json", "annotated/slices.json", "dataset/cases.json")
_FILES = (
    "checkpoint.pt",
    "checkpoint-previous.pt",
    "config.json",
    "finetune.json",
    "lock",
    "log.txt",
    "losses.csv",
    "progress.jsonl",
    "stop",
    "trained.json",
    "trained.safetensors",
)
_HINT = "Training writes to a folder next to the model: choose another name for the model."
_LINK_HINT = "It is not followed: remove it, or choose another name for the model."
_EXAMPLES = re.compile(
    r"cases\.json|nnUNet_raw/Dataset\d+_\w+/((imagesTr|labelsTr)/\w+\.(tif|json)|dataset\.json)"
    r"|nnUNet_(preprocessed|results)/(.+/)?[\w.-]+\.(json|npy|npz|pkl|b2nd)"
)


def work_folder(out: Path | str) -> Path:
    """Return the folder beside `out` that holds examples, losses, log and checkpoints."""
    out = Path(out)
    return out.with_name(f"{out.name}.training")


def check_work_folder(work: Path) -> None:
    """Check, before work starts, that a training may write to `work`; nothing is created.

    Raises
    ------
    OutputError
        It is not empty and no training has worked there, it is a file, or has links or pipes in
        place of the files of a training, which would write elsewhere.
    """
    if not work.exists():
        return
    if not work.is_dir():
        raise OutputError(f"{work} is a file, but training needs a folder there.", _HINT)
    if any(work.iterdir()) and not any((work / mark).is_file() for mark in _MARKS):
        raise OutputError(
            f"{work} is not empty, and holds files that napari-copnet did not write.", _HINT
        )
    for name in _FILES:
        if os.path.lexists(work / name) and not is_plain_file(work / name):
            raise OutputError(f"{work / name} is a link, or no plain file.", _LINK_HINT)
    for name in ("annotated", "dataset"):
        if (work / name).is_symlink():
            raise OutputError(f"{work / name} is a link.", _LINK_HINT)


def is_examples(folder: Path) -> bool:
    """Whether a folder holds training examples of `dataset.prepare` and nothing else."""
    return (folder / "cases.json").is_file() and holds_only_kinds(folder, _EXAMPLES)


def is_annotated(folder: Path) -> bool:
    """Whether a folder holds annotated slices of `teaching.annotated_dataset` and nothing else."""
    return (folder / "slices.json").is_file() and holds_only(
        folder, {"image.tif", "truth.tif", "slices.json"}
    )


def clear(work: Path, *names: str) -> None:
    """Remove our files from a work folder."""
    for name in names:
        (work / name).unlink(missing_ok=True)


def remove(work: Path) -> None:
    """Remove our work folder with its folds; if it holds other files, they and the folder stay."""
    clear(work, *_FILES)
    remove_examples(work)
    remove_folds(work)
    with contextlib.suppress(OSError):
        work.rmdir()


def remove_examples(work: Path) -> None:
    """Remove the slices and examples that a training has used."""
    for folder, ours in ((work / "annotated", is_annotated), (work / "dataset", is_examples)):
        if ours(folder):
            shutil.rmtree(folder, ignore_errors=True)


def remove_model(folder: Path) -> None:
    """Remove a model that a training wrote; a folder that holds anything else stays."""
    from napari_copnet.networks.package import JSON, WEIGHTS, is_model_folder

    if is_model_folder(folder):
        # The description last, because it identifies the folder as ours.
        clear(folder, *SYSTEM_FILES, WEIGHTS, JSON)
        folder.rmdir()


def remove_folds(work: Path) -> None:
    """Remove the models that a fine-tuning trained for its folds, and their work folders."""
    for path in work.glob("fold-*"):
        if re.fullmatch(r"fold-\d+\.training", path.name):
            remove(path)
        elif re.fullmatch(r"fold-\d+", path.name):
            remove_model(path)
