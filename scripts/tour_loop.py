"""The tour of learning slice by slice: an unknown stack, slices outlined by clicks, a better model.

Usage: python scripts/tour_loop.py [--data FOLDER] [--out FOLDER] [--base FOLDER] [--minutes N]

A few of the pictures are in the docs.

The stack is a crop of snemi3d at 12 nm. The default models have learnt from other slices of it, so
`--base` names a contour model that has not: ``contours-without-snemi3d`` of `make models`, or the
model shipped up to 25 November 2026 (commit 957ad0c). A simulated annotator who knows the truth
outlines each cell that is not right yet, click by click.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cc3d
import numpy as np
from qtpy.QtCore import QPoint
from qtpy.QtTest import QTest
from scipy import ndimage
from skimage.measure import approximate_polygon, find_contours
from tour_window import LEFT, PLAIN, Tour, clear_photos, options

from benchmarks.bench_teach_loop import snemi3d
from napari_copnet import Stack, VoxelSize, adopt_model, find_model, write_image
from napari_copnet.teaching import loop, loop_models

PREFIX = "loop"
SLICES, SIDE, ROUNDS = 24, 256, 3
# A cell is right where a drawn one overlaps it by this much, and so small ones are left alone, px.
RIGHT, SMALLEST = 0.8, 40


def walk(tour: Tour, folder: Path, data: Path, minutes: float) -> None:
    """Go from a stack that the model does not know to one that it was taught."""
    image, truth = (one[:SLICES, :SIDE, :SIDE] for one in snemi3d(data))
    stack = Stack(image, VoxelSize(0.03, 0.012, 0.012), name="cortex")
    workflow = tour.open_stack(write_image(folder / "cortex", stack.data, like=stack))
    tour.press_next("Run")
    tour.until(lambda: workflow.job is None, "the run ends", 900)
    tour.photo("the-verdict")
    dock = tour.annotate_run()

    section, project = dock.loop, dock.link.project
    tour.type_into(section.form.rows["minutes"].native, str(minutes))
    tour.press(section.switch)
    tour.until(lambda: section.next_button.isEnabled(), "a slice is proposed", 120)
    tour.show(section.plot)
    tour.photo("switched-on")
    for number in range(ROUNDS):
        outline_slice(tour, dock, truth, number)
    tour.until(lambda: not section.is_at_work, "it has learnt", 900)
    points = loop.curve(project)
    for one in points:
        print(
            f"slice {one.z + 1}: {one.labelled or 0:.3f} of the cells right before it was learnt, "
            f"correcting takes {one.effort or 0:.2f} of the clicks of drawing"
        )
    tour.show(section.plot)
    tour.photo("the-curve")
    tour.press(section.switch)
    tour.press(section.adopt_button)
    tour.until(lambda: workflow.job is not None, "the stack is run again", 60)
    tour.until(lambda: workflow.job is None, "the run ends", 900)
    assert find_model("default", "contours").sha256 == loop_models.newest_model(project).sha256
    tour.wait(2.0)
    tour.photo("run-again")
    tour.dock.shut_down()
    tour.viewer.close()


def outline_slice(tour: Tour, dock: Any, truth: np.ndarray, number: int) -> None:
    """Go to the slice that is proposed, outline what is wrong in it, and say that it is done."""
    section, project = dock.loop, dock.link.project
    begun = time.monotonic()
    tour.until(lambda: ready(section, number), "the next slice is drawn", 900)
    if number:
        print(f"waited {time.monotonic() - begun:.0f} s for the newest model's drawing")
    tour.press(section.next_button)
    z = dock.link.z
    tour.wait(1.0)
    tour.photo(f"slice-{number + 1}-as-it-comes")
    tour.press(dock.review.tools["outline"])
    layer = dock.link.controller.layers.contour
    clicks = cells = 0
    begun, before = time.monotonic(), project.session.history.position
    for polygon in wrong_cells(truth[z], project.session.contour[z]):
        places = [tuple(layer.data_to_world((z, *point))[-2:]) for point in polygon]
        position = project.session.history.position
        click_along(tour, places)
        if project.session.history.position == position:
            print(f"no outline at {polygon[0].round()}: {dock.link.dock.message.text}")
        cells, clicks = cells + 1, clicks + len(places)
        if cells == 5:
            tour.photo(f"slice-{number + 1}-being-outlined")
    drawn = project.session.history.position - before
    took = time.monotonic() - begun
    print(f"slice {z + 1}: {cells} cells outlined, {drawn} edits, {clicks} clicks, {took:.0f} s")
    assert drawn >= 0.9 * cells, "the outlines are edits"
    tour.press(dock.review.done_button)
    tour.until(lambda: dock.tasks.job is None, "it is checked", 60)
    print(Counter(one.kind for one in dock.review.findings))
    if dock.review.islands_button.isVisible():
        tour.show(dock.review.table)
        tour.photo(f"slice-{number + 1}-is-checked")
        tour.press(dock.review.islands_button)
        tour.until(lambda: dock.tasks.job is None, "it is checked again", 60)
        print("without tiny islands:", Counter(one.kind for one in dock.review.findings))
    if dock.review.findings:
        tour.press(dock.review.despite_button)
    tour.until(lambda: project.state(z) == "done", "it is done", 60)
    begun = time.monotonic()
    tour.until(lambda: section.run.is_running, "a round begins", 120)
    print(f"a round of training began {time.monotonic() - begun:.1f} s after the slice was done")
    tour.until(lambda: "Training" in section.status.text(), "it trains", 120)
    tour.show(section.plot)
    tour.photo(f"slice-{number + 1}-is-learnt")


def ready(section: Any, number: int) -> bool:
    """Whether a slice is waiting that the newest model has drawn, after the first round."""
    if section.is_at_work or not section.next_button.isEnabled():
        return False
    return not number or loop_models.newest_model(section._link.project) is not None


def wrong_cells(truth: np.ndarray, contour: np.ndarray) -> Iterator[np.ndarray]:
    """Yield polygons (y, x) around the true cells that are not drawn, each closed."""
    true = cc3d.connected_components(truth == 0, connectivity=4)
    mine = cc3d.connected_components(np.asarray(contour) == 0, connectivity=4)
    sizes, drawn = np.bincount(true.ravel()), np.bincount(mine.ravel())
    for cell, box in enumerate(ndimage.find_objects(true.astype(np.int32)), 1):
        if box is None or sizes[cell] < SMALLEST:
            continue
        inside = true == cell
        shared = np.bincount(mine[inside], minlength=len(drawn))
        shared[0] = 0
        best = int(shared.argmax())
        if shared[best] / (sizes[cell] + drawn[best] - shared[best]) >= RIGHT:
            continue
        wider = np.pad(ndimage.binary_dilation(inside), 1)
        around = max(find_contours(wider.astype(float), 0.5), key=len) - 1
        line = approximate_polygon(np.clip(around, 0, np.subtract(truth.shape, 1)), 1.0)
        yield np.concatenate([line[:1], spaced(line[1:-1], line[0]), line[:1]])


def spaced(points: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Leave out corners so near to the start that a click on them would close the outline."""
    return points[np.abs(points - start).max(axis=1) > 4]


