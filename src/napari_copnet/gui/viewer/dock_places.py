"""Docks of a window: which there are, and where they lie."""

from __future__ import annotations

import contextlib
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
        QTimer.singleShot(50, lambda: _raise(mine))


def bring_forward(widget: QWidget) -> None:
    """Show a docked widget, in front of those that share its place."""
    dock = dock_of(widget)
    if dock is not None:
        dock.show()
        dock.raise_()


def _raise(dock: QDockWidget) -> None:
    with contextlib.suppress(RuntimeError):  # closed meanwhile
        dock.raise_()


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

    def share() -> None:
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            centre = main.centralWidget()
            free = dock.width() + (centre.width() if centre is not None else 0)
            sizes = [free // 2, *widths[:1]]
            main.resizeDocks([dock, *others[:1]], sizes, Qt.Orientation.Horizontal)

    # Qt lays the docks out first, and only then takes widths for them; in a full window it takes
    # a part of the way the first time.
    for delay in (50, 250):
        QTimer.singleShot(delay, share)
    return dock


def undock(viewer: Any, widget: QWidget) -> None:
    """Take a widget out of the window again; what is docked beside it keeps its width."""
    with contextlib.suppress(LookupError, RuntimeError):
        viewer.window.remove_dock_widget(widget)
        shown = _shown_docks(viewer)
        if shown and isinstance(main := shown[0].window(), QMainWindow):
            widths = [d.width() for d in shown]

            def give_back() -> None:
                with contextlib.suppress(RuntimeError):  # closed meanwhile
                    main.resizeDocks(shown, widths, Qt.Orientation.Horizontal)

            QTimer.singleShot(50, give_back)


def _shown_docks(viewer: Any) -> list[QDockWidget]:
    """Return the docks that are in sight and not windows of their own."""
    found = {id(dock): dock for dock in map(dock_of, docked(viewer)) if dock is not None}
    docks = list(found.values())
    return [dock for dock in docks if dock.isVisible() and not dock.isFloating()]
