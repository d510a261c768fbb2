"""Docks of a window: which there are, and where they lie."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


def docked(viewer: Any) -> list[Any]:
    """Return the widgets docked in a viewer's window, each followed by the panels it holds.

    There are none where the viewer has no window.
    """
    widgets = getattr(getattr(viewer, "window", None), "dock_widgets", {}).values()
    return [found for widget in widgets for found in (widget, *getattr(widget, "parts", ()))]


def dock_of(widget: Any) -> QDockWidget | None:
    """Return the dock around a widget of Qt or magicgui, or None."""
    parent = getattr(widget, "native", widget)
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


def give_room(widget: QWidget, other: QWidget | None) -> None:
    """Put a docked widget in one place with another, in front, where they share a side."""
    mine, theirs = dock_of(widget), dock_of(other)
    if mine is None or theirs is None or mine is theirs or mine.isFloating() or theirs.isFloating():
        return
    window = mine.parent()
    if (
        isinstance(window, QMainWindow)
        and window is theirs.parent()
        and window.dockWidgetArea(mine) == window.dockWidgetArea(theirs)
    ):
        window.tabifyDockWidget(theirs, mine)
        mine.raise_()
        # A dock that was never shown can't be raised before the window has laid it out.
        later(50, lambda dock: dock.raise_(), mine)


def bring_forward(widget: QWidget) -> None:
    """Show a docked widget, in front of those that share its place."""
    dock = dock_of(widget)
    if dock is not None:
        dock.show()
        dock.raise_()


def later(milliseconds: int, act: Callable[..., object], *widgets: QWidget) -> None:
    """Do something with widgets after a time, unless one of them was closed meanwhile.

    Until then they are not kept: a window that closes is not to wait for a timer.
    """
    kept = [weakref.ref(widget) for widget in widgets]

    def now() -> None:
        there = [ref() for ref in kept]
        if None not in there:
            with contextlib.suppress(RuntimeError):  # Qt has deleted it
                act(*there)

    QTimer.singleShot(milliseconds, now)


def dock_beside_canvas(viewer: Any, widget: QWidget, name: str) -> QDockWidget:
    """Dock a widget between the canvas and what is docked on the right, half as wide as both."""
    others = _shown_docks(viewer)
    dock = viewer.window.add_dock_widget(
        widget, name=name, area="right", add_vertical_stretch=False
    )
    main = dock.window()
    if not isinstance(main, QMainWindow):
        return dock
    right = Qt.DockWidgetArea.RightDockWidgetArea
    others = [other for other in others if main.dockWidgetArea(other) == right]
    widths = [other.width() for other in others]
    tabbed = {other: main.tabifiedDockWidgets(other) for other in others}
    above = None
    for other in others:
        if above is None:
            main.splitDockWidget(dock, other, Qt.Orientation.Horizontal)
        elif above in tabbed[other]:
            main.tabifyDockWidget(above, other)
        else:
            main.splitDockWidget(above, other, Qt.Orientation.Vertical)
        above = other

    def share(window: QMainWindow, new: QDockWidget, *beside: QDockWidget) -> None:
        centre = window.centralWidget()
        free = new.width() + (centre.width() if centre is not None else 0)
        window.resizeDocks([new, *beside], [free // 2, *widths[:1]], Qt.Orientation.Horizontal)

    # Qt lays the docks out first, and only then takes widths for them; in a full window it takes
    # a part of the way the first time.
    for delay in (50, 250):
        later(delay, share, main, dock, *others[:1])
    return dock


def undock(viewer: Any, widget: QWidget) -> None:
    """Take a widget out of the window again; what is docked beside it keeps its width."""
    with contextlib.suppress(LookupError, RuntimeError):
        viewer.window.remove_dock_widget(widget)
        shown = _shown_docks(viewer)
        if shown and isinstance(main := shown[0].window(), QMainWindow):
            widths = [d.width() for d in shown]

            def give_back(window: QMainWindow, *docks: QDockWidget) -> None:
                window.resizeDocks(list(docks), widths, Qt.Orientation.Horizontal)

            later(50, give_back, main, *shown)


def _shown_docks(viewer: Any) -> list[QDockWidget]:
    """Return the docks that are in sight and not windows of their own."""
    found = {id(dock): dock for dock in map(dock_of, docked(viewer)) if dock is not None}
    docks = list(found.values())
    return [dock for dock in docks if dock.isVisible() and not dock.isFloating()]
