"""What is shown over the session without being part of it: previews, clicks, the item asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Points
from napari.utils.colormaps.standardize_color import transform_color
from scipy import ndimage

from napari_copnet.proofreading.edits import Edit, Patch

NAME = "Session: in question"
# Roles from the lowest to the uppermost, and their colours.
COLOURS = {"item": "#ff4081", "proposals": "#ffd54f", "preview": "#00e5ff", "clicks": "#ffffff"}
# Of larger patches only the border is drawn: each pixel is a point.
_SOLID_PX = 2000
# The outline of an item runs so many pixels from it, so as not to cover what is asked.
DISTANCE_PX = 4
# Across a dot on the wall in question: what the image shows there decides.
DOT_PX = 0.45
_CLICK_PX = 3.0


@dataclass(frozen=True)
class _Dots:
    """Points of one role: places, shape (N, 3), and what each is across, shape (N,), px."""

    places: np.ndarray
    sizes: np.ndarray


_NONE = _Dots(np.zeros((0, 3)), np.zeros(0))


class Overlays:
    """A points layer with a square for each pixel marked, and a cross for each click.

    It is one layer for all roles, there from the start: napari takes a fifth of a second for each
    new one, and for every slice of the stack each layer costs time.

    Parameters
    ----------
    viewer : napari.Viewer
    arguments : mapping
        Frame of the session, for the layer.

    Attributes
    ----------
    layer : napari.layers.Points
        To be added to the viewer; one that the user took out comes again when it is needed.
    """

    def __init__(self, viewer: Any, arguments: Mapping[str, Any]) -> None:
        self.viewer = viewer
        self._dots = dict.fromkeys(COLOURS, _NONE)
        self.layer = Points(
            ndim=3,
            name=NAME,
            border_width=0,
            # For a slice without points napari draws one of no size, at the corner of the
            # image; by itself it makes all points two pixels wide at least.
            canvas_size_limits=(0, 10000),
            metadata={"copnet": {"role": "in question"}},
            **arguments,
        )

    def points(self, role: str) -> np.ndarray:
        """Return the points that the layer shows of a role, such as ``"item"``: shape (N, 3)."""
        return np.asarray(self.layer.data)[self._range(role)]

    def sizes(self, role: str) -> np.ndarray:
        """Return what each point of a role is across, shape (N,), px."""
        return np.asarray(self.layer.size)[self._range(role)]

    def preview(self, edit: Edit | None) -> None:
        """Show the pixels that an edit would flip; None shows nothing."""
        flips = edit.flips if edit is not None else ()
        self._show("preview", _joined([_pixels(flip.patch) for flip in flips]), 1.0)

    def proposals(self, edits: Sequence[Edit]) -> None:
        """Show the pixels that edits proposed for other slices would flip; none shows nothing."""
        places = [_pixels(flip.patch) for edit in edits for flip in edit.flips]
        self._show("proposals", _joined(places), 1.0)

    def clicks(self, places: Sequence[tuple[int, tuple[float, float]]]) -> None:
        """Show where was clicked: slices and (y, x)."""
        points = np.array([(z, *point) for z, point in places], float).reshape(-1, 3)
        self._show("clicks", points, _CLICK_PX)

    def item(
        self, patches: Sequence[Patch], shape: tuple[int, int, int], at_once: bool = True
    ) -> None:
        """Outline an item of the review queue in each of its slices, and dot the wall in question.

        Without pixels there is no outline. Not `at_once`, it is drawn with the slice that comes
        into view next.
        """
        asked = [patch for patch in patches if patch.count]
        outlines = _joined([_outline(patch, shape) for patch in asked])
        walls = _joined([_pixels(patch) for patch in asked])
        sizes = np.repeat((1.0, DOT_PX), (len(outlines), len(walls)))
        self._show("item", np.concatenate([outlines, walls]), sizes, at_once)

    def _show(
        self, role: str, places: np.ndarray, size: float | np.ndarray, at_once: bool = True
    ) -> None:
        if len(places) or len(self._dots[role].places):
            self._dots[role] = _Dots(places, np.broadcast_to(size, len(places)))
            self._draw(at_once)

    def _draw(self, at_once: bool) -> None:
        layer = self.layer
        counts = [len(dots.places) for dots in self._dots.values()]
        # One redrawing for all that changes, not one for each.
        with layer.events.blocker_all():
            layer.data = np.concatenate([dots.places for dots in self._dots.values()])
            if sum(counts):
                layer.size = np.concatenate([dots.sizes for dots in self._dots.values()])
                colours = np.concatenate([transform_color(c) for c in COLOURS.values()])
                layer.face_color = np.repeat(colours, counts, axis=0)
                symbols = ["cross" if role == "clicks" else "square" for role in COLOURS]
                layer.symbol = np.repeat(symbols, counts)
                layer.border_width = 0
        if layer not in self.viewer.layers:
            if not sum(counts):
                return
            active = self.viewer.layers.selection.active
            self.viewer.add_layer(layer)
            self.viewer.layers.selection.active = active
        if layer.editable:
            layer.editable = False
        if at_once:
            layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _range(self, role: str) -> slice:
        counts = {name: len(dots.places) for name, dots in self._dots.items()}
        roles = list(COLOURS)
        start = sum(counts[before] for before in roles[: roles.index(role)])
        return slice(start, start + counts[role])


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
