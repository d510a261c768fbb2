"""`copnet thresholds`: annotated slices at several thresholds are what runs at each would make."""

import numpy as np
import pytest

from napari_copnet.evaluation.threshold_scores import ThresholdTried, best_threshold
from napari_copnet.io.write import write_image


@pytest.fixture
def stack(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (5, 60, 80)).astype(np.uint8)
    return write_image(tmp_path / "in" / "stack.tif", image)


@pytest.fixture
def truth(tmp_path):
    """Four cells in slice 3, nothing elsewhere."""
    cells = np.zeros((5, 60, 80), np.uint16)
    cells[3] = 1 + np.arange(60)[:, None] // 30 + 2 * (np.arange(80) // 40)
    return write_image(tmp_path / "in" / "truth.tif", cells)


@pytest.fixture
def options(tiny_models):
    return (
        "--device", "cpu", "--max-iterations", 2, "--size", 64,
        "--contour-model", tiny_models["contours"], "--closing-model", tiny_models["closing"],
    )  # fmt: skip


def test_each_threshold_gives_the_scores_of_a_run_of_the_slice(
    answer, stack, truth, options, tmp_path
):
    found = answer("thresholds", stack, "--truth", truth, "--thresholds", "0.1,0.6,0.8", *options)
    assert found["slices"] == [3]
    assert [one["threshold"] for one in found["thresholds"]] == [0.6, 0.8]  # at 0.1 all is contour
    from napari_copnet.io.read import read_stack

    parts = {}
    for path in (stack, truth):
        plane = np.asarray(read_stack(path).data[3:4])
        parts[path.stem] = write_image(tmp_path / "one" / path.name, plane)
    for one in found["thresholds"]:
        out = tmp_path / str(one["threshold"])
        answer("run", parts["stack"], "--threshold", one["threshold"], "--out", out, *options)
        scored = answer("evaluate", "--pred", out / "closed.tif", "--truth", parts["truth"])
        for name in ("labelled", "merged", "split", "nsd"):
            assert one[name] == pytest.approx(scored[name]), name


def scores(**labelled):
    return [ThresholdTried(float(t[1:]) / 10, {"labelled": v}, 100) for t, v in labelled.items()]


def test_one_half_stays_unless_another_labels_clearly_more():
    # of a hundred cells half are labelled: the standard error is 5 points
    assert best_threshold(scores(t2=0.4, t5=0.5, t8=0.59)) == 0.5
    assert best_threshold(scores(t2=0.4, t5=0.5, t8=0.61)) == 0.8
    assert best_threshold(scores(t2=0.6, t8=0.6, t4=0.6)) == 0.4
    assert best_threshold(scores(t2=0.6, t8=0.7)) == 0.8


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (("--thresholds", "0.5,much"), "--thresholds takes numbers, not '0.5,much'."),
        (("--thresholds", "0,0.5"), "A threshold lies between 0 and 1."),
        (("--thresholds", ""), "A threshold lies between 0 and 1."),
        (("--thresholds", "0.1"), "Over 60% of the slices would be contour at each threshold."),
        (("--slices", "7"), "Slices 7 do not exist in a stack of 5 slices."),
    ],
)
def test_what_can_not_be_tried_is_said(copnet, stack, truth, options, wrong, text):
    done = copnet("thresholds", stack, "--truth", truth, *options, *wrong)
    assert done.exit_code == 1
    assert text in " ".join(done.output.split())


def test_a_truth_without_anything_is_refused(copnet, stack, options, tmp_path):
    nothing = write_image(tmp_path / "in" / "nothing.tif", np.zeros((5, 60, 80), np.uint8))
    done = copnet("thresholds", stack, "--truth", nothing, *options)
    assert done.exit_code == 1
    assert "There are no such slices" in " ".join(done.output.split())


def test_a_truth_of_another_shape_is_refused(copnet, stack, options, tmp_path):
    other = write_image(tmp_path / "in" / "other.tif", np.ones((5, 60, 60), np.uint8))
    done = copnet("thresholds", stack, "--truth", other, *options)
    assert done.exit_code == 1 and "shape" in done.output