def click_along(tour: Tour, places: list[tuple[float, float]]) -> None:
    """Click corner after corner, the first once more.

    The pointer stays where it is: on a busy machine its moves come late, while a button is down.
    """
    for place in places:
        at: QPoint = tour.on_canvas(place).toPoint()
        QTest.mouseClick(tour.canvas, LEFT, PLAIN, at)
        tour.wait(0.02)
    tour.wait(0.05)


def use_base(base: Path | None, folder: Path) -> None:
    """Let a contour model be the default one, among models of its own."""
    os.environ["NAPARI_COPNET_MODELS"] = str(folder / "models")
    if base is None:
        print("No --base: the default contour model knows other slices of this tissue.")
        return
    (folder / "models").mkdir()
    copied = shutil.copytree(base, folder / "models" / "base")
    adopt_model(find_model(str(copied), "contours"))


def main() -> None:
    """Teach slice by slice, by itself."""
    parser = options(__doc__)
    parser.add_argument("--base", type=Path, help="A contour model that does not know snemi3d.")
    parser.add_argument("--minutes", type=float, default=2.0, help="Of a round of training.")
    given = parser.parse_args()
    clear_photos(given.out, PREFIX)
    with tempfile.TemporaryDirectory() as name:
        use_base(given.base, Path(name))
        walk(Tour(given.out, PREFIX), Path(name), given.data, given.minutes)


if __name__ == "__main__":
    main()
