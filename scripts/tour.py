"""A tour of the real window with mouse and keys: a screenshot of each step, each step checked.

Usage: python scripts/tour.py [--data FOLDER] [--out FOLDER]

The stack is a crop of fib25 from the data folder; synthetic tissue where that is absent.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import tour_first_steps
import tour_proofread
import tour_teach
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from tour_window import CONTROL, Tour, camera_of, clear_photos, options, stack_file, turn_wheel

from napari_copnet import read_stack


def main() -> None:
    """Walk through the window."""
    given = options(__doc__).parse_args()
    parts = (tour_first_steps, tour_proofread, tour_teach)
    clear_photos(given.out, "tour", *(part.PREFIX for part in parts))
    with tempfile.TemporaryDirectory() as folder:
        tour_first_steps.take(Tour(given.out), Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        walk(Tour(given.out), stack_file(given.data, Path(folder)), Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        tour_teach.walk(Tour(given.out, tour_teach.PREFIX), Path(folder))


def walk(tour: Tour, stack: Path, folder: Path) -> None:
    """Do what a user does, step by step, and check each."""
    viewer = tour.viewer
    panel = tour.open_stack(stack)
    image = panel.stack.layer
    tour.type_into(panel.sections["preprocess"].form.rows["size"].native, "256")
    tour.photo("opened")

    tour.press_next("Run")
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
    iterations = tour.docked("COp-Net iterations")
    tour.press_next("Run")
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
    tour.dock.shut_down()
    viewer.close()


if __name__ == "__main__":
    main()
