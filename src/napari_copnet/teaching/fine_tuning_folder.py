"""A fine-tuning on disk: how it trains, what is written down of it, and which ones wait."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_copnet import records
from napari_copnet.errors import InputError
from napari_copnet.files import whole_file
from napari_copnet.networks.package import ModelPackage, models_folder
from napari_copnet.params import DegradeParams, DeviceParams, FineTuneParams, TrainParams, as_dict
from napari_copnet.training import child
from napari_copnet.training.work import (
    clear,
    remove,
    remove_examples,
    remove_folds,
    work_folder,
)

RECORD = "finetune.json"
_FORM = {
    **dict.fromkeys(("kind", "name", "parent", "begun", "start_from"), str),
    **dict.fromkeys(("params", "device", "card"), dict),
    "degrade?": dict,
    "size": int,
}


@dataclass(frozen=True)
class Unfinished:
    """A fine-tuning that was stopped, or whose window or machine went down.

    Attributes
    ----------
    out : Path
        The model folder it will write; hand it to `resume`.
    name, kind, parent : str
        Of the model, and the name of the one it began from.
    begun : str
        ISO time.
    """

    out: Path
    name: str
    kind: str
    parent: str
    begun: str


def unfinished(folder: Path | str | None = None) -> list[Unfinished]:
    """Return the fine-tunings that can be resumed, the newest first.

    One that runs at this moment, here or in another window, is among them; `resume` refuses it.
    """
    gallery = Path(folder) if folder is not None else models_folder()
    found = []
    for work in sorted(gallery.glob("*.training")) if gallery.is_dir() else ():
        out = work.with_name(work.name.removesuffix(".training"))
        record = read_record(work)
        if record is None or out.exists() or not (work / child.CONFIG).exists():
            continue
        found.append(
            Unfinished(out, record["name"], record["kind"], record["parent"], record["begun"])
        )
    return sorted(found, key=lambda one: one.begun, reverse=True)


def forget(one: Unfinished) -> None:
    """Remove an unfinished fine-tuning; its annotations stay in their project."""
    remove(work_folder(one.out))


def train_params(params: FineTuneParams, parent: ModelPackage) -> TrainParams:
    """Return how `training.fit.train` is to train."""
    batch = params.batch or int(parent.card.get("batch", 0))
    return TrainParams(
        size="small",
        epochs=-(-params.steps // params.steps_per_epoch) if params.steps else 100_000,
        minutes=params.minutes,
        iterations_per_epoch=params.steps_per_epoch,
        patch=params.patch,
        batch=batch,
        learning_rate=params.learning_rate,
        seed=params.seed,
    )


def write_record(
    work: Path,
    kind: str,
    name: str,
    parent: ModelPackage,
    params: FineTuneParams,
    device: DeviceParams | None,
    size: int,
    card: dict[str, Any],
    degrade: DegradeParams | None,
) -> None:
    """Write down what `fine_tuning.resume` needs to go on."""
    values = {
        "kind": kind,
        "name": name,
        "parent": parent.name,
        "start_from": str(parent.folder.resolve()),
        "params": as_dict(params),
        "device": as_dict(device or DeviceParams()),
        "degrade": as_dict(degrade or DegradeParams()),
        "size": size,
        "card": card,
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with whole_file(work / RECORD) as beside:
        beside.write_text(json.dumps(values, indent=1) + "\n")


def read_record(work: Path) -> dict[str, Any] | None:
    """Return what was written down of a fine-tuning, None when nothing readable was."""
    try:
        return records.read_record(work / RECORD, _FORM)
    except InputError:
        return None


def tidy(work: Path) -> None:
    """Keep losses and log of a finished training; slices and checkpoints take much room."""
    clear(work, "checkpoint.pt", "checkpoint-previous.pt")
    clear(work, f"{child.EXPORT}.json", f"{child.EXPORT}.safetensors")
    remove_examples(work)
    remove_folds(work)
