"""The part of the tour that teaches: an unknown stack, three slices corrected, a better model.

Usage: python scripts/tour_teach.py [--out FOLDER]

The stack is synthetic tissue stained the other way round: its membranes are pale, and the default
models have learnt from dark ones. A simulated annotator corrects three slices: it draws with the
mouse, and paints the rest from the truth as a stroke of napari's brush would.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel
from tour_window import Tour, clear_photos, options

from benchmarks.bench_finetune import unseen_tissue
from napari_copnet import find_model, write_image

PREFIX = "teach"
SLICES, SIDE, EVERY = 13, 256, 6
MINUTES = 1.5
# As in `make bench NAME=finetune ARGS=--quick`: learning on smaller patches is faster.
PATCH, BATCH, STEPS = "128", "2", "10"


def unknown_stack(folder: Path) -> tuple[Path, np.ndarray]:
    """Write the stack and return its path and its true contours, shape (Z, Y, X), uint8."""
    stack, truth = unseen_tissue(SLICES, SIDE)
    stack = replace(stack, name="unknown")
    return write_image(folder / "unknown", stack.data, like=stack), truth


def click_row(tour: Tour, table: Any, row: int, column: int = 0) -> None:
    """Click a row of a table in a dock."""
    place = table.visualRect(table.model().index(row, column)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    tour.wait(0.4)


def walk(tour: Tour, folder: Path, minutes: float = MINUTES) -> None:
    """Go from an unknown stack to a better model adopted."""
    os.environ["NAPARI_COPNET_MODELS"] = str(folder / "models")
    tour.prefix, tour.number = PREFIX, 0
    stack, truth = unknown_stack(folder)
    workflow = tour.open_stack(stack)
    tour.type_into(workflow.sections["preprocess"].form.rows["size"].native, str(SIDE))
    tour.type_into(workflow.sections["closing"].form.rows["max_iterations"].native, "4")
    tour.press_next("Run")
    tour.until(lambda: workflow.job is None, "the run ends", 900)
    tour.photo("default-models-fail")

    dock = tour.annotate_run()
    choose(tour, dock)
    for number, z in enumerate(dock.link.project.chosen):
        annotate(tour, dock, z, truth[z], first=number == 0)
    assert dock.link.project.done == [0, EVERY, 2 * EVERY]
    tour.show(dock.slices.table)
    tour.photo("three-slices-done")
    train(tour, dock, minutes)
    compare(tour, dock, workflow)
    simulate(tour)
    tour.dock.shut_down()
    tour.viewer.close()


def choose(tour: Tour, dock: Any) -> None:
    """Have slices proposed, and go to the first."""
    form = dock.slices.form
    tour.type_into(form.rows["every"].native, str(EVERY))
    tour.press(dock.slices.choose_button)
    tour.until(lambda: dock.link.project.chosen != [], "slices are proposed", 60)
    tour.wait(0.5)
    click_row(tour, dock.slices.table, 0)
    assert dock.link.z == 0
    tour.photo("slices-to-annotate")


def annotate(tour: Tour, dock: Any, z: int, truth: np.ndarray, first: bool) -> None:
    """Correct a slice: a stroke by the mouse, the rest as strokes of the brush, then Done."""
    project = dock.link.project
    click_row(tour, dock.slices.table, project.chosen.index(z))
    layer = dock.link.controller.layers.contour
    tour.press(dock.review.tools["draw"])
    wall = longest_wall(truth, project.session.contour[z])
    places = [tuple(layer.data_to_world((z, *point))[-2:]) for point in wall]
    before = project.session.history.position
    tour.drag(places[0], places[1], steps=20)
    assert project.session.history.position == before + 1, "the stroke is an edit"
    if first:
        tour.photo("a-stroke")
        tour.press(dock.review.done_button)
        tour.until(lambda: dock.review.findings != [], "the checks find something", 30)
        assert project.state(z) == "in work"
        tour.show(dock.review.table)
        tour.photo("checked")
        click_row(tour, dock.review.table, 0, 1)
        tour.photo("a-finding")
    paint_all(dock, z, truth)
    tour.press(dock.review.done_button)
    tour.until(lambda: dock.tasks.job is None, "it is checked", 60)
    if dock.review.findings:
        tour.press(dock.review.despite_button)
    tour.until(lambda: project.state(z) == "done", "it is done", 60)
    tour.viewer.reset_view()


def paint_all(dock: Any, z: int, truth: np.ndarray) -> None:
    """Paint the slice as it truly is, as strokes do: on the layer, which hands them over."""
    layers = dock.link.controller.layers
    layers.contour.data[z] = truth
    layers.take_strokes()
    assert np.array_equal(dock.link.project.session.contour[z], truth)


def longest_wall(truth: np.ndarray, contour: np.ndarray) -> tuple[Any, Any]:
    """Return two ends (y, x) of a piece of true contour that is missing, as a straight line."""
    from scipy import ndimage

    missing = (truth > 0) & ~ndimage.binary_dilation(contour > 0, iterations=2)
    pieces, count = ndimage.label(missing)
    assert count, "nothing to correct"
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    points = np.argwhere(pieces == sizes.argmax())
    middle = points[np.abs(points - points.mean(axis=0)).sum(axis=1).argmin()]
    near = points[np.abs(points - middle).max(axis=1) <= 12]
    return tuple(near[0]), tuple(near[-1])


def train(tour: Tour, dock: Any, minutes: float) -> None:
    """Train, pause, go on, and wait for the new model."""
    section = dock.train
    tour.type_into(section.form.rows["minutes"].native, str(minutes))
    tour.press(section.form.advanced.button)
    for name, value in (("patch", PATCH), ("batch", BATCH), ("steps_per_epoch", STEPS)):
        tour.type_into(section.form.rows[name].native, value)
    tour.wait(0.5)
    tour.show(section.train_button)
    tour.photo("what-it-will-do")
    tour.press(section.train_button)
    epochs = section.loss_plot
    tour.until(lambda: len(values(epochs)) >= 2, "two epochs are trained", 600)
    tour.show(section.dice_plot)
    tour.photo("training")
    tour.press(section.pause_button)
    tour.until(lambda: not section.run.is_running, "it pauses", 60)
    assert "stopped after" in section.progress_text.text()
    tour.show(section.dice_plot)
    tour.photo("paused")
    told = len(values(epochs))
    tour.press(section.continue_button)
    tour.until(lambda: len(values(epochs)) > told, "it goes on", 300)
    tour.until(lambda: not section.run.is_running, "the model is trained", 60 * minutes + 600)
    assert dock.models.entries[-1].parent, dock.message.text


def values(plot: Any) -> dict[int, float]:
    """Return what the first series of a plot shows."""
    return dict(plot.series[0].values) if plot.series else {}


def compare(tour: Tour, dock: Any, workflow: Any) -> None:
    """Look at both models, and adopt the new one."""
    section = dock.compare
    tour.until(lambda: section.comparison is not None, "both are scored", 600)
    tour.show(section.adopt_button)
    tour.photo("before-and-after")
    print(section.comparison.text)
    assert section.comparison.is_better
    tour.press(section.side_button)
    tour.wait(1.0)
    tour.photo("old-and-new")
    tour.press(section.side_button)
    tour.wait(0.5)
    old = find_model("default", "contours").name
    tour.press(section.adopt_button)
    tour.wait(0.5)
    new = find_model("default", "contours").name
    assert new != old
    note = workflow.sections["contours"].model.findChildren(QLabel)
    assert any(f"{new}, which you adopted" in label.text() for label in note)
    tour.show(dock.models.zoo_button)
    tour.photo("adopted")


def simulate(tour: Tour) -> None:
    """Simulate gaps in the corrected contours, and fit them to those that were fixed."""
    tour.command("COp-Net gap simulation")
    panel = tour.docked("COp-Net gap simulation")
    tour.until(lambda: panel.simulated is not None, "gaps are simulated", 120)
    tour.until(lambda: panel.real is not None, "real gaps are counted", 60)
    before = panel.simulated
    slider = panel.sliders.rows["absorption_disks"]
    slider.setFocus()
    for _ in range(3):
        QTest.keyClick(slider._slider, Qt.Key.Key_PageUp)
    tour.until(lambda: panel.simulated is not before, "the slider shows", 30)
    tour.photo("simulated-gaps")
    tour.press(panel.fit_button)
    tour.until(lambda: panel.job is None, "it is fitted", 900)
    tour.wait(1.5)
    assert "Fitted" in panel.message.text, panel.message.text
    tour.press(panel.use_button)
    assert panel.chosen is not None
    tour.photo("fitted-gaps")


def main() -> None:
    """Teach, by itself."""
    parser = options(__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="How long to train.")
    given = parser.parse_args()
    clear_photos(given.out, PREFIX)
    with tempfile.TemporaryDirectory() as name:
        walk(Tour(given.out, PREFIX), Path(name), given.minutes)


if __name__ == "__main__":
    main()
