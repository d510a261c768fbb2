"""What is shown over the session without being part of it: previews, clicks, the item asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from napari_copnet.review.edits import Edit, Patch

PREVIEW_COLOUR, ITEM_COLOUR, CLICK_COLOUR = "#00e5ff", "#ff4081", "#ffffff"
PROPOSAL_COLOUR = "#ffd54f"
# Of larger patches only the border is drawn: each pixel is a point.
_SOLID_PX = 2000
# The outline of an item runs so many pixels from it, so as not to cover what is asked.
DISTANCE_PX = 4


class Marks:
    """Points layers, one square for each pixel marked.

    Parameters
    ----------
    viewer : napari.Viewer
    arguments : mapping
        Frame of the session, for its layers.
    """

    def __init__(self, viewer: Any, arguments: Mapping[str, Any]) -> None:
        self.viewer = viewer
        self._arguments = dict(arguments)
        self._layers: dict[str, Any] = {}

    def layer(self, role: str) -> Any:
        """Return the layer of a role (such as ``"preview"`` or ``"item"``), or None."""
        layer = self._layers.get(role)
        return layer if layer is not None and layer in self.viewer.layers else None

    def preview(self, edit: Edit | None) -> None:
        """Show the pixels that an edit would flip; None shows nothing."""
        places: list[np.ndarray] = []
        if edit is not None:
            places = [_pixels(flip.patch) for flip in edit.flips]
        self._show("preview", "Preview", _joined(places), PREVIEW_COLOUR, 1.0)

    def proposals(self, edits: Sequence[Edit]) -> None:
        """Show the pixels that edits proposed for other slices would flip; none shows nothing."""
        places = [_pixels(flip.patch) for edit in edits for flip in edit.flips]
        self._show("proposals", "Same fix, proposed", _joined(places), PROPOSAL_COLOUR, 1.0)

    def clicks(self, places: Sequence[tuple[int, tuple[float, float]]]) -> None:
        """Show where was clicked: slices and (y, x)."""
        points = np.array([(z, *point) for z, point in places], float).reshape(-1, 3)
        self._show("clicks", "Clicks", points, CLICK_COLOUR, 3.0, "cross")

    def item(self, patches: Sequence[Patch], shape: tuple[int, int, int]) -> None:
        """Outline an item of the review queue in each of its slices; no pixels, no outline."""
        places = [_outline(patch, shape) for patch in patches if patch.count]
        self._show("item", "Item in review", _joined(places), ITEM_COLOUR, 1.0)

    def stop(self) -> None:
        """Take the layers away."""
        for role in list(self._layers):
            layer = self.layer(role)
            if layer is not None:
                self.viewer.layers.remove(layer)
        self._layers.clear()

    def _show(
        self,
        role: str,
        name: str,
        points: np.ndarray,
        colour: str,
        size: float,
        symbol: str = "square",
    ) -> None:
        layer = self.layer(role)
        if layer is None:
            if not len(points):
                return
            active = self.viewer.layers.selection.active
            layer = self.viewer.add_points(
                points,
                name=name,
                size=size,
                symbol=symbol,
                face_color=colour,
                border_width=0,
                # For a slice without points napari draws one of no size, at the corner of the
                # image; by itself it makes all points two pixels wide at least.
                canvas_size_limits=(0, 10000),
                metadata={"copnet": {"role": role}},
                **self._arguments,
            )
            layer.editable = False
            self._layers[role] = layer
            self.viewer.layers.selection.active = active
            return
        if len(points) or len(layer.data):
            layer.data = points


def _pixels(patch: Patch) -> np.ndarray:
    """Return the pixels of a patch, shape (N, 3)."""
    mask = patch.mask
    if patch.count > _SOLID_PX:
        mask = mask & ~ndimage.binary_erosion(mask)
    at = np.argwhere(mask) + np.array([patch.top, patch.left])
    return np.column_stack([np.full(len(at), patch.z), at]).astype(float)


def _outline(patch: Patch, shape: tuple[int, int, int]) -> np.ndarray:
    margin = DISTANCE_PX + 1
    wide = np.pad(patch.mask, margin)
    far = ndimage.distance_transform_edt(~wide)
    ring = (far > DISTANCE_PX - 1) & (far <= DISTANCE_PX)
    at = np.argwhere(ring) + np.array([patch.top - margin, patch.left - margin])
    at = at[((at >= 0) & (at < shape[1:])).all(axis=1)]
    return np.column_stack([np.full(len(at), patch.z), at]).astype(float)


def _joined(places: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(places) if places else np.zeros((0, 3))
