"""What is shown over the session without being part of it: previews, clicks, the item asked."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Points
from napari.utils.colormaps.standardize_color import transform_color
from qtpy.QtCore import QTimer
from scipy import ndimage
from skimage.morphology import skeletonize

from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.viewer.layer_roles import INSIDE
from napari_copnet.gui.viewer.world import pixel_sizes
from napari_copnet.proofreading.edits import Edit, Patch

NAME = "Session: in question"
# Roles from the lowest to the uppermost, and their colours: bright on grey, and told apart by
# eyes that see no red or no green.
COLOURS = {"item": "#ff2d95", "proposals": "#ffffff", "preview": "#00e5ff", "clicks": "#ffffff"}
# Of larger patches only the border is drawn: each pixel is a point.
_SOLID_PX = 2000
# How wide a line is, in pixels of the screen, and dots of which it is made for each of its pixels.
LINE_PX, _DOTS = 3.0, 6
# A patch with so many pixels for each of its line is drawn as an area.
_AREA = 4.0
_CLICK_PX = 3.0
# Sizes follow the zoom when it rests.
_ZOOM_MS = 40


@dataclass(frozen=True)
class _Dots:
    """Points of one role: places, shape (N, 3), and what each is across, shape (N,).

    That is in pixels of the image, 0 for those of a line, which is as wide at any zoom.
    """

    places: np.ndarray
    sizes: np.ndarray


_NONE = _Dots(np.zeros((0, 3)), np.zeros(0))


class Overlays:
    """A points layer with lines, a square for each pixel of an area, and a cross for each click.

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
            metadata={"copnet": {"role": "in question", INSIDE: True}},
            **arguments,
        )
        self._camera = camera_of(viewer)
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_ZOOM_MS)
        self._timer.timeout.connect(self._fit)
        self._camera.events.zoom.connect(self._on_zoom)

    def stop(self) -> None:
        """Follow the camera no more."""
        self._timer.stop()
        with contextlib.suppress(ValueError):
            self._camera.events.zoom.disconnect(self._on_zoom)

    def points(self, role: str) -> np.ndarray:
        """Return the points that the layer shows of a role, such as ``"item"``: shape (N, 3)."""
        return np.asarray(self.layer.data)[self._range(role)]

    def sizes(self, role: str) -> np.ndarray:
        """Return what each point of a role is across, shape (N,), px."""
        return np.asarray(self.layer.size)[self._range(role)]

    def preview(self, edit: Edit | None) -> None:
        """Show the pixels that an edit would flip; None shows nothing."""
        flips = edit.flips if edit is not None else ()
        self._show("preview", _drawn([flip.patch for flip in flips]))

    def proposals(self, edits: Sequence[Edit]) -> None:
        """Show the pixels that edits proposed for other slices would flip; none shows nothing."""
        self._show("proposals", _drawn([flip.patch for edit in edits for flip in edit.flips]))

    def clicks(self, places: Sequence[tuple[int, tuple[float, float]]]) -> None:
        """Show where was clicked: slices and (y, x)."""
        points = np.array([(z, *point) for z, point in places], float).reshape(-1, 3)
        self._show("clicks", _Dots(points, np.full(len(points), _CLICK_PX)))

    def line(self, z: int, points: np.ndarray) -> None:
        """Show a line that is being drawn in a slice, through points (y, x), shape (N, 2)."""
        dots = np.zeros((0, 2))
        if len(points):
            steps = np.abs(np.diff(points, axis=0)).max(axis=1) if len(points) > 1 else []
            dots = np.concatenate(
                [
                    *(
                        first + (second - first) * np.linspace(0, 1, max(2, int(3 * step)))[:, None]
                        for first, second, step in zip(points, points[1:], steps, strict=False)
                    ),
                    points[-1:],
                ]
            )
        places = np.column_stack([np.full(len(dots), z), dots])
        self._show("preview", _Dots(places, np.zeros(len(places))))

    def of_screen(self, pixels: float) -> float:
        """Return how many pixels of the image so many of the screen are."""
        pixel = float(pixel_sizes(self.viewer, self.layer)[-1]) * float(self._camera.zoom)
        return pixels / max(pixel, 1e-9)

    def item(self, patches: Sequence[Patch], at_once: bool = True) -> None:
        """Draw the wall in question of an item of the review queue, in each of its slices.

        Not `at_once`, it is drawn with the slice that comes into view next.
        """
        lines = [_line(patch) for patch in patches if patch.count]
        places = _joined(lines)
        self._show("item", _Dots(places, np.zeros(len(places))), at_once)

    def _show(self, role: str, dots: _Dots, at_once: bool = True) -> None:
        if len(dots.places) or len(self._dots[role].places):
            self._dots[role] = dots
            self._draw(at_once)

    def _sizes(self) -> np.ndarray:
        """Return what each point is across now, shape (N,), px of the image."""
        sizes = np.concatenate([dots.sizes for dots in self._dots.values()])
        return np.where(sizes > 0, sizes, self.of_screen(LINE_PX))

    def _on_zoom(self) -> None:
        self._timer.start()

    def _fit(self) -> None:
        """Keep lines as wide on the screen."""
        if self.layer in self.viewer.layers and len(self.layer.data):
            self.layer.size = self._sizes()

    def _draw(self, at_once: bool) -> None:
        layer = self.layer
        counts = [len(dots.places) for dots in self._dots.values()]
        # One redrawing for all that changes, not one for each.
        with layer.events.blocker_all():
            layer.data = np.concatenate([dots.places for dots in self._dots.values()])
            if sum(counts):
                layer.size = self._sizes()
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


def _drawn(patches: Sequence[Patch]) -> _Dots:
    """Return thin patches as lines, and others as areas."""
    places, sizes = [], []
    for patch in patches:
        line = _line(patch)
        is_area = patch.count * _DOTS > _AREA * max(len(line), 1)
        places.append(_pixels(patch) if is_area else line)
        sizes.append(np.full(len(places[-1]), 1.0 if is_area else 0.0))
    return _Dots(_joined(places), np.concatenate(sizes) if sizes else np.zeros(0))


def _line(patch: Patch) -> np.ndarray:
    """Return dots along the middle of a patch, several for each of its pixels, shape (N, 3)."""
    thin = np.pad(skeletonize(patch.mask) if patch.count > 2 else patch.mask, 1)
    origin = np.array([patch.top - 1, patch.left - 1])
    dots = [np.argwhere(thin).astype(float)]
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
        other = np.roll(thin, (-step[0], -step[1]), axis=(0, 1))
        linked = thin & other
        if all(step):
            # Not across a corner that is filled.
            linked &= ~(np.roll(thin, -step[0], axis=0) | np.roll(thin, -step[1], axis=1))
        ends = np.argwhere(linked)
        dots += [ends + np.array(step) * n / _DOTS for n in range(1, _DOTS)]
    at = np.concatenate(dots) + origin
    return np.column_stack([np.full(len(at), patch.z), at]).astype(float)


def _joined(places: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(places) if places else np.zeros((0, 3))
