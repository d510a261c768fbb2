"""Small pictures of the items of the review queue."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.colormaps.standardize_color import transform_color
from qtpy.QtGui import QImage, QPixmap

from napari_copnet.gui.proofreading.overlays import COLOURS
from napari_copnet.proofreading.queue import Item
from napari_copnet.proofreading.session import Session

# Across a picture, px of the image, and how many pictures are kept.
ACROSS, _KEPT = 72, 400


class ItemPictures:
    """Pictures of items: the image around the wall in question, which is drawn in.

    Parameters
    ----------
    session : Session
    image : napari.layers.Image or None
        Without one there are no pictures.
    """

    def __init__(self, session: Session, image: Any) -> None:
        self._session, self._image = session, image
        self._made: dict[str, QPixmap] = {}

    def of(self, item: Item) -> QPixmap | None:
        """Return the picture of an item; it is made when it is first asked for."""
        if self._image is None or not item.patch.count:
            return None
        if item.key not in self._made:
            if len(self._made) >= _KEPT:
                self._made.clear()
            self._made[item.key] = self._drawn(item)
        return self._made[item.key]

    def _drawn(self, item: Item) -> QPixmap:
        shape = self._session.shape[1:]
        box = tuple(
            slice(max(round(at) - ACROSS // 2, 0), min(round(at) + ACROSS // 2, length))
            for at, length in zip(item.centre, shape, strict=True)
        )
        low, high = self._image.contrast_limits
        grey = np.asarray(self._image.data[item.z])[box].astype(np.float32)
        grey = np.clip((np.nan_to_num(grey) - low) / max(high - low, 1e-9), 0, 1)
        picture = np.repeat((255 * grey).astype(np.uint8)[..., None], 3, axis=2)
        wall = np.zeros(shape, bool)
        wall[item.patch.box] = item.patch.mask
        picture[wall[box]] = 255 * transform_color(COLOURS["item"])[0, :3]
        height, width = picture.shape[:2]
        data = np.ascontiguousarray(picture)
        # Copied: Qt does not keep the array.
        made = QImage(data.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        return QPixmap.fromImage(made)
