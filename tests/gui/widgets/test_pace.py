"""The time left of a whole run, in words."""

from napari_copnet.gui.widgets.pace import RunPace, duration
from napari_copnet.progress import Progress


def test_the_share_of_a_run_grows_over_all_its_steps():
    pace, shares = RunPace(10), []
    for step, unit in (("sizes", "sizes"), ("preprocess", "slices"), ("contours", "slices")):
        for done in range(11):
            shares.append(pace.share(Progress(step, done, 10, unit)))
    for done in range(5):
        shares.append(pace.share(Progress("closing", done, 50, "iterations")))
    shares.append(pace.share(Progress("cells", 10, 10, "slices")))
    for done in range(11):
        shares.append(pace.share(Progress("verdict", done, 10, "slices")))
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    # Closing ends when it has converged, not after all that is allowed.
    assert shares[-13] > 0.9


def test_the_judging_of_a_run_is_one_of_its_steps():
    pace = RunPace(10)
    text = pace.text(Progress("verdict", 3, 10, "slices"), 0.0)
    assert text.startswith("Judging the result: slice 4 of 10")
    for step in ("preprocess", "contours", "closing", "cells"):
        pace.share(Progress(step, 10, 10, "slices"))
    assert 0.9 < pace.share(Progress("verdict", 3, 10, "slices")) < 1
    # Of a long stack no more slices are looked at.
    long = RunPace(1000)
    for step in ("preprocess", "contours", "closing"):
        long.share(Progress(step, 1000, 1000, "slices"))
    assert long.share(Progress("cells", 1000, 1000, "slices")) > 0.999


def test_the_time_left_is_that_of_the_whole_run():
    pace = RunPace(1000)
    assert pace.text(Progress("contours", 0, 1000, "slices"), 0.0).endswith("slice 1 of 1000")
    # Step 1 is 1 part of 6.1: one slice a second leaves about 6100 s less those done. The verdict
    # looks at a few slices only.
    text = pace.text(Progress("contours", 500, 1000, "slices"), 500.0)
    left = 500.0 * (6.1 - 0.5) / 0.5
    assert text == f"Predicting contours: slice 501 of 1000 · about {duration(left)} left"
    text = pace.text(Progress("closing", 1, 50, "iterations"), 2000.0)
    assert "iteration 2, usually 3 to 5 · about" in text and "50" not in text


def test_other_work_tells_its_own_time():
    pace = RunPace()
    pace.text(Progress("read", 0, 4, "files"), 0.0)
    assert pace.text(Progress("read", 2, 4, "files"), 10.0) == "Reading: file 3 of 4, 10 s left"
