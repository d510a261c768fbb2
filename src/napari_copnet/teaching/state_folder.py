"""The folder of a project beside its session: the states of slices, and when they are written."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.proofreading.session import Session
from napari_copnet.teaching.carrying.carried import CarriedSlice, read_carried, write_carried
from napari_copnet.teaching.prefilled import PrefilledSlice, read_prefilled, write_prefilled
from napari_copnet.teaching.slice_states import (
    SliceState,
    packed_states,
    read_part,
    read_states,
    write_part,
    write_states,
)

FOLDER, STATE = "annotation", "annotation.json"


class StateFolder:
    """The states of a session's slices, in memory and on disk.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    slices : dict of int to SliceState
        By slice; untouched ones have none.

    Raises
    ------
    InputError
        The file of states is damaged.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._folder = session.folder / FOLDER
        self.slices: dict[int, SliceState] = read_states(self._folder / STATE, session.shape[0])
        self._parts: dict[int, np.ndarray] = {}
        self._carried: dict[int, tuple[CarriedSlice, str] | None] = {}
        self._prefilled: dict[int, tuple[PrefilledSlice, str] | None] = {}
        # What is to be written, the oldest first, and in which order it was asked for.
        self._waiting: dict[Path, tuple[int, Callable[[], None]]] = {}
        self._asked = 0
        self._alone = threading.Lock()

    def part(self, z: int) -> np.ndarray:
        """Return the reviewed part of a slice of which not all was, shape (Y, X), bool.

        Raises
        ------
        InputError
            Missing or damaged.
        """
        if z not in self._parts:
            self._parts[z] = read_part(self._part_path(z), z, self._session.shape[1:])
        return self._parts[z]

    def set_part(self, z: int, part: np.ndarray | None) -> None:
        """Take the reviewed part of a slice, shape (Y, X), bool; None forgets the one before."""
        self._parts.pop(z, None)
        if part is not None:
            self._parts[z] = part

    def save(self, part_of: int | None = None) -> None:
        """Have the states written behind the edits made so far, a slice's reviewed part before."""
        if part_of is not None:
            bits, part = np.packbits(self._parts[part_of]), self._part_path(part_of)
            self._write_later(part, lambda: write_part(part, bits))
        state, path = packed_states(self.slices), self._folder / STATE
        self._write_later(path, lambda: write_states(path, state))

    def carried(self, z: int) -> tuple[CarriedSlice, str] | None:
        """Return what was carried to a slice, and its fingerprint then; None where nothing was.

        A file that can't be read counts as none: carrying writes it again.
        """
        if z not in self._carried:
            path, found = self._carried_path(z), None
            if path.is_file():
                with contextlib.suppress(InputError):
                    found = read_carried(path, z, self._session.shape[1:])
            # Another thread may have read it, or taken what came since.
            self._carried.setdefault(z, found)
        return self._carried[z]

    def set_carried(self, carried: CarriedSlice, print_: str) -> None:
        """Write what was carried to a slice, and take it.

        To be called before the edit that draws it: a process that is killed between the two
        leaves a slice as it was, and a file whose fingerprint is not that of the slice. An edit
        without the file would count as drawn by hand.

        Raises
        ------
        OutputError
            It can't be written.
        """
        write_carried(self._carried_path(carried.z), carried, print_)
        self._carried[carried.z] = carried, print_

    def prefilled(self, z: int) -> tuple[PrefilledSlice, str] | None:
        """Return what a model drew in a slice, and its fingerprint then; None where none did.

        A file that can't be read counts as none, as for `carried`.
        """
        if z not in self._prefilled:
            path, found = self._prefilled_path(z), None
            if path.is_file():
                with contextlib.suppress(InputError):
                    found = read_prefilled(path, z, self._session.shape[1:])
            self._prefilled.setdefault(z, found)
        return self._prefilled[z]

    def set_prefilled(self, prefilled: PrefilledSlice, print_: str) -> None:
        """Write what a model drew in a slice, and take it; before its edit, as `set_carried`."""
        write_prefilled(self._prefilled_path(prefilled.z), prefilled, print_)
        self._prefilled[prefilled.z] = prefilled, print_

    def flush(self) -> None:
        """Write here and now what the session's writer could not.

        Raises
        ------
        OutputError
            It still can't be written.
        """
        self._write(self._asked)

    def _write_later(self, path: Path, write: Callable[[], None]) -> None:
        """Have a file written behind the edits made so far; what fails is tried with the next."""
        with self._alone:
            self._asked += 1
            number = self._asked
            self._waiting.pop(path, None)
            self._waiting[path] = number, write
        self._session.after_saving(lambda: self._write(number))

    def _write(self, last: int) -> None:
        """Write what waits since it was asked for, up to a number: later edits may not be saved."""
        problems: list[Exception] = []
        with self._alone:
            asked = [(path, *it) for path, it in self._waiting.items() if it[0] <= last]
        for path, number, write in asked:
            if path.name == STATE and self._parts_wait():
                # States speak of reviewed parts.
                continue
            try:
                write()
            except (CopnetError, OSError) as error:
                problems.append(error)
                continue
            with self._alone:
                # Meanwhile it may have been asked for anew.
                if self._waiting.get(path, (0,))[0] == number:
                    del self._waiting[path]
        if problems:
            raise problems[0]

    def _parts_wait(self) -> bool:
        with self._alone:
            return any(path.match("reviewed-*") for path in self._waiting)

    def _carried_path(self, z: int) -> Path:
        return self._folder / f"carried-{z:04d}.npz"

    def _prefilled_path(self, z: int) -> Path:
        return self._folder / f"prefilled-{z:04d}.npz"

    def _part_path(self, z: int) -> Path:
        return self._folder / f"reviewed-{z:04d}.npz"


def is_project(folder: Path | str) -> bool:
    """Whether a folder holds a session with annotations."""
    return (Path(folder) / FOLDER / STATE).is_file()
