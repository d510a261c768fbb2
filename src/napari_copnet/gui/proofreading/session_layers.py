"""The layers of a session, kept in step with it: strokes become edits, edits become pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import CyclicLabelColormap
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_copnet.gui.napari_compat.brush_cursor import hide_brush_box
from napari_copnet.gui.napari_compat.stroke_undo import replace_undo, restore_undo
from napari_copnet.gui.napari_compat.thumbnails import Thumbnails
from napari_copnet.gui.proofreading.open_session import Ready
from napari_copnet.gui.proofreading.overlays import Overlays
from napari_copnet.gui.proofreading.shown_areas import ShownAreas, area_colours
from napari_copnet.gui.viewer.layer_roles import INSIDE, bring_back, put_aside, role_of
from napari_copnet.gui.viewer.layer_source import slice_in_view
from napari_copnet.gui.viewer.palette import cell_colours
from napari_copnet.gui.viewer.placed_layers import CONTOUR_COLOUR, SHORT
from napari_copnet.gui.viewer.world import to_data
from napari_copnet.lazy_array import LazyArray
from napari_copnet.proofreading.session import Session, Touched

ROLE = "session"
BRUSH_PX = 4
# After so long without a question the areas layer is hidden.
REST_MS = 1500


class SessionLayers:
    """Image, contour probability, cells, marks and contour of a session in a viewer.

    All are read from the session slice by slice. Of the contour, on which napari paints, a slice
    that was painted on is a copy: what a stroke changed is found by comparing it with the session.

    Parameters
    ----------
    viewer : napari.Viewer
    ready : Ready
        The session.

    Attributes
    ----------
    contour, cells, probability, marks : napari layers
    image : napari.layers.Image or None
        None where the image was not found.
    over : Overlays
        Shown over it: previews, clicks, the item asked.
    painted : Signal
        After `listen`: the pixels a stroke flipped, shape (Y, X), by slice, and whether they were
        drawn or, for False, erased.
    undo_asked, redo_asked : Signal
        napari's keys for them were pressed on the contour.
    """

    painted = Signal(object, bool)
    undo_asked = Signal()
    redo_asked = Signal()

    def __init__(self, viewer: Any, ready: Ready) -> None:
        session = ready.session
        self.viewer, self.session = viewer, session
        self._is_listening = False
        self._beside: list[Any] = []
        self._marked = set(ready.marked)
        self._painted = ready.contour
        self._hidden: list[Any] = []
        self._aside: list[Any] = []
        self._opacities: list[tuple[Any, float]] = []
        self.arguments = _frame(session)
        self.image = None if ready.image is None else self._image(ready.image)
        self.probability = self._layer(
            Image,
            LazyArray(session.shape, np.float32, session.probability),
            "Session: contour probability",
            colormap="magma",
            blending="additive",
            opacity=0.8,
            contrast_limits=(0, 1),
            visible=self.image is None,
            # Without an image it is what cells are looked at on.
            inside=self.image is not None,
        )
        self.cells = self._layer(
            Labels,
            LazyArray(session.shape, np.uint32, session.cells),
            "Session: cells",
            colormap=cell_colours(),
            opacity=0.9,
        )
        # Outlines: what the image shows inside a cell decides whether it is one.
        self.cells.contour = 1
        self.areas = ShownAreas(session)
        self.marks = self._layer(
            Labels,
            LazyArray(session.shape, np.uint8, self.areas.plane),
            "Session: areas",
            colormap=area_colours(),
            opacity=0.8,
            # Each layer in view costs time at every step through the stack.
            visible=bool(self._marked),
            inside=True,
        )
        self.contour = self._layer(
            Labels,
            ready.contour,
            "Session: contour",
            colormap=CyclicLabelColormap(colors=["transparent", CONTOUR_COLOUR, CONTOUR_COLOUR]),
            # What the image shows under a wall decides whether it is one.
            opacity=0.4,
        )
        self.over = Overlays(viewer, self.arguments)
        self._thumbnails = Thumbnails()
        self._resting = QTimer()
        self._resting.setSingleShot(True)
        self._resting.setInterval(REST_MS)
        self._resting.timeout.connect(self._rest)

    def add(self) -> Iterator[None]:
        """Add the layers to the viewer, one at a time: napari takes a tenth of a second for each.

        Between them it may show the window.
        """
        for layer in list(self.viewer.layers):
            # What lies under the session would hide it.
            if layer.visible:
                layer.visible = False
                self._hidden.append(layer)
        # One image, one contour, one set of cells are in the list.
        self._aside = self._of_run()
        put_aside(self._aside)
        yield
        for layer in (*self._made, self.over.layer):
            self.viewer.add_layer(self._thumbnails.take(layer))
            if layer is not self.image:
                # The contour not before `listen`.
                layer.editable = False
            yield

    def listen(self) -> None:
        """Let the contour be painted on, and follow the session."""
        contour = self.contour
        self._is_listening = True
        hide_brush_box(self.viewer)
        contour.editable = not self.session.read_only
        contour.brush_size, contour.selected_label = BRUSH_PX, 1
        contour.n_edit_dimensions = 2
        replace_undo(contour, self.undo_asked.emit, self.redo_asked.emit)
        contour.events.paint.connect(self._on_paint)
        self.session.on_change.append(self.show)
        self.session.on_run.append(self.probability.refresh)
        self.activate()

    @property
    def all(self) -> list[Any]:
        """The layers that are there."""
        every = (*self._made, self.over.layer, *self._beside)
        return [layer for layer in every if layer in self.viewer.layers]

    @property
    def _made(self) -> list[Any]:
        made = (self.image, self.probability, self.cells, self.marks, self.contour)
        return [layer for layer in made if layer is not None]

    @property
    def z(self) -> int:
        """The slice in view."""
        return slice_in_view(self.viewer, self.contour)

    def place(self, position: Any) -> tuple[int, tuple[float, float]] | None:
        """Return slice and (y, x) of a position of the mouse; None outside the stack."""
        z, y, x = (float(v) for v in to_data(self.viewer, self.contour, position))
        depth, height, width = self.session.shape
        inside = -0.5 <= z < depth - 0.5 and -0.5 <= y < height - 0.5 and -0.5 <= x < width - 0.5
        return (round(z), (y, x)) if inside else None

    def add_beside(self, layer: Any) -> None:
        """Add another layer that goes when the session is closed."""
        self._beside.append(layer)
        self.viewer.add_layer(self._thumbnails.take(layer))

    def activate(self) -> None:
        """Make the contour the active layer, on which napari's brush works."""
        if self.contour in self.viewer.layers:
            self.viewer.layers.selection.active = self.contour

    def renew_areas(self, at_once: bool = True) -> None:
        """Show the cells that are in question now; not `at_once`, with the next slice."""
        layer = self.marks
        if layer not in self.viewer.layers:
            return
        if self._needs_areas and not layer.visible:
            layer.visible = True
        elif layer.visible and at_once:
            layer.refresh(thumbnail=False, highlight=False, extent=False)
        # To hide it and show it again with the next question takes longer than all the rest.
        self._resting.start()

    @property
    def _needs_areas(self) -> bool:
        return bool(self._marked) or self.areas.is_needed

    def _rest(self) -> None:
        """Hide the areas where there are none: each layer costs time at every step."""
        if self.marks in self.viewer.layers and not self._needs_areas:
            self.marks.visible = False

    def show_probability(self, on: bool) -> None:
        """Show the contour probability over the image, or not."""
        if self.probability in self.viewer.layers:
            self.probability.visible = on

    def bare(self, on: bool) -> None:
        """Show the image alone, or all again."""
        over = [layer for layer in self.all if layer is not self.image]
        if on and self.image is not None and not self._opacities:
            self._opacities = [(layer, layer.opacity) for layer in over]
            for layer in over:
                # Quicker than hiding: nothing is sliced again.
                layer.opacity = 0
        elif not on:
            for layer, opacity in self._opacities:
                layer.opacity = opacity
            self._opacities = []

    def show(self, touched: list[Touched]) -> None:
        """Show what has changed."""
        for z, box in touched:
            self._painted.renew(z, box)
        # Most slices have no marks, and drawing a layer anew takes a third of the time.
        slices = {change.z for change in touched}
        marked, first = bool(slices & self._marked) or self.areas.is_needed, not self._marked
        self._marked -= slices
        self._marked |= slices & self.session.marked_slices()
        marked = marked or bool(slices & self._marked)
        if first and self._marked:
            self.marks.visible = True
        if self._shows_a_slice and self.z not in slices:
            return
        for layer in (self.contour, self.cells, *((self.marks,) if marked else ())):
            if layer in self.viewer.layers:
                layer.refresh(thumbnail=False, highlight=False, extent=False)

    @property
    def _shows_a_slice(self) -> bool:
        """Whether one slice is in view, not a cut across them or the whole stack."""
        dims = self.viewer.dims
        return dims.ndisplay == 2 and dims.ndim - 3 not in dims.displayed

    def take_strokes(self) -> None:
        """Hand over what was painted, in whatever slices, since the last time."""
        if not self._is_listening or self.contour not in self.viewer.layers:
            return
        whole = (slice(None), slice(None))
        flipped: dict[bool, dict[int, np.ndarray]] = {True: {}, False: {}}
        touched = []
        for z in self._painted.painted:
            painted, known = self._painted.plane(z) > 0, self.session.contour[z] > 0
            for drawn, changes in flipped.items():
                change = (painted != known) & (painted == drawn)
                if change.any():
                    changes[z] = change
                    touched.append(Touched(z, whole))
            if not touched or touched[-1].z != z:
                self._painted.renew(z, whole)
        for drawn, changes in flipped.items():
            if changes:
                self.painted.emit(changes, drawn)
        if touched:
            # Refused, or another label than 1.
            self.show(touched)

    def release(self) -> None:
        """Follow the session no more."""
        self._thumbnails.stop()
        self._resting.stop()
        self.over.stop()
        if not self._is_listening:
            return
        self._is_listening = False
        if self.show in self.session.on_change:
            self.session.on_change.remove(self.show)
            self.session.on_run.remove(self.probability.refresh)
        self.contour.events.paint.disconnect(self._on_paint)
        restore_undo(self.contour)

    def remove(self, repaint: Callable[[], None]) -> None:
        """Take the layers away and show again what they hid; `repaint` draws the canvas at once."""
        bring_back(self._aside)
        with self.viewer.layers.batched_update():
            # napari collects garbage after each layer that goes, or after the batch: a third of a
            # second with PyTorch loaded.
            for layer in self.all:
                self.viewer.layers.remove(layer)
        # Where layers go and another one comes into view before the canvas was drawn without them,
        # napari 0.9 and vispy draw from buffers that are gone, and the process crashes.
        repaint()
        for layer in self._hidden:
            if layer in self.viewer.layers:
                layer.visible = True

    def _on_paint(self) -> None:
        # Fill and polygon tell of an edit before they make it.
        QTimer.singleShot(0, self.take_strokes)
        self.take_strokes()

    def _image(self, values: Any) -> Any:
        middle = np.asarray(values[len(values) // 2])
        low, high = (float(v) for v in np.nanpercentile(middle, (0.5, 99.5)))
        name = self.session.facts.name
        if not name or any(layer.name == name for layer in self.viewer.layers):
            # That of the run is still there, though out of the list.
            name = "Session: image"
        limits = (low, high if high > low else low + 1)
        return Image(values, name=name, contrast_limits=limits, **self.arguments)

    def _layer(self, kind: type, data: Any, name: str, inside: bool = False, **more: Any) -> Any:
        kept = {"role": ROLE, INSIDE: inside}
        return kind(data, name=name, metadata={"copnet": kept}, **self.arguments, **more)

    def _of_run(self) -> list[Any]:
        """Return the image and results of the run in the viewer, which those of the session are."""
        name = self.session.facts.name
        return [
            layer
            for layer in self.viewer.layers
            if layer not in self._made
            and (
                (role_of(layer) in SHORT and layer.name.startswith(f"{name}: "))
                or (self.image is not None and not role_of(layer) and self._is_image(layer, name))
            )
        ]

    def _is_image(self, layer: Any, name: str) -> bool:
        shape = self.session.shape
        return (
            isinstance(layer, Image)
            and layer.name == name
            and tuple(getattr(layer.data, "shape", ())) in (shape, shape[1:])
        )


def _frame(session: Session) -> dict[str, Any]:
    """Return the layer arguments of a session's physical frame.

    Along axes of unknown size it lies where the layer did that it was made from, else in pixels.
    """
    facts = session.facts
    placed = facts.image.get("placed") or {}
    # A single image has no z.
    scale, shift, units = (
        [first] * (3 - len(placed.get(key, ()))) + list(placed.get(key, ()))
        for key, first in (("scale", 1.0), ("translate", 0.0), ("units", "pixel"))
    )
    for axis, size in enumerate(facts.voxel_size):
        if size is not None:
            scale[axis], shift[axis], units[axis] = size, facts.translate[axis], "micrometer"
    return {
        "scale": tuple(scale),
        "translate": tuple(shift),
        "units": tuple(units),
        "axis_labels": tuple(facts.axes),
    }
