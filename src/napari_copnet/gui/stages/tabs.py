"""Tabs whose panels are made when they are first looked at."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget


class LazyTabs(QTabWidget):
    """Tabs, each with a title and what makes its panel.

    Parameters
    ----------
    tabs : tuple of (str, callable)
    """

    def __init__(self, *tabs: tuple[str, Callable[[], QWidget]]) -> None:
        super().__init__()
        self.setDocumentMode(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        bar = self.tabBar()
        if bar is not None:
            bar.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            # A dock as narrow as its tabs is no gain: their words are whole.
            bar.setUsesScrollButtons(False)
        self._makers: dict[int, Callable[[], QWidget]] = {}
        for number, (title, make) in enumerate(tabs):
            page = QWidget()
            layout = QVBoxLayout(page)
            layout.setContentsMargins(0, 2, 0, 0)
            self._makers[number] = make
            self.addTab(page, title)
        self.currentChanged.connect(self._fill)
        self._fill(0)

    def _fill(self, number: int) -> None:
        make = self._makers.pop(number, None)
        page = self.widget(number)
        if make is None or page is None:
            return
        layout = page.layout()
        assert layout is not None
        layout.addWidget(make())
