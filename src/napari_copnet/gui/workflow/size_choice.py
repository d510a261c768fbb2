"""Show a slice at several sizes side by side, and choose one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_copnet.gui.widgets.dock import scrolled
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.networks.nnunet import Network
from napari_copnet.params import Settings
from napari_copnet.progress import Steps
from napari_copnet.types import Stack

SIZES = (256, 384, 512, 768)
# Of the size that a run had, and the least, px.
AROUND, LEAST = (0.5, 0.75, 1.5, 2.0), 96
_HINT = (
    "Contours of the first network are white, and what closing adds is green; the cells are below. "
    "Choose the size at which contours follow membranes, not structures inside cells."
)
# Of the screen, for the picture.
_SHARE = 0.8


def sizes_for(shape: Sequence[int], now: int | None, ran: int = 0) -> list[int]:
    """Return the sizes worth a try for slices (Y, X): not much more than they have, and `now`.

    `now` is the size that is set, 0 for that of the slices, None where it is left to the run.
    Where a run was judged, `ran` is its size: then sizes below it and beyond it are tried, whatever
    the slices have.
    """
    longer = max(shape)
    if ran:
        around = {max(LEAST, 32 * round(ran * factor / 32)) for factor in AROUND}
        return sorted(around | {ran})
    sizes = {size for size in SIZES if size <= 2 * longer}
    return sorted(sizes if now is None and sizes else sizes | {now or longer})


@dataclass(frozen=True)
class SizeTrial:
    """A slice that is taken through all steps at several sizes.

    Attributes
    ----------
    stack, z, settings, load, repair, contours
        As for `sizes.try_sizes`.
    ran : int
        Size of the run that was judged, px; 0 where there is none.
    """

    stack: Stack
    z: int
    settings: Settings
    load: Callable[..., Network]
    repair: bool
    ran: int = 0
    contours: Stack | None = None

    @property
    def now(self) -> int | None:
        """The size that is set, px; None where it is left to the run."""
        size = self.settings.preprocess.size
        return max(self.stack.shape[1:]) if size == 0 else size

    @property
    def sizes(self) -> list[int]:
        """Sizes to be tried."""
        return sizes_for(self.stack.shape[1:], self.now, self.ran)

    def picture(self) -> Steps[bytes]:
        """Run the slice; return `sizes.picture` of it."""
        # With it comes matplotlib, which the window else does without.
        from napari_copnet.sizes import picture, try_sizes

        tried = yield from try_sizes(
            self.stack,
            self.z,
            self.sizes,
            self.settings,
            self.load,
            self.repair,
            self.contours,
        )
        return picture(np.asarray(self.stack.data[self.z]), tried)


class SizeChoice(QDialog):
    """Show a picture of `sizes.picture`, and take a size.

    Parameters
    ----------
    parent : QWidget
    picture : bytes
        A PNG.
    sizes : sequence of int
    now : int or None
        The size as it is set, if it is.
    take : callable
        Is told the size that is chosen.
    """

    def __init__(
        self,
        parent: QWidget,
        picture: bytes,
        sizes: Sequence[int],
        now: int | None,
        take: Callable[[int], None],
    ) -> None:
        super().__init__(parent)
        self.setObjectName("size_choice")
        self.setWindowTitle("The slice in view at several sizes")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        pixmap = QPixmap()
        pixmap.loadFromData(picture)
        screen = self.screen()
        room = screen.availableSize() * _SHARE if screen is not None else pixmap.size()
        if pixmap.width() > room.width() or pixmap.height() > room.height():
            pixmap = pixmap.scaled(
                room,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
        label = QLabel()
        label.setObjectName("sizes_picture")
        label.setPixmap(pixmap)
        row = QHBoxLayout()
        row.addStretch()
        self.buttons = {}
        for size in sizes:
            button = QPushButton(f"Keep {size} px" if size == now else f"Use {size} px")
            button.setObjectName(f"take_{size}")
            button.clicked.connect(lambda _=False, size=size: self._take(size))
            row.addWidget(button)
            self.buttons[size] = button
        column = QVBoxLayout(self)
        column.addWidget(scrolled(label, sideways=True), 1)
        column.addWidget(quiet_label(_HINT))
        column.addLayout(row)
        self.resize(pixmap.width() + 40, pixmap.height() + 110)
        self._told = take

    def _take(self, size: int) -> None:
        self._told(size)
        self.close()
