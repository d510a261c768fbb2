"""A tour of the real window with mouse and keys: a screenshot of each step, each step checked.

Usage: python scripts/tour.py [--data FOLDER] [--out FOLDER]

The stack is a crop of fib25 from the data folder; synthetic tissue where that is absent.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
import tour_proofread
import tour_teach
from PIL import Image
from qtpy.QtCore import QPoint, QPointF, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QWidget,
)

from napari_copnet.gui.iterations.iterations_panel import IterationsPanel
from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.workflow.workflow_panel import WorkflowPanel
from napari_copnet.io.read import read_stack
from napari_copnet.io.write import write_image
from napari_copnet.params import TissueParams
from napari_copnet.synthetic import make_tissue
from napari_copnet.types import Stack, VoxelSize

SLICES, SIDE = 6, 250
WINDOW = (1680, 1080)
LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


class Tour:
    """The window, the hand on it, and the camera."""

    def __init__(self, out: Path, prefix: str = "tour") -> None:
        self.out = out
        self.prefix = prefix
        self.number = 0
        self.dialogs = 0
        self.viewer = napari.Viewer(title="napari-copnet tour", show=False)
        self.main = self.viewer.window.add_dock_widget(QWidget(), name="start").window()
        self.viewer.window.remove_dock_widget("all")
        self.viewer.show()
        # After showing: napari gives the window the size it had last time.
        self.main.setGeometry(0, 0, *WINDOW)
        self.main.activateWindow()
        self.wait(1.0)

    # The hand ----------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let the window work for a time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.01)

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 200) -> None:
        """Let the window work until something holds."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                self.photo("stuck")
                raise SystemExit(f"The tour waited {seconds} s in vain: {what}.")
            QApplication.processEvents()
            time.sleep(0.01)

    def press(self, widget: QWidget) -> None:
        """Scroll a widget into view and click it."""
        parent = widget.parent()
        while parent is not None:
            if hasattr(parent, "ensureWidgetVisible"):
                parent.ensureWidgetVisible(widget)
            parent = parent.parent()
        self.wait(0.1)
        assert widget.isEnabled(), f"{widget.objectName()} can't be pressed"
        QTest.mouseClick(widget, LEFT)

    def type_into(self, widget: QWidget, text: str) -> None:
        """Replace what a field holds, with keys."""
        widget.setFocus()
        QTest.keyClick(widget, Qt.Key.Key_A, CONTROL)
        QTest.keyClicks(widget, text)
        QTest.keyClick(widget, Qt.Key.Key_Return)
        self.wait(0.2)

    def command(self, words: str) -> None:
        """Start a command from napari's palette."""
        # Without a window manager nobody gives the window its focus back after a dialog.
        self.main.activateWindow()
        self.wait(0.2)
        QTest.keyClick(self.main, Qt.Key.Key_P, CONTROL | SHIFT)
        self.wait(0.4)
        lines = self.main.findChildren(QLineEdit)
        line = next(w for w in lines if "Type to search" in w.placeholderText() and w.isVisible())
        QTest.keyClicks(line, words)
        self.wait(0.4)
        QTest.keyClick(line, Qt.Key.Key_Return)
        self.wait(0.8)

    def answer_dialog(self, path: Path) -> None:
        """Type a path into the file dialog that is about to open."""

        def answer() -> None:
            shown = [w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog)]
            dialog = next((w for w in shown if w.isVisible()), None)
            if dialog is None:
                if self.dialogs < wanted:
                    QTimer.singleShot(100, answer)
                return
            self.dialogs = wanted
            dialog.activateWindow()
            line = dialog.findChild(QLineEdit, "fileNameEdit")
            line.setFocus()
            line.selectAll()
            QTest.keyClicks(line, str(path))
            for view in dialog.findChildren(QAbstractItemView):
                # What is selected in the list, as / may be, counts for more than what is typed.
                view.clearSelection()
            line.setText(str(path))
            kinds = QDialogButtonBox.StandardButton
            box = dialog.findChild(QDialogButtonBox)
            buttons = [box.button(kind) for kind in (kinds.Open, kinds.Save)]
            # Once more, should the dialog not have been ready for it.
            QTimer.singleShot(2000, answer)
            QTest.mouseClick(next(b for b in buttons if b is not None), LEFT)

        wanted = self.dialogs + 1
        QTimer.singleShot(300, answer)

    @property
    def canvas(self) -> QWidget:
        """The widget that shows the image."""
        found = self.main.findChildren(QWidget)
        return next(w for w in found if type(w).__name__.startswith("CanvasBackend"))

    def on_canvas(self, world: tuple[float, float]) -> QPointF:
        """Return where a point (y, x) of the world is on the canvas."""
        camera, canvas = camera_of(self.viewer), self.canvas
        (y, x), zoom = world, camera.zoom
        return QPointF(
            canvas.width() / 2 + (x - camera.center[-1]) * zoom,
            canvas.height() / 2 + (y - camera.center[-2]) * zoom,
        )

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 12) -> None:
        """Draw with the mouse from one point of the world to another."""
        canvas = self.canvas
        points = [
            self.on_canvas(tuple(np.add(start, np.subtract(end, start) * t))).toPoint()
            for t in np.linspace(0, 1, steps)
        ]
        QTest.mouseMove(canvas, points[0])
        self.wait(0.1)
        QTest.mousePress(canvas, LEFT, PLAIN, points[0])
        for point in points:
            QTest.mouseMove(canvas, point)
            self.wait(0.03)
        QTest.mouseRelease(canvas, LEFT, PLAIN, points[-1])
        self.wait(0.4)

    # The camera --------------------------------------------------------------

    def photo(self, name: str) -> None:
        """Take a picture of the whole window."""
        self.wait(0.5)
        self.number += 1
        path = self.out / f"{self.prefix}-{self.number:02d}-{name}.png"
        picture = self.viewer.screenshot(canvas_only=False, flash=False)[..., :3]
        colours = np.unique(picture.reshape(-1, 3)[::7], axis=0)
        assert len(colours) > 20, f"{path.name} is blank"
        # 256 colours are a third of the size; the second pass keeps rare bright ones.
        few = Image.fromarray(picture).quantize(256, kmeans=4)
        few.save(path, optimize=True)
        print(path.name, flush=True)

    def docked(self, kind: type) -> QWidget:
        """Return the docked widget of a kind."""
        return next(w for w in self.viewer.window.dock_widgets.values() if isinstance(w, kind))


