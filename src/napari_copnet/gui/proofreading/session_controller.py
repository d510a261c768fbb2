"""An open session in a window: its layers, tools and keys, the queue and the history."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from qtpy.QtWidgets import QWidget

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.napari_compat.canvas_widget import canvas_of, is_shown, repaint
from napari_copnet.gui.proofreading.cell_in_3d import CellIn3D
from napari_copnet.gui.proofreading.cursor_note import clear_at_cursor, show_at_cursor
from napari_copnet.gui.proofreading.history_tab import HistoryTab
from napari_copnet.gui.proofreading.item_pictures import ItemPictures
from napari_copnet.gui.proofreading.iteration_review import IterationReview
from napari_copnet.gui.proofreading.keys import REDO, UNDO, Keys
from napari_copnet.gui.proofreading.mouse import Mouse
from napari_copnet.gui.proofreading.proofreading_form import ProofreadForm
from napari_copnet.gui.proofreading.queue_controller import QueueController
from napari_copnet.gui.proofreading.same_fix_offer import SameFixOffer
from napari_copnet.gui.proofreading.save_status import SaveStatus
from napari_copnet.gui.proofreading.session_camera import SessionCamera
from napari_copnet.gui.proofreading.session_layers import SessionLayers
from napari_copnet.gui.proofreading.tool_controller import ToolController
from napari_copnet.gui.proofreading.tool_list import BRUSH, BY_NAME, DRAGGED, FREEZE, SOLID, TOOLS
from napari_copnet.proofreading.edits import Edit, Judge
from napari_copnet.proofreading.paths import snapped
from napari_copnet.proofreading.session import Touched

# A click so near to contour, in pixels of the image, means it.
INSPECT_PX = 3
# napari's mode for each painting tool.
_MODES = {"draw": "paint", "erase": "erase"}
NO_TOOL = "Choose a tool by its button or key, or press N for the next item in the queue."


class SessionController:
    """What an open session puts in the window.

    Parameters
    ----------
    viewer : napari.Viewer
    form : ProofreadForm
    layers : SessionLayers
        Of the session, in the viewer; `close` closes the session and takes them away.
    compute : callable
        See `background.task_queue.Compute`.
    """

    def __init__(
        self,
        viewer: Any,
        form: ProofreadForm,
        layers: SessionLayers,
        compute: Compute,
    ) -> None:
        session = layers.session
        self.viewer, self.form, self.session = viewer, form, session
        # The dock may be out of it by the time of `close`.
        self._window: QWidget | None = form.window()
        self.layers = layers
        layers.listen()
        self.marks = layers.over
        self.camera = SessionCamera(viewer, self.layers, self.marks, form.window)
        self.cell_in_3d = CellIn3D(viewer, session, self.layers, form.message.error)
        self.neighbours = SameFixOffer(form.same_fix, session, self.marks)
        self.tool_controller = ToolController(session, self.marks, form)
        self.iteration_review = IterationReview(
            viewer, form.iteration_tab, session, self.layers, compute
        )
        self.queue = QueueController(form, session, compute)
        self.queue.pictures = ItemPictures(session, layers.image)
        self._connect_parts()
        self._history = HistoryTab(form, session)
        session.on_change.append(self._on_change)
        session.on_run.append(self._on_run)
        self.save_status = SaveStatus(form, session)
        self._connections: list[tuple[Any, Callable[..., Any]]] = []
        self._fill_form()
        self._connect()
        self.mouse = Mouse(
            viewer, self.layers, self.tool_controller, self._explained, self._inspect
        )
        self.keys = Keys(viewer, self._actions(), {"Space": layers.bare})
        self.pick(None)
        self.camera.slice(session.shape[0] // 2)
        viewer.reset_view()
        self.queue.find_all()
        self.iteration_review.find()

    # What the user can do ----------------------------------------------------

    def pick(self, name: str | None) -> None:
        """Select a tool, or deselect it."""
        if self.cell_in_3d.back() and name == SOLID:
            name = None
        tool = BY_NAME[name] if name is not None else None
        if tool is not None and not self.form.tool_buttons[tool.name].isEnabled():
            tool = None
        self.tool_controller.choose(tool)
        for other, button in self.form.tool_buttons.items():
            button.setChecked(tool is not None and other == tool.name)
        self.form.take("" if tool is None else tool.name)
        idle = "" if self.session.read_only else NO_TOOL
        self.form.hint.setText(tool.hint if tool is not None else idle)
        contour = self.layers.contour
        if contour not in self.viewer.layers:
            return
        if tool is not None:
            # Before the mode: napari gives a layer that comes into view another one.
            contour.visible = True
            self.layers.activate()
        contour.selected_label = 1
        is_brush = tool is not None and tool.gesture == BRUSH
        contour.mode = _MODES[tool.name] if tool is not None and is_brush else "pan_zoom"
        if tool is not None and tool.gesture in DRAGGED:
            # A drag means the tool, not the camera.
            contour.mouse_pan = False

    def enter(self) -> None:
        """Take what is previewed, or accept the item in question."""
        with self._explained():
            if not self.tool_controller.take() and not self.neighbours.take():
                self._answer_item(True)

    def backspace(self) -> None:
        """Drop what is previewed, or reject the item in question."""
        with self._explained():
            if not self.tool_controller.back() and not self.neighbours.leave():
                self._answer_item(False)

    def escape(self) -> None:
        """Drop what was begun, or put the tool away."""
        if self.cell_in_3d.is_shown or (
            not self.tool_controller.drop() and not self.neighbours.drop()
        ):
            self.pick(None)

    def undo(self) -> None:
        """Take the last edit back, whatever tool made it."""
        # An edit of its own, and then the last one.
        self.layers.take_strokes()
        self._jump(self.session.history.position - 1)

    def redo(self) -> None:
        """Make again what was taken back."""
        self.layers.take_strokes()
        self._jump(self.session.history.position + 1)

    def export(self) -> None:
        """Ask for a file and write the list of edits."""
        with self._explained():
            if name := self._history.export():
                self.form.message.note(f"The list of edits was saved to {name}.")

    def close(self) -> None:
        """Save and let the session go; its layers go too, unless the window is going itself.

        Raises
        ------
        OutputError
            Something could not be saved.
        """
        # An edit has the queue and the offers look again: before they stop.
        self.layers.take_strokes()
        self.save_status.stop()
        self.keys.release()
        self.queue.stop()
        self.neighbours.stop()
        self.iteration_review.stop()
        self.cell_in_3d.stop()
        self.mouse.release()
        for signal, slot in self._connections:
            with contextlib.suppress(TypeError, RuntimeError):
                signal.disconnect(slot)
        try:
            self.session.close()
        finally:
            # Lists and layers outlive the controller for a while: they shall not keep the window.
            window, self._window = self._window, None
            self.layers.release()
            if window is not None and is_shown(window):
                self.tool_controller.drop()
                self.layers.remove(lambda: repaint(window))

    # The form ----------------------------------------------------------------

    def _fill_form(self) -> None:
        form, session = self.form, self.session
        form.title.setText(f"<b>{session.folder.name}</b>")
        form.title.setToolTip(str(session.folder))
        form.notice.setText(session.notice)
        form.notice.setVisible(session.read_only)
        form.tools.setEnabled(not session.read_only)
        form.take_run_button.setEnabled(not session.read_only)
        last = session.shape[0]
        for box, value in ((form.first, 1), (form.last, last)):
            box.setRange(1, last)
            box.setValue(value)
        form.ranged.setChecked(False)
        form.probability.setChecked(self.layers.probability.visible)
        form.probability.setVisible(self.layers.image is not None)
        self._fill_iterations()
        self.save_status.tell()

    def _fill_iterations(self) -> None:
        form, iterations = self.form, self.session.iterations
        form.tool_buttons[FREEZE].setEnabled(iterations is not None)
        if iterations is not None:
            form.iteration.setRange(0, len(iterations) - 1)

    def _connect(self) -> None:
        form = self.form
        for name, button in form.tool_buttons.items():
            self._on(button.clicked, lambda on, name=name: self.pick(name if on else None))
        self._on(form.undo_button.clicked, lambda _: self.undo())
        self._on(form.redo_button.clicked, lambda _: self.redo())
        self._on(form.export_button.clicked, lambda _: self.export())
        self._on(form.probability.toggled, lambda on: self.layers.show_probability(on))
        self._on(form.accept_button.clicked, lambda _: self._decide(True))
        self._on(form.reject_button.clicked, lambda _: self._decide(False))
        self._on(form.next_button.clicked, lambda _: self.queue.next())
        self._on(form.previous_button.clicked, lambda _: self.queue.previous())
        self._on(form.queue_view.clicked, lambda index: self.queue.go_to(index.row()))
        self._on(form.fold_button.clicked, lambda _: self.queue.unfold())
        self._on(form.kinds.currentIndexChanged, lambda _: self.queue.choose_kind())
        self._on(form.see_button.clicked, lambda _: self._see_iteration())
        bar = form.same_fix
        self._on(bar.look_button.clicked, lambda _: self.neighbours.look())
        self._on(bar.yes_button.clicked, lambda _: self._answer(self.neighbours.take))
        self._on(bar.no_button.clicked, lambda _: self._answer(self.neighbours.leave))
        self._on(bar.all_button.clicked, lambda _: self._answer(self.neighbours.take_all))
        self._on(bar.drop_button.clicked, lambda _: self.neighbours.drop())
        self._on(form.history_view.clicked, lambda index: self._jump(index.row()))

    def _connect_parts(self) -> None:
        layers, message = self.layers, self.form.message
        layers.painted.connect(self._stroke)
        layers.undo_asked.connect(self.undo)
        layers.redo_asked.connect(self.redo)
        self.neighbours.shown.connect(self.camera.place)
        self.neighbours.noted.connect(message.note)
        self.tool_controller.made.connect(self._on_edit)
        self.tool_controller.cell_asked.connect(self.cell_in_3d.show)
        self.tool_controller.previewing.connect(self.neighbours.give_way)
        self.tool_controller.noted.connect(message.note)
        self.tool_controller.picked.connect(self._show_pick)
        self.iteration_review.slice_asked.connect(self.camera.slice)
        self.iteration_review.edit_asked.connect(self._jump)
        self.iteration_review.failed.connect(message.error)
        self.queue.decided.connect(self._on_edit)
        self.queue.shown.connect(self._show_item)

    def _on(self, signal: Any, slot: Callable[..., Any]) -> None:
        signal.connect(slot)
        self._connections.append((signal, slot))

    def _actions(self) -> dict[str, Callable[[], Any]]:
        def picking(name: str) -> Callable[[], None]:
            return lambda: self.pick(name)

        looking: dict[str, Callable[[], Any]] = {
            "N": self.queue.next,
            "P": self.queue.previous,
            UNDO: self.undo,
            REDO: self.redo,
        }
        if self.session.read_only:
            return looking
        return {
            **{tool.key: picking(tool.name) for tool in TOOLS},
            **looking,
            "U": self.undo,
            "T": self.neighbours.look,
            "Enter": self.enter,
            "Backspace": self.backspace,
            "Escape": self.escape,
        }

    # Changes -----------------------------------------------------------------

    def _on_edit(self, edit: Edit) -> None:
        """Offer for other slices what was just made in one."""
        decided = any(isinstance(change, Judge) for change in edit.changes)
        self.neighbours.offer(edit, by_hand=not decided)

    def _decide(self, yes: bool) -> None:
        with self._explained():
            self._answer_item(yes)

    def _answer_item(self, yes: bool) -> None:
        """Answer the item in question; one that is out of sight is shown first."""
        item = self.queue.state.current
        if item is not None and not self.camera.shows(item):
            self._show_item(item)
            self.form.message.note("This is the item in question. Answer it now that you see it.")
            return
        self.queue.decide(yes)

    def _answer(self, say: Callable[[], Any]) -> None:
        with self._explained():
            say()

    def _show_pick(self, z: int, cell_id: int) -> None:
        if cell_id or self.layers.areas.is_tinted:
            self.layers.areas.pick(z, cell_id)
            self.layers.renew_areas()

    def _stroke(self, changes: Any, drawn: bool) -> None:
        with self._explained():
            self.tool_controller.stroke(changes, drawn)

    def _jump(self, position: int) -> None:
        history = self.session.history
        with self._explained():
            self.layers.take_strokes()
            self.tool_controller.drop()
            if position == history.position or not 0 <= position <= len(history):
                return
            with self.queue.following():
                touched = self.session.jump(position)
            self.camera.nearest({change.z for change in touched})

    def _on_change(self, touched: list[Touched]) -> None:
        self.neighbours.drop()
        self._history.renew()
        self.queue.changed({change.z for change in touched})
        self.iteration_review.changed()
        self.save_status.tell()

    def _on_run(self) -> None:
        """Another run is in use, which the other window has taken."""
        self._fill_iterations()
        self.iteration_review.take_run()
        self.queue.take_run()
        self.form.message.note(
            "The other window brought a new run into the session. Probability, iterations and "
            "queue are those of the new run."
        )

    def _inspect(self, place: tuple[int, tuple[float, float]]) -> None:
        """Show information about the contour that was clicked."""
        z, point = place
        contour = self.session.contour[z]
        y, x = snapped(contour, point, INSPECT_PX)
        if contour[y, x]:
            with self._explained():
                self.form.tabs.setCurrentIndex(0)
                self.queue.inspect(z, y, x)

    def _see_iteration(self) -> None:
        """Show the iteration that closed what is in question."""
        if self.queue.iteration is not None:
            self.iteration_review.show_iteration(self.queue.iteration)
            self.form.tabs.setCurrentWidget(self.form.iteration_tab)

    def _show_item(self, item: Any, fly: bool = True) -> None:
        if item is not None and fly:
            self.cell_in_3d.back()
            self.camera.item(item)
        else:
            self.camera.outline(item)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Show an error message, which disappears with the next action that succeeds."""
        try:
            self.form.message.clear()
            clear_at_cursor()
            yield
        except CopnetError as error:
            self.form.message.error(error)
            show_at_cursor(f"{error.message} {error.hint}".strip(), canvas_of(self.form.window()))
