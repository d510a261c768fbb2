"""Forms built from `params`: one row for each setting, and back to the dataclass."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, LineEdit, SpinBox
from magicgui.widgets.bases import ValueWidget
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLabel, QToolButton, QWidget

from napari_copnet.errors import CopnetError
from napari_copnet.gui.widgets.colours import set_tone
from napari_copnet.gui.widgets.controls import column_in
from napari_copnet.params import Setting, checked, field_type, settings

# Qt's spin boxes hold 32-bit numbers.
_LARGEST = 2**31 - 1


class ParamsForm:
    """A form for one class of parameters.

    Parameters
    ----------
    kind : type
        A dataclass of `params`.
    hidden : sequence of str
        Settings without a row; they keep their value.
    choices : mapping of str to sequence of str
        Turns a text setting into a list to choose from.
    first : sequence of str
        Settings above the others, in this order.
    rare : sequence of str
        Settings to fold away with the advanced ones.

    Attributes
    ----------
    widget : QWidget
        The form: a row for each setting, advanced ones folded away, and a line for what is wrong.
    rows : dict of str to magicgui widget
        By the name of the setting.
    changed : Signal
        Sent when the user or `set` changed something.
    """

    changed = Signal()

    def __init__(
        self,
        kind: type,
        *,
        hidden: Sequence[str] = (),
        choices: Mapping[str, Sequence[str]] | None = None,
        first: Sequence[str] = (),
        rare: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self._base = kind()
        self.rows: dict[str, ValueWidget] = {}
        self.widget = QWidget()
        self.widget.setObjectName(f"form_{kind.__name__}")
        column = column_in(self.widget, 2)
        plain, folded = _form_layout(), _form_layout()
        declared = settings(kind)
        for name in (*first, *(name for name in declared if name not in first)):
            setting = declared[name]
            if name in hidden:
                continue
            row = _row(kind, name, setting, getattr(self._base, name), (choices or {}).get(name))
            self.rows[name] = row
            layout = folded if setting.advanced or name in rare else plain
            layout.addRow(_label(setting), row.native)
            row.changed.connect(self._on_changed)
        column.addLayout(plain)
        self.advanced: Fold | None = None
        if folded.rowCount():
            self.advanced = Fold("Advanced", folded)
            column.addWidget(self.advanced)
        self._wrong = QLabel()
        self._wrong.setObjectName("wrong")
        self._wrong.setWordWrap(True)
        set_tone(self._wrong, "wrong")
        self._wrong.hide()
        column.addWidget(self._wrong)

    def get(self) -> Any:
        """Return the settings as an instance of the class.

        Raises
        ------
        CopnetError
            Names the setting whose value can't be, and what can.
        """
        values = {
            name: _value(self.kind, name, row, settings(self.kind)[name])
            for name, row in self.rows.items()
        }
        return checked(dataclasses.replace(self._base, **values))

    def set(self, params: Any) -> None:
        """Show the values of an instance of the class."""
        self._base = params
        for name, row in self.rows.items():
            with row.changed.blocked():
                _show(row, getattr(params, name), settings(self.kind)[name])
        self._on_changed()

    @property
    def problem(self) -> CopnetError | None:
        """What is wrong with the form as it stands, or None."""
        try:
            self.get()
        except CopnetError as error:
            return error
        return None

    def _on_changed(self) -> None:
        problem = self.problem
        self._wrong.setText(str(problem) if problem else "")
        self._wrong.setVisible(problem is not None)
        self.changed.emit()


class Fold(QWidget):
    """A row that unfolds what is rarely needed.

    Parameters
    ----------
    title : str
    content : QFormLayout or QWidget
    """

    def __init__(self, title: str, content: Any) -> None:
        super().__init__()
        column = column_in(self, 2)
        self.button = QToolButton()
        self.button.setText(title)
        self.button.setCheckable(True)
        self.button.setArrowType(Qt.ArrowType.RightArrow)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setStyleSheet("QToolButton { border: none; background: transparent; }")
        if isinstance(content, QWidget):
            self.body = content
        else:
            self.body = QWidget()
            self.body.setLayout(content)
        self.body.hide()
        self.button.toggled.connect(self._show)
        column.addWidget(self.button)
        column.addWidget(self.body)

    def unfold(self) -> None:
        """Show the content."""
        self.button.setChecked(True)

    def add(self, widget: QWidget) -> None:
        """Add a widget below the rows of a form."""
        rows = self.body.layout()
        assert isinstance(rows, QFormLayout)
        rows.addRow(widget)

    def _show(self, on: bool) -> None:
        self.button.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.body.setVisible(on)


def _form_layout() -> QFormLayout:
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setVerticalSpacing(3)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    return layout


def _label(setting: Setting) -> QLabel:
    label = QLabel(f"{setting.label} ({setting.unit})" if setting.unit else setting.label)
    label.setToolTip(tooltip(setting))
    return label


def tooltip(setting: Setting) -> str:
    """Return a setting's help with its range, for people."""
    low, high, unit = setting.minimum, setting.maximum, f" {setting.unit}" if setting.unit else ""
    if low is not None and high is not None:
        span = f"From {low:g} to {high:g}{unit}."
    elif low is not None:
        span = f"At least {low:g}{unit}."
    else:
        span = ""
    return f"{setting.help} {span}".strip()


