"""One cell, through all its slices, in 3D; and the way back to the slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.jobs import Job
from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.proofreading.session_layers import ROLE, SessionLayers
from napari_copnet.gui.viewer.camera import View
from napari_copnet.gui.viewer.world import units_per_world
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.edits import bounding_box
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.still import StillView

# A cell of more voxels is shown at every second pixel, and so on: software OpenGL has to draw it.
_MOST_VOXELS = 1 << 25
_ANGLES = (15.0, -40.0, 60.0)
_COLOUR = "#81c784"


class CellIn3D:
    """Shows a cell of a session in 3D, alone.

    Parameters
    ----------
    viewer : napari.Viewer
    session : Session
    layers : SessionLayers
    say : callable
        Tells the user an error.

    Attributes
    ----------
    layer : napari.layers.Labels or None
        Of the cell shown last.
    """

    def __init__(
        self,
        viewer: Any,
        session: Session,
        layers: SessionLayers,
        say: Callable[[CopnetError], None],
    ) -> None:
        self.viewer, self.session, self.layers = viewer, session, layers
        self.layer: Any = None
        self._say = say
        self._job: Job | None = None
        self._view: View | None = None
        self._hidden: list[Any] = []

    @property
    def is_shown(self) -> bool:
        """Whether a cell is being shown in 3D."""
        return self._view is not None

    def show(self, name: int) -> None:
        """Show the cell that a slice cell belongs to."""
        session = self.session
        self.stop()

        def take(found: tuple[np.ndarray, tuple[int, int, int], int]) -> None:
            if self.layers.contour in self.viewer.layers and not self.is_shown:
                self._show(name, *found)

        names = sorted(session.links.together(name))
        still = StillView(session, {z for one in names if (z := session.slice_of(one)) >= 0})
        # A job of its own: the queue may be looked for all the while.
        job = self._job = Job(lambda: volume_of(still, names), "copnet-solid")
        job.finished.connect(take)
        job.failed.connect(self._say)
        job.start()

    def stop(self) -> None:
        """Compute nothing any more."""
        if self._job is not None:
            self._job.give_up(wait=True)
            self._job = None

    def back(self) -> bool:
        """Go back to the slices; return whether a cell was shown."""
        view, self._view = self._view, None
        if view is None:
            return False
        self.layer.visible = False
        self.viewer.dims.ndisplay = 2
        for layer in self._hidden:
            if layer in self.viewer.layers:
                layer.visible = True
        self._hidden = []
        view.restore(self.viewer)
        self.layers.activate()
        return True

    def _show(self, name: int, volume: np.ndarray, origin: tuple[int, int, int], step: int) -> None:
        frame = dict(self.layers.arguments)
        scale = np.array(frame["scale"]) * (1, step, step)
        at = np.array(frame["translate"]) + np.array(frame["scale"]) * origin
        title = f"Cell {self.session.links.cell(name)} in 3D"
        self._view = View.of(self.viewer)
        self._hidden = [layer for layer in self.viewer.layers if layer.visible]
        for layer in self._hidden:
            layer.visible = False
        if self.layer is None or self.layer not in self.viewer.layers:
            placed = {**frame, "scale": scale, "translate": at}
            metadata = {"copnet": {"role": ROLE}}
            colours = CyclicLabelColormap(colors=["transparent", _COLOUR])
            self.layer = Labels(
                volume, name=title, colormap=colours, metadata=metadata, opacity=1.0, **placed
            )
            self.layers.add_beside(self.layer)
            self.layer.editable = False
        else:
            self.layer.data, self.layer.name = volume, title
            self.layer.scale, self.layer.translate = scale, at
            self.layer.visible = True
        self.viewer.dims.ndisplay = 3
        self.viewer.reset_view()
        # The view takes in all layers, and looks along z: at this cell, and from the side.
        camera, ends = camera_of(self.viewer), self.layer.extent.world[:, -3:]
        middle = ends.mean(axis=0) / units_per_world(self.viewer, self.layer)
        camera.center = tuple(float(v) for v in middle)
        camera.angles = _ANGLES


def volume_of(
    still: StillView, names: Sequence[int]
) -> Steps[tuple[np.ndarray, tuple[int, int, int], int]]:
    """Cut a cell out of all its slices.

    Parameters
    ----------
    still : StillView
        With the slices of the cell.
    names : sequence of int
        Ids of its slice cells.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    volume : ndarray, shape (Z, Y, X), uint8
        1 inside the cell.
    origin : tuple of int
        (z, y, x) of its first voxel.
    step : int
        In-plane pixels of the session for each of the volume.
    """
    slices = still.slices
    pieces: dict[int, tuple[int, int, np.ndarray]] = {}
    for done, z in enumerate(slices, start=1):
        mask = np.isin(still.ids(z), names)
        if mask.any():
            rows, columns = bounding_box(mask)
            pieces[z] = rows.start, columns.start, mask[rows, columns]
        yield Progress("cell", done, len(slices), "slices")
    top = min(piece[0] for piece in pieces.values())
    left = min(piece[1] for piece in pieces.values())
    height = max(y + mask.shape[0] for y, _, mask in pieces.values()) - top
    width = max(x + mask.shape[1] for _, x, mask in pieces.values()) - left
    first, last = min(pieces), max(pieces)
    step = 1
    while (last - first + 1) * height * width > _MOST_VOXELS * step**2:
        step += 1
    shape = (last - first + 1, -(-height // step), -(-width // step))
    volume = np.zeros(shape, np.uint8)
    for z, (y, x, mask) in pieces.items():
        plane = np.zeros((height, width), np.uint8)
        plane[y - top : y - top + mask.shape[0], x - left : x - left + mask.shape[1]] = mask
        volume[z - first] = plane[::step, ::step]
    return volume, (first, top, left), step
