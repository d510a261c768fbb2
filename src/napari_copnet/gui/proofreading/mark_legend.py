"""What the hatching on the canvas means."""

from __future__ import annotations

import numpy as np
from napari.utils.colormaps.standardize_color import transform_color
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget

from napari_copnet.gui.proofreading.shown_areas import MARK_COLOURS, PALE, hatched
from napari_copnet.gui.widgets.dock_section import quiet_label

_HEIGHT, _WIDTH = 12, 18


class MarkLegend(QWidget):
    """One line: each hatching with the name of its mark."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("mark_legend")
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(3)
        for kind, name in enumerate(MARK_COLOURS):
            swatch = QLabel()
            swatch.setPixmap(_swatch(kind, MARK_COLOURS[name]))
            line.addWidget(swatch)
            label = quiet_label()
            label.setText(name.capitalize())
            label.setWordWrap(False)
            line.addWidget(label)
            line.addStretch()


def _swatch(kind: int, colour: str) -> QPixmap:
    """Return an area as it looks on black."""
    lines = hatched(kind, (_HEIGHT, _WIDTH))[..., None]
    picture = np.where(lines, 255, 255 * PALE) * transform_color(colour)[0, :3]
    data = np.ascontiguousarray(picture.astype(np.uint8)).tobytes()
    image = QImage(data, _WIDTH, _HEIGHT, 3 * _WIDTH, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image.copy())