def _row(
    kind: type, name: str, setting: Setting, default: Any, choices: Sequence[str] | None
) -> ValueWidget:
    plain = field_type(kind, name)
    tip = tooltip(setting)
    row: ValueWidget
    if plain is bool:
        row = CheckBox(name=name, text=" ", value=bool(default), tooltip=tip)
    elif setting.choices or choices:
        row = ComboBox(
            name=name, choices=list(setting.choices or choices or ()), value=default, tooltip=tip
        )
    elif plain is int and not _optional(kind, name):
        row = SpinBox(
            name=name,
            value=default,
            min=int(setting.minimum if setting.minimum is not None else -_LARGEST),
            max=int(setting.maximum if setting.maximum is not None else _LARGEST),
            tooltip=tip,
        )
    else:
        # Text, so that a number is kept as it was typed: 0.001 as well as 1e-06.
        row = LineEdit(name=name, value=_text(default, setting), tooltip=tip)
    _quieten(row)
    return row


def _quieten(row: ValueWidget) -> None:
    """Let the wheel scroll the dock rather than change a setting that happens to lie under it."""
    native = row.native
    native.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    native.wheelEvent = lambda event: event.ignore()


def _optional(kind: type, name: str) -> bool:
    return type(None) in typing.get_args(typing.get_type_hints(kind)[name])


def _text(value: Any, setting: Setting) -> str:
    if value is None:
        return setting.none
    return repr(value) if isinstance(value, float) else str(value)


def _show(row: ValueWidget, value: Any, setting: Setting) -> None:
    if isinstance(row, LineEdit):
        row.value = _text(value, setting)
        return
    if isinstance(row, ComboBox) and value not in row.choices:
        row.choices = [*row.choices, value]
    row.value = value


def _value(kind: type, name: str, row: ValueWidget, setting: Setting) -> Any:
    if not isinstance(row, LineEdit):
        return row.value
    text = str(row.value).strip()
    plain: Callable[[str], Any] = field_type(kind, name)
    if not text or (setting.none and text.lower() == setting.none):
        if _optional(kind, name):
            return None
        if plain is str:
            return ""
        raise CopnetError(f"{setting.label} is empty.", "Type a number.")
    try:
        return plain(text)
    except ValueError:
        sort = "a whole number, such as 3" if plain is int else "a number, such as 0.5"
        sort += f", or {setting.none}" if setting.none else ""
        raise CopnetError(f"{setting.label} can't be {text!r}.", f"Type {sort}.") from None
