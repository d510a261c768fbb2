"""A note under a finished run: how far its cells can be trusted, and the ways on as buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QLabel, QPushButton, QWidget

from napari_copnet.gui.commands import open_training
from napari_copnet.gui.widgets.controls import column_in, named, row
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.verdict.types import AMBER, GREEN, INVERT, RED, SIZES, TEACH, Verdict

# The sign says the same as the colour, for those who do not see it; ground and words, 7:1 or more.
_LOOKS = {
    GREEN: ("✔", "#1b5e20", "#ffffff"),
    AMBER: ("!", "#ffca28", "#1a1a1a"),
    RED: ("✕", "#8e0000", "#ffffff"),
}
_SHOWN = 2
_WAYS = {
    SIZES: ("Try sizes …", "Run the slice in view at smaller and larger sizes, side by side."),
    INVERT: ("Invert", "Exchange dark and light, and run again."),
    TEACH: ("Teach …", "Annotate some slices, and train the networks on them."),
}
# What the green button of the dock calls them.
_NEXT = {SIZES: "Try sizes …", INVERT: "Invert and run again", TEACH: "Teach the networks …"}


class VerdictNote(QFrame):
    """Shows the verdict on the run of the chosen image; hidden where there is none.

    Parameters
    ----------
    panel : WorkflowPanel
        Above whose buttons it stands.

    Attributes
    ----------
    verdict : Verdict or None
        What is shown.
    buttons : dict of str to QPushButton
        By way on.
    """

    def __init__(self, panel: Any) -> None:
        super().__init__()
        self.setObjectName("verdict_note")
        self._panel = panel
        self.verdict: Verdict | None = None
        self.head = QLabel()
        self.head.setObjectName("verdict_head")
        self.head.setWordWrap(True)
        self.head.setTextFormat(Qt.TextFormat.PlainText)
        self.why = quiet_label()
        self.why.setObjectName("verdict_reasons")
        self.more = named(QPushButton(), "verdict_more", "Show or hide the other reasons.")
        self.more.setFlat(True)
        self.more.clicked.connect(self._on_more)
        self._is_open = False
        self._is_at_work = True
        self.buttons = {
            way: named(QPushButton(text), f"verdict_{way}", tip)
            for way, (text, tip) in _WAYS.items()
        }
        for way, button in self.buttons.items():
            button.clicked.connect(lambda _=False, way=way: self.take(way))
        self._ways: QWidget = row(*self.buttons.values(), spare=True)
        column = column_in(self, 4)
        for widget in (self.head, self.why, self.more, self._ways):
            column.addWidget(widget)
        panel.run_controls.add(self)
        panel.ended.connect(self._on_ended)
        panel.stack.source_changed.connect(self.look)
        self.hide()

    def look(self) -> None:
        """Show the verdict on the chosen image's run."""
        source = self._panel.source
        result = None if source is None else source.result
        self.show_verdict(None if result is None else result.verdict)

    def show_verdict(self, verdict: Verdict | None) -> None:
        """Show a verdict, or nothing."""
        if verdict != self.verdict:
            self._is_open = False
        self.verdict = verdict
        self.setVisible(verdict is not None and self._is_at_work)
        if verdict is None:
            return
        sign, ground, words = _LOOKS[verdict.light]
        self.head.setText(f"{sign}  {verdict.says}")
        self.head.setStyleSheet(
            f"background: {ground}; color: {words}; font-weight: bold; padding: 4px;"
        )
        said = [reason.says for reason in verdict.reasons]
        shown = said if self._is_open else said[:_SHOWN]
        self.why.setText("\n".join(f"• {text}" for text in shown))
        self.why.setVisible(bool(shown))
        left = len(said) - _SHOWN
        self.more.setVisible(left > 0)
        self.more.setText("Fewer reasons" if self._is_open else f"{left} more …")
        for way, button in self.buttons.items():
            button.setVisible(way in verdict.ways)
        self._ways.setVisible(bool(verdict.ways))

    def set_at_work(self, on: bool) -> None:
        """Leave the room to others while the run is not what is worked on."""
        self._is_at_work = on
        self.setVisible(self.verdict is not None and on)

    def way_on(self) -> tuple[str, Callable[[], None]] | None:
        """Return what to do after a run that looks wrong, in words and as a deed; else None.

        The gravest reason's way first, then others that were not gone yet; in the end to teach.
        """
        source = self._panel.source
        if source is None or source.light != RED:
            return None
        ways = (*source.result.verdict.ways, SIZES)
        way = next((way for way in ways if way not in source.tried), TEACH)
        return _NEXT[way], lambda: self.take(way)

    def take(self, way: str) -> None:
        """Go a way on."""
        source = self._panel.source
        if source is not None:
            source.tried.add(way)
        {SIZES: self._panel.try_sizes, INVERT: self._invert, TEACH: open_training}[way]()

    def _on_more(self) -> None:
        self._is_open = not self._is_open
        self.show_verdict(self.verdict)

    def _on_ended(self, _source: Any, _state: str) -> None:
        self.look()

    def _invert(self) -> None:
        source = self._panel.source
        if source is None or source.result is None:
            return
        form = self._panel.sections["preprocess"].form
        form.rows["invert"].value = "no" if source.result.preprocessed.inverted else "yes"
        self._panel.run()
