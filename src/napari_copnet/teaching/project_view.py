"""The reading side of a project: which slices are annotated, how far, and what networks learn."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.params import CheckParams
from napari_copnet.proofreading.edits import MARKS
from napari_copnet.proofreading.session import Session
from napari_copnet.steps.fixed_size import DEFAULT_SIZE
from napari_copnet.teaching.carrying.carried import CarriedSlice
from napari_copnet.teaching.prefilled import PrefilledSlice
from napari_copnet.teaching.slice_check import Finding, check_slice, doubtful_cell
from napari_copnet.teaching.slice_states import DONE, IN_WORK, STATES, UNTOUCHED, SliceState
from napari_copnet.teaching.state_folder import StateFolder
from napari_copnet.training.truth import BACKGROUND, CONTOUR, IGNORE

Value = TypeVar("Value")


class ProjectView:
    """The readable contents of a project; `project.Project` adds the changes.

    Attributes
    ----------
    session : Session
    """

    def __init__(self, session: Session, states: StateFolder) -> None:
        self.session = session
        self._states = states
        self._prints: dict[int, str] = {}
        self._edited: dict[int, bool] = {}
        # How often each slice was edited: another thread may look at it meanwhile.
        self._edits: Counter[int] = Counter()
        self._lock = threading.Lock()

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
                "The image of this session can't be found, or has changed.",
                "Put it back where it was, or create a session that keeps a copy.",
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
        size = settings.get("preprocess", {}).get("size")
        return DEFAULT_SIZE if size is None else int(size)

    @property
    def chosen(self) -> list[int]:
        """The slices to annotate, in order: those chosen, begun or done."""
        return sorted(z for z, entry in self._states.slices.items() if entry.is_listed)

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
        return self._states.slices.get(z, SliceState(z))

    def state(self, z: int) -> str:
        """Return ``"untouched"``, ``"in work"`` or ``"done"``.

        A slice is in work once it was begun, edited by hand, or edited after it was done. One to
        which contours were carried, or in which a model drew them, is untouched until somebody
        edits these.
        """
        entry = self.slice(z)
        if entry.done and entry.done == self._print(z):
            return DONE
        came = not entry.begun and not entry.done
        if came and (self.carried(z) is not None or self.prefilled(z) is not None):
            return UNTOUCHED
        return IN_WORK if entry.begun or entry.done or self._is_edited(z) else UNTOUCHED

    @property
    def carried_slices(self) -> list[int]:
        """The slices whose contours were carried from others, in order."""
        return [z for z in range(self.shape[0]) if self.carried(z) is not None]

    def carried(self, z: int) -> CarriedSlice | None:
        """Return what was carried to a slice.

        None where nothing was, where the slice has changed since, and where it is done.
        """
        kept = self._states.carried(z)
        if kept is None or kept[1] != self._print(z) or self.slice(z).done == kept[1]:
            return None
        return kept[0]

    def prefilled(self, z: int) -> PrefilledSlice | None:
        """Return what a model drew in a slice.

        None where none did, where the slice has changed since, and where it is done.
        """
        kept = self._states.prefilled(z)
        if kept is None or kept[1] != self._print(z) or self.slice(z).done == kept[1]:
            return None
        return kept[0]

    def start_contour(self, z: int) -> np.ndarray:
        """Return the contour of a slice before anybody corrected it, shape (Y, X), bool.

        That of the last run, the one that was carried to it or the one that a model drew in it,
        whichever is most like its present one.
        """
        starts = [self.session.run_contour(z)]
        for kept in (self._states.carried(z), self._states.prefilled(z)):
            if kept is not None:
                starts.append(kept[0].contour)
        now = self.session.contour[z] > 0
        return min(starts, key=lambda start: np.count_nonzero(now != start))

    def reviewed(self, z: int) -> np.ndarray:
        """Return which pixels of a slice were reviewed, shape (Y, X), bool.

        All of a slice that is done and of which no part was named; none of others.
        """
        entry = self.slice(z)
        if entry.part:
            return self._states.part(z)
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
        """Return what seems wrong in a slice; see `slice_check.check_slice`."""
        contour, out = self.to_check(z)
        return [*self.doubts(z), *check_slice(contour, params, excluded=out)]

    def doubts(self, z: int) -> list[Finding]:
        """Return the carried cells of a slice that are in doubt, as findings."""
        carried = self.carried(z)
        return [] if carried is None else [doubtful_cell(one) for one in carried.doubtful]

    def to_check(self, z: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return copies of a slice's contour, and of where it is not looked at, or None.

        What `slice_check.check_slice` takes, so that a window can have it checked in a thread.
        """
        self._check(z)
        out = self.session.excluded(z)
        if self.slice(z).part:
            out = ~self._states.part(z) if out is None else out | ~self._states.part(z)
        return np.array(self.session.contour[z]), None if out is None else np.array(out)

    def counts(self) -> dict[str, int]:
        """Return how many slices of the list are in each of `STATES`."""
        states = [self.state(z) for z in self.chosen]
        return {state: states.count(state) for state in STATES}

    def _check(self, z: int) -> None:
        if not 0 <= z < self.shape[0]:
            raise InputError(
                f"There is no slice {z}.", f"Slices are numbered 0 to {self.shape[0] - 1}."
            )

    def _forget(self, z: int) -> None:
        """Look again at a slice that was edited."""
        with self._lock:
            self._edits[z] += 1
            self._prints.pop(z, None)
            self._edited.pop(z, None)

    def _print(self, z: int) -> str:
        def look() -> str:
            return fingerprint(self.session.contour[z], self.session.marks[z])

        return self._known(self._prints, z, look)

    def _is_edited(self, z: int) -> bool:
        def look() -> bool:
            now = self.session.contour[z] > 0
            marked = bool(self.session.marks[z].any())
            return marked or not np.array_equal(now, self.session.run_contour(z))

        return self._known(self._edited, z, look)

    def _known(self, found: dict[int, Value], z: int, look: Callable[[], Value]) -> Value:
        """Return what is known of a slice; what was seen of one while it was edited is not kept."""
        edits, value = self._edits[z], found.get(z)
        if value is None:
            value = look()
            with self._lock:
                if self._edits[z] == edits:
                    found[z] = value
        return value


def fingerprint(contour: np.ndarray, marks: np.ndarray) -> str:
    """Return the fingerprint of a slice: of its contour, uint8 of 0 and 1, and its marks."""
    digest = hashlib.blake2b(digest_size=12)
    for plane in (contour, marks):
        digest.update(np.ascontiguousarray(plane).data)
    return digest.hexdigest()
