"""The session: contour, marks, links and verdicts that change, and the cells they imply.

Only one thread may use it at a time; the one that opened it may hand it on. Everything an edit does
goes through `apply`, which relabels the touched box, writes the edit to the journal and tells the
listeners where to look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from napari_copnet.errors import CopnetError, InputError, OutputError
from napari_copnet.progress import finish
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.edit_history import EditHistory
from napari_copnet.proofreading.edits import Edit, joined
from napari_copnet.proofreading.journal import Journal
from napari_copnet.proofreading.live_cells import LiveCells, Touched
from napari_copnet.proofreading.new_run import edit_of_run
from napari_copnet.proofreading.packing import damaged
from napari_copnet.proofreading.session_start import Start
from napari_copnet.proofreading.state_files import (
    SNAPSHOT,
    START,
    StartContour,
    pack_state,
    read_state,
    write_state,
)

__all__ = ["Session", "Touched"]
# Edits after which a snapshot is written beside the work.
SNAPSHOT_EVERY = 1000


class Session(LiveCells):
    """An open session. Get one from `create` or `open`; it is a context manager.

    Attributes
    ----------
    folder : Path
    facts : store.Facts
        Shape, voxel size, cell settings, records of runs.
    read_only : bool
        Someone else has it open for writing; edits are refused.
    history : EditHistory
        The edits, to be listed.
    on_change : list of callable
        Called with a list of `Touched` after each change.
    on_run : list of callable
        Called without arguments when `follow` has found that another run is in use: probability and
        iterations are then those of that run.
    saved_as : int
        The journal's number of the last change; it is durable once `acknowledged` is at least this.
    """

    def __init__(self, folder: Path | str, read_only: bool = False) -> None:
        self.folder = Path(folder)
        self._facts_stamp = session_files.facts_stamp(self.folder)
        self.facts = session_files.read_facts(self.folder)
        session_files.check_links(self.folder)
        self.on_change: list[Callable[[list[Touched]], None]] = []
        self.on_run: list[Callable[[], None]] = []
        # Opened in one thread, it may be closed in another.
        self._lock = filelock.FileLock(self.folder / session_files.LOCK, thread_local=False)
        # The lock's file stays: without it nobody has ever written here.
        self._unwritable = ""
        begun = (self.folder / session_files.LOCK).exists()
        self.read_only = read_only or not self._locked()
        self.saved_as = 0
        self._closed = False
        try:
            self._load(begun)
        except BaseException:
            if (journal := getattr(self, "_journal", None)) is not None:
                journal.close()
            self._lock.release()
            raise

    @classmethod
    def create(cls, folder: Path | str, start: Start, *, keep_image: bool = True) -> Session:
        """Create a session from the results of a run and open it.

        Parameters
        ----------
        folder : path
            Must not exist, or be empty.
        start : Start
            From `session_start.from_result` or `session_start.from_run_folder`.
        keep_image : bool
            Keep a copy of the image in the folder.
        """
        return cls(finish(session_files.make(Path(folder), start, keep_image)))

    @classmethod
    def open(cls, folder: Path | str, *, read_only: bool = False) -> Session:
        """Open a session where it was left; it is `read_only` while someone else writes to it.

        Raises
        ------
        InputError
            No session, or a damaged one.
        """
        return cls(folder, read_only)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    @property
    def notice(self) -> str:
        """A sentence for the user about how it was opened; empty if there is nothing to say."""
        if not self.read_only:
            return ""
        if self._unwritable:
            return f"This session can't be changed here: {self._unwritable}. It is read-only."
        return (
            "This session is open in another window: it is read-only here. "
            "Edits made there appear here within a second."
        )

    @property
    def remedy(self) -> str:
        """What the user can do to change a session that is read-only."""
        if self._unwritable:
            return "Copy the session's folder to a disk that you may write to."
        return "Close the other window and open it again here."

    # Changing it -------------------------------------------------------------

    def apply(self, edit: Edit) -> list[Touched]:
        """Make an edit; cells are updated, and the edit is queued for writing to disk.

        Parameters
        ----------
        edit : Edit
            From a tool. `Renumber` changes are added here.

        Returns
        -------
        list of Touched
            Empty for an edit that changes nothing.

        Raises
        ------
        CopnetError
            The session is read-only, or the edit does not fit it.
        """
        self._check_writable()
        if edit.is_empty:
            return []
        self._check(edit)
        whole, touched = self._perform(edit)
        self.saved_as = self.history.push(whole)
        self._since_snapshot += 1
        if self._since_snapshot >= SNAPSHOT_EVERY:
            self.snapshot()
        return self._tell(touched)

    def undo(self) -> list[Touched]:
        """Undo the last edit."""
        return self.jump(self.history.position - 1) if self.history.can_undo else []

    def redo(self) -> list[Touched]:
        """Redo the edit that was undone last."""
        return self.jump(self.history.position + 1) if self.history.can_redo else []

    def jump(self, position: int) -> list[Touched]:
        """Go to the state in which `position` edits are applied.

        Raises
        ------
        CopnetError
            There is no such position, or the session is read-only.
        """
        self._check_writable()
        steps = self.history.steps(position)
        if not steps:
            return []
        touched = self._replay(joined("jump", *steps), whole_slices=len(steps) > 1)
        self.saved_as = self.history.move(position)
        self._since_snapshot += len(steps)
        return self._tell(touched)

    def add_run(self, start: Start, keep: Iterable[int] = ()) -> list[Touched]:
        """Take the results of networks that ran again; what was decided by hand stays.

        Pixels that an edit has changed since the last run, those of accepted and rejected items,
        and slices in `keep` keep their value. The rest becomes that of the new run, as one edit.

        Raises
        ------
        InputError
            The results are of another size.
        """
        self._check_writable()
        if np.shape(start.contour) != self.shape:
            raise InputError(
                f"The new results have shape {np.shape(start.contour)}, the session {self.shape}.",
                "Create a new session for another stack.",
            )
        edit = edit_of_run(self, start.contour, keep)
        number = 0 if edit.is_empty else self.history.upcoming
        self.facts = session_files.add_run(self.folder, self.facts, start, number)
        return self.apply(edit)

    def follow(self) -> list[Touched]:
        """Catch up with the changes that the writer of a session opened for reading has made.

        Returns an empty list when no pixel or cell has changed, and for the writer itself.

        Raises
        ------
        InputError
            The journal can't be read.
        """
        if not self.read_only or self._closed:
            return []
        # In this order: the edits of a run come after what it left on the disk.
        steps = self.history.news()
        has_run = self._follow_runs()
        touched: list[Touched] = []
        if steps is not None:
            touched = self._replay(joined("follow", *steps), whole_slices=len(steps) > 1)
            self.history.reload()
        if has_run:
            # Only now does the session hold what the run changed, for listeners that copy it.
            for listener in self.on_run:
                listener()
        return self._tell(touched) if steps is not None else []

    def _follow_runs(self) -> bool:
        """Read the facts anew where they changed; return whether there is another run."""
        stamp = session_files.facts_stamp(self.folder)
        if stamp == self._facts_stamp:
            return False
        runs = len(self.facts.runs)
        self.facts = session_files.read_facts(self.folder)
        self._facts_stamp = stamp
        return len(self.facts.runs) != runs

    # Keeping it --------------------------------------------------------------

    @property
    def is_saved(self) -> bool:
        """Whether every edit is on disk."""
        return self.read_only or self._journal.acknowledged >= self._journal.asked

    @property
    def acknowledged(self) -> int:
        """How many changes, counted as `saved_as` is, are durable."""
        return self._journal.acknowledged

    @property
    def problem(self) -> str:
        """Why edits are not being saved at present; empty when they are."""
        return self._journal.problem

    def after_saving(self, work: Callable[[], None]) -> int:
        """Run something in the writer's thread once every edit made so far is on disk.

        What lies beside the session and depends on its edits is written this way: never before
        them, and not on the thread of the window.

        Returns
        -------
        int
            It is done once `acknowledged` is no less.

        Raises
        ------
        CopnetError
            The session is read-only or closed.
        """
        self._check_writable()
        self.saved_as = self._journal.then(work)
        return self.saved_as

    def wait_saved(self, timeout: float = 30.0) -> bool:
        """Wait until every edit is on disk; return whether it is."""
        return self.read_only or self._journal.wait(timeout=timeout)

    def snapshot(self) -> None:
        """Have the present state written, so that opening stays fast; returns at once."""
        self._check_writable()
        self._since_snapshot = 0
        state = pack_state(self._model, self.history.current, self._excluded)

        def write() -> None:
            session_files.renew_format(self.folder)
            write_state(self.folder / SNAPSHOT, state)

        self._journal.then(write)

    def close(self) -> None:
        """Save what is left and let the session go.

        Raises
        ------
        OutputError
            Something could not be saved.
        """
        if self._closed:
            return
        try:
            if not self.read_only and self._since_snapshot:
                self.snapshot()
            self._journal.close()
        finally:
            self._closed = True
            # On Windows a folder whose files are open can't be removed.
            self._arrays.clear()
            self._image = None
            if isinstance(self._model.contour.base, StartContour):
                self._model.contour.base.close()
            self._lock.release()

    # Helpers -----------------------------------------------------------------

    def _locked(self) -> bool:
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            return False
        except OSError as error:
            self._unwritable = (error.strerror or str(error)).lower()
            return False
        return True

    def _load(self, begun: bool) -> None:
        snapshot = self.folder / SNAPSHOT
        path = snapshot if snapshot.is_file() else self.folder / START
        model, at, excluded = read_state(path)
        # Earlier versions made sessions without a list of edits, until they were opened.
        is_new = not begun and not snapshot.is_file()
        self._journal = Journal(
            self.folder / session_files.JOURNAL, writable=not self.read_only, may_be_missing=is_new
        )
        self.history = EditHistory(self._journal)
        taken = session_files.taken_runs(self.facts, max(self.history.upcoming - 1, at))
        if taken is not self.facts:
            self.facts, self._facts_stamp = taken, ()
            if not self.read_only:
                session_files.write_facts(self.folder, taken)
        back, forth = self._journal.way(at, self.history.current)
        try:
            for number in back:
                self.history.read(number).inverse.apply(model)
            for number in forth:
                self.history.read(number).apply(model)
        except (LookupError, ValueError) as error:
            # One between them is missing, or they belong to another session.
            raise damaged() from error
        self._since_snapshot = len(back) + len(forth)
        self._show(model, excluded)

    def _tell(self, touched: list[Touched]) -> list[Touched]:
        for listener in self.on_change:
            listener(touched)
        return touched

    def _check_writable(self) -> None:
        if self._closed:
            raise CopnetError("The session is closed.", "Open it again.")
        if self.read_only:
            raise OutputError(self.notice, self.remedy)

    def _check(self, edit: Edit) -> None:
        if not all(self._model.fits(change) for change in edit.changes):
            raise CopnetError(
                f"The edit {edit.tool} does not fit this session.", "Make the edit again."
            )
