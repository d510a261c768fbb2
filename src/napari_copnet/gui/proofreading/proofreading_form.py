"""The widgets of the proofreading dock, without what they do."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_copnet.boundaries.gaps import CLOSURE, GAP, SPLIT, UNSETTLED
from napari_copnet.gui.proofreading.iteration_tab import IterationTab
from napari_copnet.gui.proofreading.mark_legend import MarkLegend
from napari_copnet.gui.proofreading.same_fix_bar import SameFixBar
from napari_copnet.gui.proofreading.tool_list import FREEZE, TOOLS
from napari_copnet.gui.widgets.controls import column_in, named, plain_button, row
from napari_copnet.gui.widgets.dock import Dock
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.gui.widgets.lazy_rows import RowsView
from napari_copnet.gui.widgets.run_controls import Bar, Message

KINDS = {
    "": "All kinds",
    CLOSURE: "Closed by the network",
    GAP: "Likely gaps",
    SPLIT: "Doubtful walls",
    UNSETTLED: "Did not converge",
}
# For items that do not ask about a wall; others are answered by how many cells there are.
ANSWERS = {UNSETTLED: ("Right", "Wrong")}
_COLUMNS = 3
# Room for three lines of a message, which is kept so that no button moves when one comes.
_MESSAGE_PX = 64
# A window that is lower has no room for tools and queue at once.
_LOW_PX = 900
# The most that Qt allows.
_ANY_PX = 16777215
_INVITATION = (
    "Correct the closed contours and cells of a run. A session is a folder with its results, "
    "every edit and every decision; it is saved as you work."
)


class ProofreadForm(Dock):
    """What the proofreading dock shows.

    Attributes
    ----------
    begin_button, folder_button, open_button, close_button, take_run_button : QPushButton
    tool_buttons : dict of str to QPushButton
        By name of the tool.
    tools_button : QPushButton
        Shows and hides them, in the dock that has all stages.
    ranged, first, last : QCheckBox, QSpinBox, QSpinBox
        Whether tools work on a range of slices, and which.
    probability : QCheckBox
        Whether the contour probability is shown.
    iteration_row, iteration : QWidget, QSpinBox
        To freeze at; shown with Freeze in hand.
    same_fix : SameFixBar
    kinds : QComboBox
    queue_view, history_view : RowsView
    headline, fold_button : QLabel, QPushButton
        What is worth doing; lists the items that hardly matter, too.
    accept_button, reject_button, next_button, previous_button : QPushButton
    undo_button, redo_button, export_button : QPushButton
    birth, see_button : QLabel, QPushButton
        When the wall in question was closed; to that iteration.
    iteration_tab : IterationTab
    message : Message
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_asking = self._has_tool = False
        # As the user chose; None while nothing was chosen.
        self._wants_tools: bool | None = None
        self.setObjectName("copnet_proofread")
        self.setMinimumWidth(340)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 8)
        column.setSpacing(6)
        column.addWidget(self._beginning())
        column.addWidget(self._desk(), 1)
        self.message = Message()
        self.message.setFixedHeight(_MESSAGE_PX)
        column.addWidget(_kept(self.message))
        self.progress_text = quiet_label()
        self.bar = Bar()
        for widget in (self.progress_text, self.bar):
            widget.hide()
            column.addWidget(_kept(widget))
        self.show_desk(False)

    def leave_foot(self) -> QWidget:
        """Give away what stays in sight while the rest scrolls: messages, progress and answers.

        It grows upwards, so a message moves no button.
        """
        foot = QWidget()
        column = column_in(foot, 4)
        column.setContentsMargins(8, 2, 8, 0)
        self.message.setMinimumHeight(0)
        self.message.setMaximumHeight(_ANY_PX)
        for widget in (self.message, self.progress_text, self.bar, self.answers):
            policy = widget.sizePolicy()
            policy.setRetainSizeWhenHidden(False)
            widget.setSizePolicy(policy)
            column.addWidget(widget)
        self.birth.setMinimumHeight(0)
        self.tools_button.show()
        self.tabs.currentChanged.connect(lambda _: self.show_desk(not self.table.isHidden()))
        self.show_desk(not self.table.isHidden())
        return foot

    def show_answers(self, kind: str) -> None:
        """Name the two answers to an item of a kind; empty for any wall."""
        yes, no = ANSWERS.get(kind, ("Two cells", "One cell"))
        self.accept_button.setText(f"{yes} ⏎")
        self.reject_button.setText(f"{no} ⌫")

    def ask(self, on: bool) -> None:
        """Know whether there is a question; in a low window tools give way to the queue then."""
        self._is_asking = on
        self._fit_tools()

    def take(self, tool: str) -> None:
        """Know which tool is in hand; empty for none."""
        self._has_tool = bool(tool)
        self.iteration_row.setVisible(tool == FREEZE)
        self._fit_tools()

    def _choose_tools(self, on: bool) -> None:
        self._wants_tools = on
        self._fit_tools()

    def _fit_tools(self) -> None:
        """Show the tools where there is room for them, they are in use, or the user wants them."""
        if self.tools_button.isHidden():
            return
        window = self.window()
        is_low = window is not None and window.height() < _LOW_PX
        on = not (is_low and self._is_asking) if self._wants_tools is None else self._wants_tools
        on = on or self._has_tool
        if self.tools.isHidden() == on:
            self.tools.setVisible(on)
        self.tools_button.setChecked(on)

    def resizeEvent(self, event: Any) -> None:
        """Fit the tools to a window that has become lower or higher."""
        super().resizeEvent(event)
        self._fit_tools()

    def show_desk(self, on: bool) -> None:
        """Show what is there for an open session, or how to begin one."""
        self.table.setVisible(on)
        self.beginning.setVisible(not on)
        self.answers.setVisible(on and self.tabs.currentIndex() == 0)

    def _beginning(self) -> QWidget:
        self.beginning = QWidget()
        column = column_in(self.beginning)
        invitation = quiet_label(_INVITATION)
        # In a low dock the text would be cut off.
        invitation.setMinimumHeight(56)
        column.addWidget(invitation)
        self.begin_button = plain_button(
            "Begin from this run", "begin", "Proofread the latest run."
        )
        self.folder_button = plain_button(
            "Begin from a run's folder …", "begin_folder", "Proofread the output of `copnet run`."
        )
        self.open_button = plain_button(
            "Open a session …", "open_session", "Continue where you left off."
        )
        for button in (self.begin_button, self.folder_button, self.open_button):
            column.addWidget(button)
        column.addStretch()
        return self.beginning

    def _desk(self) -> QWidget:
        self.table = QWidget()
        column = column_in(self.table, 6)
        self.title = QLabel()
        self.saved = QLabel()
        self.saved.setObjectName("saved")
        self.close_button = plain_button(
            "Close", "close_session", "Close the session. Every edit is saved already."
        )
        self.take_run_button = plain_button(
            "Use new run",
            "take_run",
            "Bring the latest run into this session. Your edits and decisions are kept.",
        )
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.saved)
        self.tools_button = plain_button("Tools", "show_tools", "Show the tools, or hide them.")
        self.tools_button.setCheckable(True)
        self.tools_button.setChecked(True)
        self.tools_button.clicked.connect(self._choose_tools)
        self.tools_button.hide()
        head.addWidget(self.tools_button)
        head.addWidget(self.take_run_button)
        head.addWidget(self.close_button)
        column.addLayout(head)
        self.notice = QLabel()
        self.notice.setObjectName("notice")
        self.notice.setWordWrap(True)
        self.notice.setStyleSheet("background: #5d4a20; color: white; padding: 6px;")
        column.addWidget(self.notice)
        column.addWidget(self._tools())
        self.same_fix = SameFixBar()
        column.addWidget(self.same_fix)
        self.tabs = QTabWidget()
        self.tabs.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        bar = self.tabs.tabBar()
        assert bar is not None  # Qt makes it with the tabs
        bar.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.tabs.addTab(self._queue(), "Review queue")
        self.tabs.addTab(self._history(), "History")
        self.iteration_tab = IterationTab()
        self.tabs.addTab(self.iteration_tab, "Iterations")
        column.addWidget(self.tabs, 1)
        return self.table

    def _tools(self) -> QWidget:
        self.tools = QFrame()
        column = column_in(self.tools, 4)
        grid = QGridLayout()
        grid.setSpacing(3)
        self.tool_buttons: dict[str, QPushButton] = {}
        for number, tool in enumerate(TOOLS):
            button = plain_button(f"{tool.label}  {tool.key}", f"tool_{tool.name}", tool.hint)
            button.setCheckable(True)
            self.tool_buttons[tool.name] = button
            grid.addWidget(button, number // _COLUMNS, number % _COLUMNS)
        column.addLayout(grid)
        self.hint = quiet_label()
        self.hint.setMinimumHeight(34)
        column.addWidget(self.hint)
        column.addWidget(MarkLegend())
        self.ranged = named(
            QCheckBox("Slices"), "ranged", "Off: this slice only. On: a range of slices."
        )
        self.ranged.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.first = named(QSpinBox(), "range_first", "First slice of the range.")
        self.last = named(QSpinBox(), "range_last", "Last slice of the range.")
        self.iteration = named(QSpinBox(), "freeze_iteration", "Iteration for Freeze; 0 is Step 1.")
        for box in (self.first, self.last, self.iteration):
            # By wheel and arrows; the keyboard stays with the canvas unless asked for.
            box.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        # In a line of its own: a dock of usual width has no room for both.
        self.iteration_row = row(QLabel("Freeze at iteration"), self.iteration, spare=True)
        self.probability = named(
            QCheckBox("Probability"), "show_probability", "Show the contour probability of Step 1."
        )
        self.probability.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        slices = (self.ranged, self.first, QLabel("to"), self.last)
        column.addWidget(row(*slices, spare=True))
        column.addWidget(self.iteration_row)
        return self.tools

    def _queue(self) -> QWidget:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(4, 4, 4, 4)
        self.kinds = named(QComboBox(), "kinds", "Which items to show.")
        self.kinds.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for kind, text in KINDS.items():
            self.kinds.addItem(text, kind)
        column.addWidget(row(self.kinds, self.probability))
        self.headline = QLabel()
        self.headline.setObjectName("headline")
        self.headline.setWordWrap(True)
        column.addWidget(self.headline)
        self.queue_view = RowsView("queue", stretched=2, height=44, hidden=(0, 1))
        column.addWidget(self.queue_view, 1)
        self.fold_button = plain_button(
            "", "unfold", "List more items: those on which fewer cells depend."
        )
        self.fold_button.hide()
        column.addWidget(self.fold_button)
        self.answers = QWidget()
        column.addWidget(self.answers)
        column = column_in(self.answers, 4)
        self.question = QLabel()
        self.question.setWordWrap(True)
        self.question.setMinimumHeight(34)
        column.addWidget(self.question)
        self.birth = quiet_label()
        self.birth.setObjectName("birth")
        self.birth.setMinimumHeight(34)
        self.see_button = plain_button(
            "Iteration", "see_iteration", "Show the contour as it was after that iteration."
        )
        self.birth_row = row(self.birth, self.see_button, wide=self.birth)
        column.addWidget(self.birth_row)
        self.previous_button = plain_button("◀  P", "previous_item", "Previous item (P).")
        self.next_button = plain_button("N  ▶", "next_item", "Next open item (N).")
        self.accept_button = plain_button("", "accept", "Accept the item (Enter).")
        self.reject_button = plain_button("", "reject", "Reject the item (Backspace).")
        self.show_answers("")
        buttons = QHBoxLayout()
        for button in (
            self.previous_button,
            self.accept_button,
            self.reject_button,
            self.next_button,
        ):
            buttons.addWidget(button)
        column.addLayout(buttons)
        self.pace = quiet_label()
        self.pace.setObjectName("pace")
        column.addWidget(self.pace)
        return box

    def _history(self) -> QWidget:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(4, 4, 4, 4)
        self.history_view = RowsView("history", stretched=1)
        column.addWidget(self.history_view, 1)
        self.undo_button = plain_button("Undo  U", "undo", "Undo the last edit (U, Ctrl+Z).")
        self.redo_button = plain_button("Redo", "redo", "Redo the last undone edit (Ctrl+Shift+Z).")
        self.export_button = plain_button(
            "Export …", "export_history", "Export the list of edits as CSV or JSON."
        )
        buttons = QHBoxLayout()
        for button in (self.undo_button, self.redo_button, self.export_button):
            buttons.addWidget(button)
        column.addLayout(buttons)
        return box


def _kept(widget: QWidget) -> QWidget:
    """Return a widget whose room is kept while it is hidden."""
    policy = widget.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    widget.setSizePolicy(policy)
    return widget
