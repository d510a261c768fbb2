"""Checkpoints written whole: two are kept, and one that can't be read is passed over."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from napari_copnet.files import whole_file

LATEST, PREVIOUS = "checkpoint.pt", "checkpoint-previous.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors and plain values) beside, sync it, and keep the one before."""
    with whole_file(folder / LATEST) as beside:
        torch.save(state, beside)
        if (folder / LATEST).exists():
            os.replace(folder / LATEST, folder / PREVIOUS)


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """Return the newest checkpoint that can be read, or None. No code in it is run."""
    for name in (LATEST, PREVIOUS):
        try:
            return torch.load(folder / name, map_location="cpu", weights_only=True)
        except (FileNotFoundError, EOFError, RuntimeError, pickle.UnpicklingError, ValueError):
            continue
    return None
