"""The part of the tour that a newcomer takes: the sample, some corrections, measures and an export.

Usage: python scripts/tour_first_steps.py [--out FOLDER]

The window has the size of a laptop's screen, and is used with mouse and keys alone.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton
from tour_proofread import Reviewer, cut, neighbours
from tour_window import Tour, clear_photos, options

PREFIX = "first-steps"
LAPTOP = (1366, 768)
SLICE = 6


def take(tour: Tour, folder: Path) -> None:
    """Take the first steps, and close the window."""
    walk(tour, folder)
    tour.dock.shut_down()
    tour.viewer.close()


def walk(tour: Tour, folder: Path) -> None:
    """Go from an empty window to files for other programs."""
    # Corrections of the sample are kept among the user's data, as is that this is no first use.
    os.environ["NAPARI_COPNET_MODELS"] = str(folder / "data" / "models")
    tour.skip_first_use()
    tour.prefix, tour.number = PREFIX, 0
    tour.main.resize(*LAPTOP)
    tour.command("COp-Net workflow")
    dock = tour.dock
    tour.photo("welcome")
    began = time.monotonic()
    sample = dock.findChild(QPushButton, "welcome_sample")
    tour.press(sample)
    tour.until(lambda: dock.next_button.text() == "Correct the cells", "the sample is there", 60)
    print(f"the sample was there after {time.monotonic() - began:.1f} s")
    tour.photo("sample")

    tour.press_next("Correct the cells")
    proofreading = dock.panels.proofreading
    tour.until(lambda: proofreading.session is not None, "corrections may begin", 60)
    tour.until(lambda: proofreading.tasks.job is None, "likely errors are found", 120)
    reviewer = Reviewer(tour, proofreading)
    tour.until(lambda: dock.next_button.text().startswith("Review the"), "questions wait", 30)
    tour.photo("corrections")
    tour.press(dock.next_button)
    assert proofreading.question.text()
    tour.photo("question")
    reviewer.key(Qt.Key.Key_Return)
    tour.until(lambda: not proofreading.controller.queue.is_showing, "the next question is asked")
    part(reviewer)

    tour.press_next("Measure the cells")
    panel = dock.stages["measure"].panel
    tour.until(lambda: panel is not None and panel.made is not None, "the cells are measured")
    tour.press(panel.colour_button)
    tour.wait(1.0)
    tour.photo("measured")

    tour.press_next("Export …")
    export = dock.stages["export"].panel
    export = dock.stages["export"].panel
    tour.press(export.fold.button)
    rois = export.others["rois"]
    QTest.mouseClick(rois, Qt.MouseButton.LeftButton, pos=QPoint(8, rois.height() // 2))
    assert rois.isChecked()
    tour.answer_dialog(folder)
    tour.press_next("Export to a folder …")
    tour.until(lambda: export.written != "", "the ROIs are written", 120)
    tour.photo("exported")


def part(reviewer: Reviewer) -> None:
    """Click twice in one cell, and see where it is weakest."""
    session: Any = reviewer.session
    cell, _ = neighbours(session, SLICE)
    top, bottom = cut(session, SLICE, cell)
    height = bottom[0] - top[0]
    middle = (top[0] + height // 2, top[1])
    reviewer.look(SLICE, middle)
    reviewer.key(Qt.Key.Key_A)
    reviewer.click((top[0] + height // 5, top[1]))
    reviewer.click((bottom[0] - height // 5, bottom[1]))
    reviewer.tour.photo("part")
    reviewer.key(Qt.Key.Key_Escape)


def main() -> None:
    """Take the first steps, by themselves."""
    given = options(__doc__).parse_args()
    clear_photos(given.out, PREFIX)
    with tempfile.TemporaryDirectory() as name:
        take(Tour(given.out), Path(name))


if __name__ == "__main__":
    main()