def stack_file(data: Path, folder: Path) -> Path:
    """Write the stack of the tour, a few slices, and return its path."""
    source = data / "fib25" / "raw.tif"
    if source.exists():
        whole = read_stack(source)
        crop = np.stack([np.asarray(whole.data[z])[:SIDE, :SIDE] for z in range(40, 40 + SLICES)])
        stack = Stack(crop, VoxelSize(0.01, 0.01, 0.01), name="fib25")
    else:
        print("No fib25 here: synthetic tissue instead.")
        stack = make_tissue(TissueParams(slices=SLICES, size=256), seed=3).stack
    return write_image(folder / stack.name.replace(" ", "-"), stack.data, like=stack)


def weakest_cut(labels: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return a short straight cut, (y, x) to (y, x), through the largest cell of a slice."""
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    cell = labels == sizes.argmax()
    columns = np.flatnonzero(cell.any(axis=0))
    inner = columns[len(columns) // 4 : -max(1, len(columns) // 4)]
    heights = []
    for x in inner:
        rows = np.flatnonzero(cell[:, x])
        heights.append(rows[-1] - rows[0])
    x = int(inner[int(np.argmin(heights))])
    rows = np.flatnonzero(cell[:, x])
    return (int(rows[0]) - 3, x), (int(rows[-1]) + 3, x)


def main() -> None:
    """Walk through the window."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for prefix in ("tour", tour_proofread.PREFIX, tour_teach.PREFIX):
        for old in given.out.glob(f"{prefix}-*.png"):
            old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        walk(Tour(given.out), stack_file(given.data, Path(folder)), Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        tour_teach.walk(Tour(given.out, tour_teach.PREFIX), Path(folder))


def walk(tour: Tour, stack: Path, folder: Path) -> None:
    """Do what a user does, step by step, and check each."""
    viewer = tour.viewer
    tour.command("COp-Net workflow")
    panel = tour.docked(WorkflowPanel)

    tour.answer_dialog(stack)
    tour.press(panel.stack.open_file)
    tour.until(lambda: panel.stack.layer is not None and panel.job is None, "the stack opens")
    image = panel.stack.layer
    tour.type_into(panel.sections["preprocess"].form.rows["size"].native, "256")
    tour.photo("opened")

    tour.press(panel.run_controls.run_button)
    tour.until(lambda: panel.source is not None and panel.source.changed != [], "an iteration ends")
    tour.photo("running")
    tour.press(panel.run_controls.cancel_button)
    asked = time.monotonic()
    tour.until(
        lambda: not panel.run_controls.cancel_button.isEnabled() or panel.job is None, "it stops"
    )
    tour.until(lambda: panel.job is None, "what is kept is shown")
    print(f"cancelled after {time.monotonic() - asked:.1f} s, with its cells shown")
    assert "Cancelled" in panel.run_controls.message.text
    assert panel.source.layers.layer("cells") is not None
    tour.photo("cancelled")

    tour.command("COp-Net iterations")
    iterations = tour.docked(IterationsPanel)
    tour.press(panel.run_controls.run_button)
    tour.until(lambda: panel.job is None, "the second run ends")
    layers = panel.source.layers
    assert panel.source.result is not None
    assert np.allclose(layers.layer("cells").scale, image.scale)
    last = len(layers.iterations) - 1
    tour.until(lambda: len(iterations.cells_plot.series[0].values) == last + 1, "cells are counted")
    tour.photo("finished")

    slider = iterations.slider
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_Home)
    tour.wait(0.3)
    assert viewer.dims.current_step[0] == 0
    tour.photo("scrub-step-1")
    for _ in range(last):
        QTest.keyClick(slider, Qt.Key.Key_Right)
        tour.wait(0.2)
    assert viewer.dims.current_step[0] == last
    tour.photo("scrub-last")

    tour.type_into(iterations.first, "0")
    tour.type_into(iterations.second, str(last))
    tour.press(iterations.side_button)
    tour.wait(0.5)
    centre = tour.canvas.rect().center()
    before = camera_of(viewer).zoom
    turn_wheel(tour.canvas, centre, 4)
    tour.wait(0.5)
    assert camera_of(viewer).zoom > before
    assert camera_of(iterations.second_canvas.model).zoom == camera_of(viewer).zoom
    tour.photo("side-by-side")
    tour.press(iterations.side_button)
    tour.wait(0.5)
    viewer.reset_view()

    buttons = {"difference": iterations.difference_button, "closed-when": iterations.births_button}
    for name, button in buttons.items():
        count = len(viewer.layers)
        tour.press(button)
        tour.until(lambda count=count: len(viewer.layers) > count, name)
        tour.photo(name)

    paint(tour, panel)

    layers.layer("cells").visible = True
    viewer.layers.selection.active = layers.layer("cells")
    saved = folder / "cells.tif"
    tour.answer_dialog(saved)
    QTest.keyClick(tour.main, Qt.Key.Key_S, CONTROL)
    tour.until(saved.exists, "labels are saved", 20)
    tour.photo("labels-saved")
    back = read_stack(saved)
    assert np.array_equal(np.asarray(back.data), layers.layer("cells").data)
    print("saved and read back:", back.shape, back.voxel_size)
    tour_proofread.walk(tour, folder)
    panel.shut_down()
    iterations.shut_down()
    viewer.close()


def paint(tour: Tour, panel: WorkflowPanel) -> None:
    """Paint a gap closed, see the cells follow, and take it back."""
    layers, viewer = panel.source.layers, tour.viewer
    for layer in viewer.layers:
        role = (layer.metadata.get("copnet") or {}).get("role")
        layer.visible = role in (None, "closed", "cells")
    contour, cells = layers.layer("closed"), layers.layer("cells")
    z = cells.data.shape[0] // 2
    viewer.dims.set_current_step(viewer.dims.ndim - 3, z)
    start, end = weakest_cut(cells.data[z])
    before = len(np.unique(cells.data[z]))
    middle = cells.data_to_world((z, *np.add(start, end) / 2))
    camera = camera_of(viewer)
    camera.center = (0, *middle[-2:])
    camera.zoom *= 2.5
    tour.press(panel.sections["cells"].edit_buttons["draw"])
    tour.wait(0.4)
    tour.photo("before-painting")
    places = [tuple(cells.data_to_world((z, *point)))[-2:] for point in (start, end)]
    tour.drag(places[0], places[1], steps=30)
    tour.until(lambda: len(np.unique(cells.data[z])) > before, "the cell is parted", 10)
    tour.photo("painted")
    tour.canvas.setFocus()
    QTest.keyClick(tour.canvas, Qt.Key.Key_Z, CONTROL)
    tour.until(lambda: len(np.unique(cells.data[z])) == before, "undo brings the cell back", 10)
    tour.photo("undone")
    tour.press(panel.sections["cells"].edit_buttons["done"])
    assert contour.mode == "pan_zoom"
    viewer.reset_view()


def turn_wheel(widget: QWidget, at: QPoint, notches: int) -> None:
    """Turn the mouse wheel over a widget."""
    from qtpy.QtGui import QWheelEvent

    for _ in range(notches):
        event = QWheelEvent(
            QPointF(at),
            QPointF(widget.mapToGlobal(at)),
            QPoint(0, 0),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            PLAIN,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(widget, event)


if __name__ == "__main__":
    main()
