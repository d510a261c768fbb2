"""The proofreading dock: begin or open a session, and close it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.gui.background.main_thread_work import MainThreadWork
from napari_copnet.gui.background.task_queue import Task, TaskQueue
from napari_copnet.gui.napari_compat.canvas_widget import is_shown, repaint
from napari_copnet.gui.proofreading.open_session import (
    Ready,
    add_run,
    add_run_from_folder,
    begin_from_folder,
    begin_from_result,
    no_session,
    open_session,
)
from napari_copnet.gui.proofreading.proofreading_form import ProofreadForm
from napari_copnet.gui.proofreading.session_controller import SessionController
from napari_copnet.gui.proofreading.session_layers import SessionLayers
from napari_copnet.gui.viewer.camera import View
from napari_copnet.gui.viewer.dock_places import give_room
from napari_copnet.gui.viewer.layer_roles import panel_of
from napari_copnet.gui.widgets.pace import Pace
from napari_copnet.params import Settings
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.session import Session


class ProofreadPanel(ProofreadForm):
    """Proofread a session.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    controller : SessionController or None
        Of the open session.
    tasks : TaskQueue
        What is being computed.
    opened : Signal
        The folder of a session that is open now.
    closing : Signal
        The session is about to be saved and closed.
    refused : Signal
        The session is open again without the run that it was to take.
    """

    opened = Signal(str)
    closing = Signal()
    refused = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.controller: SessionController | None = None
        self._made: list[Ready] = []
        # The task that opens a session, until that is there.
        self._opening: Task | None = None
        self._arriving: tuple[Ready, SessionLayers, MainThreadWork] | None = None
        self.tasks = TaskQueue(last="queue")
        self._pace = Pace()
        self.begin_button.clicked.connect(lambda: self.begin())
        self.folder_button.clicked.connect(lambda: self.begin_from_folder())
        self.open_button.clicked.connect(lambda: self.ask_open())
        self.close_button.clicked.connect(lambda: self._close_by_hand())
        self.take_run_button.clicked.connect(lambda: self.take_run())

    # What the user can do ----------------------------------------------------

    @property
    def session(self) -> Session | None:
        """The open session, or None."""
        return self.controller.session if self.controller is not None else None

    def begin(self, folder: Path | None = None) -> None:
        """Begin a session of the run that the workflow has finished; ask where, if not told."""
        source = self._finished_run()
        if source is None:
            return
        on_disk = source.folder
        if folder is None and on_disk is not None:
            folder = self._new_folder(on_disk.name, on_disk.parent)
        elif folder is None:
            folder = self._new_folder(source.result.stack.name)
        if folder is None:
            return
        if on_disk is not None:
            self._open_after(lambda: begin_from_folder(folder, on_disk))
        else:
            run = _of_memory(source)
            self._open_after(lambda: begin_from_result(folder, *run))

    def take_run(self) -> None:
        """Take the run that the workflow dock has finished into the open session.

        What was edited and decided by hand stays; the rest becomes that of the run, as one edit.
        """
        session = self.session
        source = self._finished_run() if session is not None and not session.read_only else None
        if session is None or source is None:
            return
        on_disk = source.folder
        run = _of_memory(source) if on_disk is None else None
        folder, view = session.folder, View.of(self.viewer)
        self.close_session()

        def taken() -> Steps[Path]:
            try:
                if run is not None:
                    return (yield from add_run(folder, *run))
                return (yield from add_run_from_folder(folder, on_disk))
            except CopnetError as error:
                # The session opens again as it was.
                problems.append(error)
                return folder

        def tell() -> None:
            view.restore(self.viewer)
            if problems:
                self.message.error(problems[0])
                self.refused.emit()
            else:
                self.message.note(
                    "The session now uses the new run. Your edits and decisions are unchanged."
                )

        problems: list[CopnetError] = []
        self._open_after(taken, tell)

    def begin_from_folder(self) -> None:
        """Begin a session of the folder of a run."""
        run = QFileDialog.getExistingDirectory(self, "The folder of a run")
        if not run:
            return
        folder = self._new_folder(Path(run).name)
        if folder is not None:
            self._open_after(lambda: begin_from_folder(folder, Path(run)))

    def ask_open(self) -> None:
        """Ask for the folder of a session and open it."""
        folder = QFileDialog.getExistingDirectory(self, "Open a session")
        if folder:
            self.open(folder)

    def open(self, folder: Path | str) -> None:
        """Open a session where it was left."""
        folder = Path(folder)
        if not session_files.is_session(folder):
            self.message.error(no_session(folder))
            return
        # It may be the one that is open here.
        self.close_session()

        def there() -> Steps[Path]:
            yield from ()
            return folder

        self._open_after(there)

    @property
    def is_opening(self) -> bool:
        """Whether a session is on its way."""
        return self._opening is not None or self._arriving is not None

    def close_session(self) -> None:
        """Save and close the open session."""
        self._drop_arriving()
        if self.controller is None:
            return
        self.closing.emit()
        controller, self.controller = self.controller, None
        try:
            controller.close()
        except CopnetError as error:
            self.message.error(error)
        self.show_desk(False)

    def _close_by_hand(self) -> None:
        session = self.session
        self.message.clear()
        self.close_session()
        if session is not None and not self.message.text:
            done = "closed" if session.read_only else "saved and closed"
            self.message.note(
                f"The session in the folder {session.folder.name} is {done}. "
                "Open a session continues where you left off."
            )

    def _shut_down(self) -> None:
        """Save, close, and stop all work."""
        self.tasks.shut_down()
        self.close_session()
        while self._made:
            # Opened, but nobody was left to show it.
            self._made.pop().session.close()

    # Work --------------------------------------------------------------------

    def _new_folder(self, name: str, where: Path | None = None) -> Path | None:
        where = Path.home() if where is None else where
        path, _ = QFileDialog.getSaveFileName(
            self,
            "A folder for the session",
            str(where / f"{name} proofreading"),
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        return Path(path) if path else None

    def _finished_run(self) -> Any:
        """Return the workflow's `ImageRun`; None, and say so, where it has not finished."""
        workflow = panel_of(self.viewer)
        source = workflow.source if workflow is not None else None
        settings = source.settings if source is not None else None
        if source is None or settings is None or not _is_shown(source, settings):
            self.message.error(
                InputError(
                    "There is no finished run.",
                    "Run the stack under Segment first, or begin from the folder of a run.",
                )
            )
            return None
        return source

    def _open_after(
        self, work: Callable[[], Steps[Path]], tell: Callable[[], None] | None = None
    ) -> None:
        """Do something in a thread that ends with the folder of a session, and open that."""
        made = self._made
        self.message.clear()

        def whole() -> Steps[Ready]:
            folder = yield from work()
            return (yield from open_session(folder, made))

        task = self._opening = self._compute("session", whole)

        def end(_: object) -> None:
            if self._opening is task:
                self._opening = None

        task.finished.connect(end)
        task.failed.connect(end)
        task.finished.connect(lambda ready: self._show_session(ready, tell))

    def _show_session(self, ready: Ready, tell: Callable[[], None] | None) -> None:
        self.close_session()
        self.message.clear()
        self.progress_text.setText("Showing the session …")
        self.progress_text.show()
        layers = SessionLayers(self.viewer, ready)

        def pieces() -> Iterator[None]:
            yield from layers.add()
            self.show_desk(True)
            give_room(self, panel_of(self.viewer))
            yield

        def arrived() -> None:
            self._arriving = None
            self._made.remove(ready)
            self.progress_text.hide()
            self.controller = SessionController(self.viewer, self, layers, self._compute)
            self.opened.emit(str(ready.session.folder))
            if tell is not None:
                tell()

        self._arriving = ready, layers, MainThreadWork(self, pieces(), arrived)

    def _drop_arriving(self) -> None:
        """Let go a session that is being shown."""
        if self._arriving is None:
            return
        ready, layers, turns = self._arriving
        self._arriving = None
        turns.stop()
        self.progress_text.hide()
        self._made.remove(ready)
        ready.session.close()
        window = self.window()
        if is_shown(window):
            layers.remove(lambda: repaint(window))

    def _compute(self, name: str, work: Callable[[], Steps[Any]]) -> Task:
        self._pace = Pace()
        task = self.tasks.add(name, work)
        task.progressed.connect(self._show_progress)
        for end in (task.finished, task.failed):
            end.connect(lambda _: self._rest())
        task.failed.connect(self.message.error)
        return task

    def _rest(self) -> None:
        self.progress_text.hide()
        self.bar.hide()

    def _show_progress(self, news: list[Progress]) -> None:
        last = news[-1]
        self.progress_text.setText(self._pace.text(last))
        self.bar.set(last.done / last.total if last.total else 0.0)
        self.progress_text.show()
        self.bar.show()

    # Qt ----------------------------------------------------------------------

    def keyPressEvent(self, event: Any) -> None:
        """Do what a key means also where the dock has the focus."""
        if self.controller is not None and self.controller.keys.press(event):
            event.accept()
            return
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: Any) -> None:
        """Hear that a key that is held was let go."""
        if self.controller is not None and self.controller.keys.press(event):
            event.accept()
            return
        super().keyReleaseEvent(event)


def _is_shown(source: Any, settings: Settings) -> bool:
    """Whether the last finished run of an `ImageRun` is what the viewer shows of it.

    It also is after another one was begun and cancelled before its contours were closed.
    """
    if source.is_done("cells", settings):
        return True
    return source.folder is None and source.layers.shows(source.result.closing)


def _of_memory(source: Any) -> tuple[Any, Any, np.ndarray | None, Any]:
    """Return result, settings, painted contour and iterations of an `ImageRun` in memory."""
    result, layers = source.result, source.layers
    contour = iterations = None
    closed = layers.layer("closed")
    if closed is not None and layers.editing is not None and layers.editing.is_edited():
        data = np.array(closed.data)
        contour = data if data.ndim == 3 else data[None]
    kept = layers.iterations_of(result.contours)
    if kept is not None and not kept.dropped:
        iterations = kept.original(result.preprocessed.frame)
    return result, source.settings, contour, iterations
