"""Keys of the proofreading dock: bound to the window for as long as a session is open."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from app_model.types import KeyCode, KeyMod
from qtpy.QtCore import QEvent, Qt

from napari_copnet.gui.background.garbage import note_press

UNDO, REDO = "undo", "redo"
_CHORDS: dict[str, int] = {
    UNDO: KeyMod.CtrlCmd | KeyCode.KeyZ,
    REDO: KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.KeyZ,
}
_SPECIAL = {
    Qt.Key.Key_Return: "Enter",
    Qt.Key.Key_Enter: "Enter",
    Qt.Key.Key_Escape: "Escape",
    Qt.Key.Key_Backspace: "Backspace",
    Qt.Key.Key_Space: "Space",
}


class Keys:
    """Bind keys on a viewer and on whichever layer is active, and give back what was bound.

    napari asks the active layer first, and its class has letters of its own: so a binding on the
    viewer alone would not be heard. Only instances are bound, never classes.

    Parameters
    ----------
    viewer : napari.Viewer
    actions : mapping of str to callable
        By key: a letter, ``"Enter"``, ``"Escape"``, ``"Backspace"``, `UNDO` or `REDO`.
    held : mapping of str to callable, optional
        By key, such as ``"Space"``: told True when it is pressed and False when it is let go.
    """

    def __init__(
        self,
        viewer: Any,
        actions: Mapping[str, Callable[[], Any]],
        held: Mapping[str, Callable[[bool], Any]] | None = None,
    ) -> None:
        self.viewer = viewer
        self.actions = dict(actions)
        self.held = dict(held or {})
        self._viewer_before = self._bind(viewer)
        self._layer: Any = None
        self._layer_before: dict[str, Any] = {}
        viewer.layers.selection.events.active.connect(self._on_active)
        self._on_active()

    def release(self) -> None:
        """Give all keys back."""
        with contextlib.suppress(ValueError):
            self.viewer.layers.selection.events.active.disconnect(self._on_active)
        self._unbind(self.viewer, self._viewer_before)
        if self._layer is not None:
            self._unbind(self._layer, self._layer_before)
            self._layer = None

    def press(self, event: Any) -> bool:
        """Do what a Qt key event asks for; return whether it asks for anything."""
        hold = self.held.get(name_of(event))
        if hold is not None:
            if not event.isAutoRepeat():
                hold(event.type() == QEvent.Type.KeyPress)
            return True
        if event.type() != QEvent.Type.KeyPress:
            return False
        action = self.actions.get(name_of(event))
        if action is None:
            return False
        note_press()
        action()
        return True

    def _on_active(self) -> None:
        layer = self.viewer.layers.selection.active
        if layer is self._layer:
            return
        if self._layer is not None:
            self._unbind(self._layer, self._layer_before)
        self._layer = layer
        if layer is not None:
            self._layer_before = self._bind(layer)

    def _bind(self, provider: Any) -> dict[str, Any]:
        bound: dict[str, Callable[[Any], Any]] = {
            key: _ignoring(action) for key, action in self.actions.items()
        }
        bound.update({key: _holding(hold) for key, hold in self.held.items()})
        return {
            key: provider.bind_key(_chord(key), action, overwrite=True)
            for key, action in bound.items()
        }

    def _unbind(self, provider: Any, before: dict[str, Any]) -> None:
        for key, action in before.items():
            provider.bind_key(_chord(key), None)
            if action is not None:
                provider.bind_key(_chord(key), action, overwrite=True)


def name_of(event: Any) -> str:
    """Return the name, as in `Keys`, of a Qt key event; empty for keys that have none."""
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    key = Qt.Key(event.key())
    if key == Qt.Key.Key_Z and modifiers == Qt.KeyboardModifier.ControlModifier:
        return UNDO
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    if key == Qt.Key.Key_Z and modifiers == both:
        return REDO
    if modifiers != Qt.KeyboardModifier.NoModifier:
        return ""
    if Qt.Key.Key_A <= key <= Qt.Key.Key_Z:
        return chr(event.key())
    return _SPECIAL.get(key, "")


def _chord(key: str) -> Any:
    return _CHORDS.get(key, key)


def _holding(hold: Callable[[bool], Any]) -> Callable[[Any], Iterator[None]]:
    """Return what napari runs up to its yield at a press, and on when the key is let go."""

    def act(_: Any) -> Iterator[None]:
        hold(True)
        yield
        hold(False)

    return act


def _ignoring(action: Callable[[], Any]) -> Callable[[Any], None]:
    def act(_: Any) -> None:
        note_press()
        action()

    return act
