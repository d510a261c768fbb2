"""An annotation project: which slices of a session are annotated, how far, and what was reviewed.

The contours are those of the session: a slice is annotated with the tools of proofreading, and
whatever was corrected there is what networks learn. A project adds one folder to the session's::

    annotation/annotation.json      each slice's state, and why it was chosen
    annotation/reviewed-0012.npz    the reviewed part of a slice, where it is not all of it

A state is written by the session's writer, after the edits it speaks of, whole each time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.annotate.check import Finding, check_slice
from napari_copnet.annotate.states import (
    DONE,
    IN_WORK,
    STATES,
    UNTOUCHED,
    SliceState,
    packed_states,
    read_part,
    read_states,
    write_part,
    write_states,
)
from napari_copnet.errors import CopnetError, InputError
from napari_copnet.params import CheckParams
from napari_copnet.review.edits import CONTOUR as CONTOUR_PLANE
from napari_copnet.review.edits import MARKS, Edit, Flip, Patch
from napari_copnet.review.session import Session, Touched
from napari_copnet.review.start import Start
from napari_copnet.training.truth import BACKGROUND, CONTOUR, IGNORE

FOLDER, STATE = "annotation", "annotation.json"
__all__ = ["DONE", "IN_WORK", "STATES", "UNTOUCHED", "Project", "SliceState", "is_project"]


class Project:
    """The annotations of an open session. Get one from `create`, `open`, or of a session.

    Parameters
    ----------
    session : Session
        Stays its opener's to close.

    Attributes
    ----------
    session : Session
    on_change : list of callable
        Called with a slice number whenever its state may have changed.

    Raises
    ------
    InputError
        The project's file is damaged.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.on_change: list[Callable[[int], None]] = []
        self._owns = False
        self._asked = self._written = 0
        self._folder = session.folder / FOLDER
        self._slices = read_states(self._folder / STATE, session.shape[0])
        self._parts: dict[int, np.ndarray] = {}
        self._prints: dict[int, str] = {}
        self._edited: dict[int, bool] = {}
        session.on_change.append(self._touched)

    @classmethod
    def create(cls, folder: Path | str, start: Start, *, keep_image: bool = True) -> Project:
        """Make a session of the results of a run, or of contours from elsewhere, and open it.

        Parameters
        ----------
        folder : path
            Must not exist, or be empty.
        start : Start
            From `review.start.from_result`, `begin.start_from_run` or `begin.start_from_images`.
        keep_image : bool
            Keep a copy of the image in the folder.

        Raises
        ------
        CopnetError
            There is no image, or the folder can't be written.
        """
        if start.stack is None:
            raise InputError("The image of this run is not to be found.", "Name the image too.")
        project = cls(Session.create(folder, start, keep_image=keep_image))
        project._owns = True
        project._save()
        project.session.wait_saved()
        return project

    @classmethod
    def open(cls, folder: Path | str, *, read_only: bool = False) -> Project:
        """Open the project of a session's folder; a session without one begins one.

        Raises
        ------
        InputError
            No session, or a damaged one.
        """
        project = cls(Session.open(folder, read_only=read_only))
        project._owns = True
        return project

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Save what is left, and close the session when `create` or `open` opened it.

        Raises
        ------
        OutputError
            Something could not be saved.
        """
        try:
            self.session.wait_saved()
            if self._written < self._asked and not self.session.read_only:
                self._write(self._packed(), self._asked)
        finally:
            if self._touched in self.session.on_change:
                self.session.on_change.remove(self._touched)
            if self._owns:
                self.session.close()

    # What it knows -----------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Folder of the session."""
        return self.session.folder

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (Z, Y, X)."""
        return self.session.shape

    @property
    def image(self) -> Any:
        """The image, shape (Z, Y, X), read slice by slice.

        Raises
        ------
        InputError
            It is nowhere to be found unchanged.
        """
        image = self.session.image
        if image is None:
            raise InputError(
                "The image of this session is not to be found, or has changed.",
                "Put it back where it was, or begin a session that keeps a copy.",
            )
        return image

    @property
    def stack_id(self) -> str:
        """What names this stack in model cards: a short hash of its shape and middle slice."""
        middle = np.ascontiguousarray(self.image[self.shape[0] // 2])
        digest = hashlib.sha256(repr((self.shape, str(middle.dtype))).encode())
        digest.update(middle.tobytes())
        return digest.hexdigest()[:16]

    @property
    def network_size(self) -> int:
        """Longer in-plane side that networks saw in the session's last run; 0 for its own."""
        settings = self.session.facts.runs[-1].get("settings", {})
        return int(settings.get("preprocess", {}).get("size", 512))

    @property
    def chosen(self) -> list[int]:
        """The slices to annotate, in order: those chosen, begun or done."""
        return sorted(z for z, entry in self._slices.items() if entry.is_listed)

    @property
    def done(self) -> list[int]:
        """The slices that count as done, in order."""
        return [z for z in self.chosen if self.state(z) == DONE]

    def slice(self, z: int) -> SliceState:
        """Return what is known of a slice.

        Raises
        ------
        InputError
            There is no such slice.
        """
        self._check(z)
        return self._slices.get(z, SliceState(z))

    def state(self, z: int) -> str:
        """Return ``"untouched"``, ``"in work"`` or ``"done"``.

        A slice is in work once it was begun, edited by hand, or edited after it was done.
        """
        entry = self.slice(z)
        if entry.done and entry.done == self._print(z):
            return DONE
        return IN_WORK if entry.begun or entry.done or self._is_edited(z) else UNTOUCHED

    def reviewed(self, z: int) -> np.ndarray:
        """Return which pixels of a slice were reviewed, shape (Y, X), bool.

        All of a slice that is done and of which no part was named; none of others.
        """
        entry = self.slice(z)
        if entry.part:
            return self._part(z)
        return np.full(self.shape[1:], self.state(z) == DONE)

    def truth(self, z: int, reviewed: np.ndarray | None = None) -> np.ndarray:
        """Return what networks learn from a slice, shape (Y, X), uint8.

        0 within cells, 1 on contours, 2 where it is unknown: what was not reviewed, what the
        networks never saw, and haemorrhage, in which contours are anyone's guess. Vessels and
        background teach that there is no contour in them.

        Parameters
        ----------
        z : int
        reviewed : ndarray, shape (Y, X), bool, optional
            Instead of `reviewed`.
        """
        known = self.reviewed(z) if reviewed is None else np.asarray(reviewed, bool)
        truth = np.where(self.session.contour[z] > 0, CONTOUR, BACKGROUND).astype(np.uint8)
        unknown = ~known | ((self.session.marks[z] & MARKS["haemorrhage"]) > 0)
        unseen = self.session.unseen(z)
        truth[unknown if unseen is None else unknown | unseen] = IGNORE
        return truth

    def check(self, z: int, params: CheckParams = CheckParams()) -> list[Finding]:
        """Return what seems wrong in a slice; see `check.check_slice`."""
        contour, out = self.to_check(z)
        return check_slice(contour, params, excluded=out)

    def to_check(self, z: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return copies of a slice's contour, and of where it is not looked at, or None.

        What `check.check_slice` takes, so that a window can have it checked in a thread.
        """
        self._check(z)
        out = self.session.excluded(z)
        if self.slice(z).part:
            out = ~self._part(z) if out is None else out | ~self._part(z)
        return np.array(self.session.contour[z]), None if out is None else np.array(out)

    def counts(self) -> dict[str, int]:
        """Return how many slices of the list are in each of `STATES`."""
        states = [self.state(z) for z in self.chosen]
        return {state: states.count(state) for state in STATES}

    # Changing it -------------------------------------------------------------

    def choose(self, proposals: Iterable[Any]) -> None:
        """Put slices on the list.

        Parameters
        ----------
        proposals : iterable of choose.Proposal
            Slices (`z`) and why (`reason`).
        """
        for proposal in proposals:
            self._set(replace(self.slice(proposal.z), chosen=True, reason=proposal.reason))
        self._save()

    def drop(self, z: int) -> None:
        """Take a slice from the list; its contours stay, and it is not done any more."""
        self._set(SliceState(z))
        self._save()

    def begin(self, z: int) -> None:
        """Note that someone works on a slice."""
        if not self.slice(z).begun:
            self._set(replace(self.slice(z), chosen=True, begun=True))
            self._save()

    def draw(self, z: int, contour: np.ndarray) -> None:
        """Take a contour from elsewhere for a slice, as one edit that can be undone.

        Parameters
        ----------
        z : int
        contour : ndarray, shape (Y, X)
            Above 0 on contours.

        Raises
        ------
        InputError
            Another shape, or no such slice.
        """
        self._check(z)
        drawn = np.asarray(contour) > 0
        if drawn.shape != self.shape[1:]:
            raise InputError(
                f"The contour has the shape {drawn.shape}, a slice {self.shape[1:]}.",
                "Both have to be of one size.",
            )
        change = drawn != (self.session.contour[z] > 0)
        if change.any():
            self.session.apply(Edit("annotate", (Flip(CONTOUR_PLANE, Patch.of(z, change)),)))
        self.begin(z)

    def set_reviewed(self, z: int, part: np.ndarray | None) -> None:
        """Say which pixels of a slice were reviewed; the others are left out of training.

        Parameters
        ----------
        z : int
        part : ndarray, shape (Y, X), or None
            Above 0 where reviewed; None for all of the slice.

        Raises
        ------
        InputError
            Another shape, or nothing reviewed.
        """
        entry = self.slice(z)
        if part is not None:
            part = np.array(part) > 0
            if part.shape != self.shape[1:]:
                raise InputError(
                    f"The reviewed part has the shape {part.shape}, a slice {self.shape[1:]}.",
                    "Both have to be of one size.",
                )
            if not part.any():
                raise InputError("Nothing of the slice was reviewed.", "Mark what was reviewed.")
        whole = part is None or bool(part.all())
        self._parts.pop(z, None)
        if not whole:
            assert part is not None
            self._parts[z] = part
        self._set(replace(entry, chosen=True, begun=True, part=not whole))
        self._save(None if whole else z)

    def finish(
        self,
        z: int,
        params: CheckParams = CheckParams(),
        *,
        despite: bool = False,
        findings: list[Finding] | None = None,
    ) -> list[Finding]:
        """Check a slice, and let it count as done when nothing seems wrong.

        Parameters
        ----------
        z : int
        params : CheckParams
        despite : bool
            Let it count as done whatever the checks say: they may be wrong.
        findings : list of Finding, optional
            Of the slice as it is now, where it was checked already.

        Returns
        -------
        list of Finding
            What seems wrong. Unless `despite`, the slice is not done when there is any.
        """
        findings = self.check(z, params) if findings is None else findings
        if not findings or despite:
            self._set(
                replace(
                    self.slice(z),
                    chosen=True,
                    begun=True,
                    done=self._print(z),
                    finished=time.time(),
                    left=len(findings),
                )
            )
        else:
            self._set(replace(self.slice(z), chosen=True, begun=True))
        self._save()
        return findings

    def reopen(self, z: int) -> None:
        """Let a slice that was done be in work again."""
        self._set(replace(self.slice(z), done="", finished=0.0, left=0, begun=True))
        self._save()

    # Helpers -----------------------------------------------------------------

    def _check(self, z: int) -> None:
        if not 0 <= z < self.shape[0]:
            raise InputError(
                f"There is no slice {z}.", f"Slices are numbered 0 to {self.shape[0] - 1}."
            )

    def _set(self, entry: SliceState) -> None:
        self._check(entry.z)
        if self.session.read_only:
            raise CopnetError(self.session.notice, "Close the other window first.")
        self._slices[entry.z] = entry
        for listener in self.on_change:
            listener(entry.z)

    def _touched(self, places: list[Touched]) -> None:
        for z in {place.z for place in places}:
            self._prints.pop(z, None)
            self._edited.pop(z, None)
            for listener in self.on_change:
                listener(z)

    def _print(self, z: int) -> str:
        if z not in self._prints:
            digest = hashlib.blake2b(digest_size=12)
            for plane in (self.session.contour[z], self.session.marks[z]):
                digest.update(np.ascontiguousarray(plane).data)
            self._prints[z] = digest.hexdigest()
        return self._prints[z]

    def _is_edited(self, z: int) -> bool:
        if z not in self._edited:
            now = self.session.contour[z] > 0
            marked = bool(self.session.marks[z].any())
            self._edited[z] = marked or not np.array_equal(now, self.session.run_contour(z))
        return self._edited[z]

    def _part(self, z: int) -> np.ndarray:
        if z not in self._parts:
            self._parts[z] = read_part(self._part_path(z), z, self.shape[1:])
        return self._parts[z]

    def _part_path(self, z: int) -> Path:
        return self._folder / f"reviewed-{z:04d}.npz"

    def _packed(self) -> dict[str, Any]:
        return packed_states(self._slices)

    def _save(self, part_of: int | None = None) -> None:
        """Have the state written behind the edits made so far, the reviewed part before it."""
        state = self._packed()
        bits = None if part_of is None else np.packbits(self._parts[part_of])
        path = None if part_of is None else self._part_path(part_of)
        self._asked += 1
        number = self._asked

        def write() -> None:
            if path is not None and bits is not None:
                write_part(path, bits)
            self._write(state, number)

        self.session.after_saving(write)

    def _write(self, state: dict[str, Any], number: int) -> None:
        write_states(self._folder / STATE, state)
        self._written = number


def is_project(folder: Path | str) -> bool:
    """Whether a folder holds a session with annotations."""
    return (Path(folder) / FOLDER / STATE).is_file()
