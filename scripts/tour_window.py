"""What all parts of the tour share: a real window, the hand on it, its camera, and a stack."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from PIL import Image
from qtpy.QtCore import QPoint, QPointF, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QCheckBox,
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QWidget,
)

from napari_copnet import Stack, VoxelSize, make_tissue, params, read_stack, write_image
from napari_copnet.gui.commands import open_stage
from napari_copnet.gui.iterations.iterations_panel import IterationsPanel
from napari_copnet.gui.stages.first_tour import remember_use
from napari_copnet.gui.stages.main_dock import CopnetDock

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
        self.skip_first_use()
        self.viewer = napari.Viewer(title="napari-copnet tour", show=False)
        self.main = self.viewer.window.add_dock_widget(QWidget(), name="start").window()
        self.viewer.window.remove_dock_widget("all")
        self.viewer.show()
        # After showing: napari gives the window the size it had last time.
        self.main.setGeometry(0, 0, *WINDOW)
        self.main.activateWindow()
        self.wait(1.0)

    def skip_first_use(self) -> None:
        """Have no balloons: they would lie over the pictures."""
        remember_use()

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

    def show(self, widget: QWidget) -> None:
        """Scroll the dock until a widget is in sight."""
        parent = widget.parent()
        while parent is not None:
            if hasattr(parent, "ensureWidgetVisible"):
                parent.ensureWidgetVisible(widget)
            parent = parent.parent()
        self.wait(0.2)

    def press(self, widget: QWidget) -> None:
        """Scroll a widget into view and click it."""
        self.show(widget)
        assert widget.isEnabled(), f"{widget.objectName()} can't be pressed"
        # A check box takes clicks on its box and text only, and may be wider.
        box = isinstance(widget, QCheckBox)
        at = QPoint(10, widget.height() // 2) if box else widget.rect().center()
        QTest.mouseClick(widget, LEFT, PLAIN, at)

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

    @property
    def dock(self) -> CopnetDock:
        """The dock of the window."""
        return open_stage("", self.viewer)

    def docked(self, title: str) -> Any:
        """Return the panel that an entry of the menus leads to."""
        dock, teach = self.dock, self.dock.stages["teach"]
        iterations = [panel for panel in dock.parts if isinstance(panel, IterationsPanel)]
        return {
            "COp-Net workflow": dock.panels.workflow,
            "COp-Net iterations": iterations[0] if iterations else None,
            "COp-Net proofreading": dock.panels.proofreading,
            "COp-Net training": getattr(teach, "training", None),
            "COp-Net gap simulation": getattr(teach, "simulation", None),
        }[title]

    def press_next(self, text: str) -> None:
        """Press the green button once it says what it should."""
        self.until(lambda: self.dock.next_button.text() == text, f"the button says {text}")
        self.press(self.dock.next_button)

    def open_stack(self, path: Path) -> Any:
        """Open a stack by the green button, and return the workflow."""
        self.command("COp-Net workflow")
        workflow = self.docked("COp-Net workflow")
        self.answer_dialog(path)
        self.press_next("Open a stack")
        self.until(lambda: workflow.stack.layer is not None and workflow.job is None, "it opens")
        self.dock.unfold("segment")
        workflow.sections["preprocess"].form.advanced.unfold()
        return workflow

    def annotate_run(self) -> Any:
        """Begin to annotate the run that was made, and return the training panel."""
        self.command("COp-Net training")
        training = self.docked("COp-Net training")
        self.press(training.slices.begin_button)
        self.until(lambda: training.link.project is not None, "the project is there")
        proofread = self.docked("COp-Net proofreading")
        self.until(lambda: proofread.tasks.job is None, "the queue is there")
        return training

    def look_at(self, layer: Any, z: int, point: tuple[int, int], size: float) -> None:
        """Bring a pixel (y, x) of a slice into the middle, with `size` pixels around it."""
        at = layer.data_to_world((z, *point))
        self.viewer.dims.set_point(self.viewer.dims.ndim - 3, float(at[-3]))
        camera, room = camera_of(self.viewer), min(self.canvas.width(), self.canvas.height())
        camera.center = (0.0, float(at[-2]), float(at[-1]))
        camera.zoom = room / (size * float(abs(layer.scale[-1])))


def camera_of(viewer: Any) -> Any:
    """Return the camera of a viewer, which napari 0.9 moved to its scene."""
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def stack_file(data: Path, folder: Path) -> Path:
    """Write the stack of the tour, a few slices, and return its path."""
    source = data / "fib25" / "raw.tif"
    if source.exists():
        whole = read_stack(source)
        crop = np.stack([np.asarray(whole.data[z])[:SIDE, :SIDE] for z in range(40, 40 + SLICES)])
        stack = Stack(crop, VoxelSize(0.01, 0.01, 0.01), name="fib25")
    else:
        print("No fib25 here: synthetic tissue instead.")
        stack = make_tissue(params.TissueParams(slices=SLICES, size=256), seed=3).stack
    return write_image(folder / stack.name.replace(" ", "-"), stack.data, like=stack)


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


def options(description: str | None) -> argparse.ArgumentParser:
    """Return what the command line of each part takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    return parser


def clear_photos(out: Path, *prefixes: str) -> None:
    """Make the folder of the pictures, and take from it those of an earlier tour."""
    out.mkdir(parents=True, exist_ok=True)
    for prefix in prefixes:
        for old in out.glob(f"{prefix}-[0-9][0-9]-*.png"):
            old.unlink()
