"""An annotation project: slices of a session are chosen, annotated, reviewed and finished.

The contours are those of the session: a slice is annotated with the tools of proofreading, and
whatever was corrected there is what networks learn. A project adds one folder to the session's::

    annotation/annotation.json      each slice's state, and why it was chosen
    annotation/reviewed-0012.npz    the reviewed part of a slice, where it is not all of it

A state is written by the session's writer, after the edits it speaks of, whole each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.params import CheckParams
from napari_copnet.proofreading.edits import CONTOUR as CONTOUR_PLANE
from napari_copnet.proofreading.edits import MARKS, Edit, Flip, Patch
from napari_copnet.proofreading.session import Session, Touched
from napari_copnet.proofreading.session_start import Start
from napari_copnet.teaching.carrying.carried import CarriedSlice
from napari_copnet.teaching.carrying.one_cell import CarriedOutline
from napari_copnet.teaching.drawn_elsewhere import DrawnSlice
from napari_copnet.teaching.prefilled import PrefilledSlice
from napari_copnet.teaching.project_view import ProjectView, fingerprint
from napari_copnet.teaching.slice_check import Finding
from napari_copnet.teaching.slice_states import DONE, IN_WORK, STATES, UNTOUCHED, SliceState
from napari_copnet.teaching.state_folder import StateFolder, is_project

BACKGROUND = "background"
__all__ = ["DONE", "IN_WORK", "STATES", "UNTOUCHED", "Project", "SliceState", "is_project"]


class Project(ProjectView):
    """The annotations of an open session. Get one from `create` or `open`, or make it of a session.

    Parameters
    ----------
    session : Session
        Whoever opened it has to close it.

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
        super().__init__(session, StateFolder(session))
        self.on_change: list[Callable[[int], None]] = []
        self._owns = False
        session.on_change.append(self._touched)

    @classmethod
    def create(cls, folder: Path | str, start: Start, *, keep_image: bool = True) -> Project:
        """Create a session from the results of a run, or from contours made elsewhere, and open it.

        Parameters
        ----------
        folder : path
            Must not exist, or be empty.
        start : Start
            From `proofreading.session_start.from_result`, `project_start.start_from_run` or
            `project_start.start_from_images`.
        keep_image : bool
            Keep a copy of the image in the folder.

        Raises
        ------
        CopnetError
            There is no image, or the folder can't be written.
        """
        if start.stack is None:
            raise InputError("The image of this run can't be found.", "Give the image as well.")
        project = cls(Session.create(folder, start, keep_image=keep_image))
        project._owns = True
        project._states.save()
        project.session.wait_saved()
        return project

    @classmethod
    def open(cls, folder: Path | str, *, read_only: bool = False) -> Project:
        """Open the project in a session's folder; a session without one gets one.

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
            if not self.session.read_only:
                self._states.flush()
        finally:
            if self._touched in self.session.on_change:
                self.session.on_change.remove(self._touched)
            if self._owns:
                self.session.close()

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
        self._states.save()

    def drop(self, z: int) -> None:
        """Remove a slice from the list; its contours stay, and it is no longer done."""
        self._set(SliceState(z))
        self._states.save()

    def begin(self, z: int) -> None:
        """Note that somebody is working on a slice."""
        if not self.slice(z).begun:
            self._set(replace(self.slice(z), chosen=True, begun=True))
            self._states.save()

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
                "Both must be of the same size.",
            )
        change = drawn != (self.session.contour[z] > 0)
        if change.any():
            self.session.apply(Edit("annotate", (Flip(CONTOUR_PLANE, Patch.of(z, change)),)))
        self.begin(z)

    def take_drawn(self, drawn: DrawnSlice, *, labelled_only: bool = False) -> None:
        """Take what another program drew in a slice, as one edit that can be undone.

        Parameters
        ----------
        drawn : DrawnSlice
            From `drawn_elsewhere.drawn_slices`.
        labelled_only : bool
            What has no label was not annotated, and counts as not reviewed; else it is background.

        Raises
        ------
        InputError
            No such slice, or the session is read-only.
        """
        z = drawn.z
        self._check(z)
        known = ~drawn.background
        changes = [(CONTOUR_PLANE, drawn.contour != (self.session.contour[z] > 0))]
        if not labelled_only:
            marked = (self.session.marks[z] & MARKS[BACKGROUND]) > 0
            changes.append((BACKGROUND, drawn.background & ~marked))
        flips = tuple(Flip(what, Patch.of(z, one)) for what, one in changes if one.any())
        if flips:
            self.session.apply(Edit("annotate", flips))
        self.begin(z)
        if labelled_only:
            self.set_reviewed(z, known)

    def take_carried(self, carried: CarriedSlice) -> bool:
        """Draw what was carried to a slice, as one edit that can be undone.

        What it is, is written before the edit, so that neither is lost when the program ends in
        between; see `StateFolder.set_carried`.

        Parameters
        ----------
        carried : CarriedSlice
            From `carrying.project_carry.carry`.

        Returns
        -------
        bool
            Whether it was taken: not where somebody has worked on the slice meanwhile.

        Raises
        ------
        OutputError
            What it is can't be written; the slice stays as it is.
        """
        if not self._is_free(carried.z):
            return False
        self._states.set_carried(carried, self._print_of(carried.z, carried.contour))
        self._replace("carry", carried.z, carried.contour)
        return True

    def take_prefilled(self, prefilled: PrefilledSlice) -> bool:
        """Draw the contours of a model in a slice, as one edit that can be undone.

        Parameters
        ----------
        prefilled : PrefilledSlice
            From `loop.prefill`.

        Returns
        -------
        bool
            Whether it was taken: not where somebody has worked on the slice meanwhile.

        Raises
        ------
        OutputError
            What it is can't be written; the slice stays as it is.
        """
        if not self._is_free(prefilled.z):
            return False
        self._states.set_prefilled(prefilled, self._print_of(prefilled.z, prefilled.contour))
        self._replace("annotate", prefilled.z, prefilled.contour)
        return True

    def take_outline(self, outline: CarriedOutline) -> None:
        """Draw the outline of a cell that came from another slice, as one edit.

        Parameters
        ----------
        outline : CarriedOutline
            From `carrying.one_cell.carry_cell`.

        Raises
        ------
        CopnetError
            The session is read-only.
        """
        self._check(outline.z)
        self.session.apply(outline.edit(self.session.contour[outline.z]))

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
                    "Both must be of the same size.",
                )
            if not part.any():
                raise InputError("No part of the slice was reviewed.", "Mark the reviewed area.")
        whole = part is None or bool(part.all())
        self._states.set_part(z, None if whole else part)
        self._set(replace(entry, chosen=True, begun=True, part=not whole))
        self._states.save(None if whole else z)

    def finish(
        self,
        z: int,
        params: CheckParams = CheckParams(),
        *,
        despite: bool = False,
        findings: list[Finding] | None = None,
    ) -> list[Finding]:
        """Check a slice, and mark it as done if there are no findings.

        Parameters
        ----------
        z : int
        params : CheckParams
        despite : bool
            Mark it as done whatever the checks find: they may be wrong.
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
        self._states.save()
        return findings

    def reopen(self, z: int) -> None:
        """Put a slice that was done back in work."""
        self._set(replace(self.slice(z), done="", finished=0.0, left=0, begun=True))
        self._states.save()

    def check_writable(self) -> None:
        """Refuse to begin long work whose results could not be kept here.

        Raises
        ------
        CopnetError
            The session is open elsewhere, or can't be written.
        """
        if self.session.read_only:
            raise CopnetError(self.session.notice, self.session.remedy)

    # Helpers -----------------------------------------------------------------

    def _is_free(self, z: int) -> bool:
        """Whether nobody has worked on a slice that may be changed."""
        self._check(z)
        self.check_writable()
        return self.state(z) == UNTOUCHED

    def _print_of(self, z: int, contour: np.ndarray) -> str:
        return fingerprint(contour.astype(np.uint8), self.session.marks[z])

    def _replace(self, kind: str, z: int, contour: np.ndarray) -> None:
        """Let a slice have a contour (Y, X), bool, by one edit where it is another."""
        change = contour != (self.session.contour[z] > 0)
        if change.any():
            self.session.apply(Edit(kind, (Flip(CONTOUR_PLANE, Patch.of(z, change)),)))
        else:
            for listener in self.on_change:
                listener(z)

    def _set(self, entry: SliceState) -> None:
        self._check(entry.z)
        self.check_writable()
        self._states.slices[entry.z] = entry
        for listener in self.on_change:
            listener(entry.z)

    def _touched(self, places: list[Touched]) -> None:
        for z in {place.z for place in places}:
            self._forget(z)
            for listener in self.on_change:
                listener(z)
