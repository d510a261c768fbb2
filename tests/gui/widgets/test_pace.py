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
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    # Closing ends when it has converged, not after all that is allowed.
    assert shares[-2] > 0.9


def test_the_time_left_is_that_of_the_whole_run():
    pace = RunPace(1000)
    assert pace.text(Progress("contours", 0, 1000, "slices"), 0.0).endswith("slice 1 of 1000")
    # Step 1 is 1 part of 6.1: one slice a second leaves about 6100 s less those done.
    text = pace.text(Progress("contours", 500, 1000, "slices"), 500.0)
    left = 500.0 * (6.1 - 0.5) / 0.5
    assert text == f"Predicting contours: slice 501 of 1000 · about {duration(left)} left"
    text = pace.text(Progress("closing", 1, 50, "iterations"), 2000.0)
    assert "iteration 2, usually 3 to 5 · about" in text and "50" not in text


def test_other_work_tells_its_own_time():
    pace = RunPace()
    pace.text(Progress("read", 0, 4, "files"), 0.0)
    assert pace.text(Progress("read", 2, 4, "files"), 10.0) == "Reading: file 3 of 4, 10 s left"
