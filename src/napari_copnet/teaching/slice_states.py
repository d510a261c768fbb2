"""What a project writes down: the state of each slice, and which part of it was reviewed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.files import whole_file
from napari_copnet.records import read_record, unfit
from napari_copnet.teaching.slice_arrays import opened_arrays

FORMAT = 1
UNTOUCHED, IN_WORK, DONE = "untouched", "in work", "done"
STATES = (UNTOUCHED, IN_WORK, DONE)
_SLICE = {
    "z": int,
    "chosen?": bool,
    "reason?": str,
    "begun?": bool,
    "done?": str,
    "finished?": float,
    "left?": int,
    "part?": bool,
}
_FORM = {"slices": [_SLICE]}


@dataclass(frozen=True)
class SliceState:
    """What a project knows of a slice.

    Attributes
    ----------
    z : int
        The slice.
    chosen : bool
        It is on the list of slices to annotate.
    reason : str
        Why it was chosen, for people.
    begun : bool
        Someone said to be working on it.
    done : str
        Fingerprint of its contour and marks when it was done; empty when it is not. An edit
        afterwards makes it one in work, and taking the edit back makes it done again.
    finished : float
        When it was done, seconds since 1970.
    left : int
        Findings of the checks with which it was done all the same.
    part : bool
        Only a part of it was reviewed.
    """

    z: int
    chosen: bool = False
    reason: str = ""
    begun: bool = False
    done: str = ""
    finished: float = 0.0
    left: int = 0
    part: bool = False

    @property
    def is_listed(self) -> bool:
        """Whether it belongs to the slices to annotate."""
        return self.chosen or self.begun or bool(self.done)


def packed_states(slices: Mapping[int, SliceState]) -> dict[str, Any]:
    """Return states in types that JSON knows."""
    return {"format": FORMAT, "slices": [asdict(slices[z]) for z in sorted(slices)]}


def write_states(path: Path, packed: dict[str, Any]) -> None:
    """Write what `packed_states` returned, whole."""
    with whole_file(path) as beside:
        beside.write_text(json.dumps(packed, indent=1) + "\n")


def read_states(path: Path, depth: int) -> dict[int, SliceState]:
    """Return the states of a stack of `depth` slices by slice; none where there is no file.

    Raises
    ------
    InputError
        Damaged, or written by a newer version.
    """
    if not os.path.lexists(path):
        return {}
    hint = "Restore it from a copy, or remove it."
    values = read_record(path, {"format": int}, hint)
    if values["format"] > FORMAT:
        raise InputError(f"{path} was written by a newer version.", "Update napari-copnet.")
    if (place := unfit(values, _FORM)) is not None:
        raise InputError(f"{path} is damaged: {place} has a value that can't be.", hint)
    try:
        entries = [SliceState(**entry) for entry in values["slices"]]
    except TypeError as error:
        raise InputError(f"{path} is damaged.", hint) from error
    return {entry.z: entry for entry in entries if 0 <= entry.z < depth}


def write_part(path: Path, bits: np.ndarray) -> None:
    """Write which pixels were reviewed, as `numpy.packbits` packs them, whole."""
    with whole_file(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, bits=bits)


def read_part(path: Path, z: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return which pixels of slice z were reviewed, shape (Y, X), bool.

    Raises
    ------
    InputError
        Missing or damaged.
    """
    with opened_arrays(path, shape, f"The reviewed area of slice {z}", "Mark it again.") as file:
        return np.unpackbits(file["bits"], count=shape[0] * shape[1]).reshape(shape).view(bool)
