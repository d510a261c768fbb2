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
    # at 0.1 all is contour; 0.5 is always compared
    assert [one["threshold"] for one in found["thresholds"]] == [0.5, 0.6, 0.8]
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


def test_a_cell_more_of_hundreds_that_are_all_wrong_is_nothing():
    """As measured on two slices of synthetic cortex."""
    tried = [
        ThresholdTried(0.35, {"labelled": 0.015}, 330),
        ThresholdTried(0.5, {"labelled": 0.003}, 330),
    ]
    assert best_threshold(tried) == 0.5


@pytest.mark.parametrize(("cells", "best"), [(1, 0.5), (9, 0.5), (30, 0.2)])
def test_few_cells_choose_nothing_even_where_one_half_labels_none(cells, best):
    tried = [
        ThresholdTried(0.2, {"labelled": 1 / 3}, cells),
        ThresholdTried(0.5, {"labelled": 0.0}, cells),
    ]
    assert best_threshold(tried) == best


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (("--thresholds", "0.5,much"), "--thresholds takes numbers, not '0.5,much'."),
        (("--thresholds", "0,0.5"), "Contour above can't be 0.0. The smallest is 0.01."),
        (("--thresholds", ""), "There is no threshold to try."),
        (("--threshold", "0.4"), "--threshold is of a run: here several are compared."),
        (("--slices", "7"), "Slices 7 do not exist in a stack of 5 slices."),
    ],
)
def test_what_can_not_be_tried_is_said(copnet, stack, truth, options, wrong, text):
    done = copnet("thresholds", stack, "--truth", truth, *options, *wrong)
    assert done.exit_code == 1
    assert text in " ".join(done.output.split())


def test_where_nothing_is_labelled_no_threshold_is_called_good(copnet, options, tmp_path):
    """Three large cells, and contours of noise."""
    image = np.random.default_rng(1).integers(0, 255, (1, 60, 80)).astype(np.uint8)
    cells = np.zeros((1, 60, 80), np.uint16)
    cells[0, :30], cells[0, 30:, :40], cells[0, 30:, 40:] = 1, 2, 3
    stack = write_image(tmp_path / "in" / "noise.tif", image)
    truth = write_image(tmp_path / "in" / "halves.tif", cells)
    done = copnet("thresholds", stack, "--truth", truth, *options)
    text = " ".join(done.output.split())
    assert "labelled 0.0 %" in text and "No threshold labels more than 0.0 % of the cells" in text


def test_a_truth_without_anything_is_refused(copnet, stack, options, tmp_path):
    nothing = write_image(tmp_path / "in" / "nothing.tif", np.zeros((5, 60, 80), np.uint8))
    done = copnet("thresholds", stack, "--truth", nothing, *options)
    assert done.exit_code == 1
    assert "There are no such slices" in " ".join(done.output.split())


def test_a_truth_of_another_shape_is_refused(copnet, stack, options, tmp_path):
    other = write_image(tmp_path / "in" / "other.tif", np.ones((5, 60, 60), np.uint8))
    done = copnet("thresholds", stack, "--truth", other, *options)
    assert done.exit_code == 1 and "shape" in done.output


def test_a_label_of_one_cell_in_the_slice_is_still_a_label(
    answer, copnet, stack, options, tmp_path
):
    """Of its slice alone a label 1 would be taken for a mask of contour."""
    cells = np.zeros((5, 60, 80), np.uint16)
    cells[1, 10:50, 10:60] = 1
    cells[4] = 1 + np.arange(60)[:, None] // 30 + 2 * (np.arange(80) // 40)
    truth = write_image(tmp_path / "in" / "sparse.tif", cells)
    arguments = ("--truth", truth, "--slices", "1,4", "--thresholds", "0.7,0.5,0.7", *options)
    found = answer("thresholds", stack, *arguments)
    assert [one["threshold"] for one in found["thresholds"]] == [0.5, 0.7]
    from napari_copnet.evaluation.true_slices import TrueStack

    some = TrueStack(cells, exclude_pixels=cells[0]).chosen([4, 1])
    for ours, z in zip((some.slice(0), some.slice(1)), (4, 1), strict=True):
        whole = TrueStack(cells).slice(z)
        np.testing.assert_array_equal(ours.cells, whole.cells)
        np.testing.assert_array_equal(ours.contour, whole.contour)
    assert len(np.unique(some.slice(1).cells)) == 2  # and the rest is no cell


def test_pixels_are_repaired_and_blank_slices_left_out(answer, truth, options, tmp_path):
    image = np.random.default_rng(0).normal(0, 1, (5, 60, 80)).astype(np.float32)
    image[0, :5, :5] = np.nan
    image[2] = 3
    broken = write_image(tmp_path / "in" / "broken.tif", image)
    arguments = ("--truth", truth, "--slices", "2,3", "--repair", *options)
    assert len(answer("thresholds", broken, *arguments)["thresholds"]) > 1


def test_a_mask_of_one_slice_excludes_in_all_and_not_everything(
    answer, copnet, stack, truth, options, tmp_path
):
    part = np.zeros((60, 80), np.uint8)
    part[:, :40] = 255
    mask = write_image(tmp_path / "in" / "part.tif", part[None])
    answer("thresholds", stack, "--truth", truth, "--exclude", mask, *options)
    everything = write_image(tmp_path / "in" / "all.tif", np.full_like(part, 255)[None])
    done = copnet("thresholds", stack, "--truth", truth, "--exclude", everything, *options)
    assert done.exit_code == 1 and "no true cell in these slices" in " ".join(done.output.split())


def test_light_membranes_have_the_size_of_their_own_run():
    """What a run of the stack chooses is taken over: the size, and to invert."""
    import dataclasses

    from napari_copnet import thresholds as module
    from napari_copnet.params import PreprocessParams, Settings
    from napari_copnet.progress import Progress, finish
    from napari_copnet.types import Stack, VoxelSize

    image = np.random.default_rng(0).integers(0, 255, (5, 60, 80)).astype(np.uint8)
    asked = []

    def run(part, settings, **_):
        asked.append((part.shape, settings.contours.threshold))
        yield Progress("check", 0, 1)
        kept = dataclasses.replace(settings.preprocess, size=123)
        return type(
            "Result",
            (),
            {
                "settings": lambda self, given: dataclasses.replace(given, preprocess=kept),
                "preprocessed": type("Ready", (), {"inverted": True}),
            },
        )()

    given = Settings(preprocess=PreprocessParams())
    stack = Stack(image, VoxelSize())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "run", run)
        found = finish(module._as_for_the_stack(stack, None, given, lambda *_: None))
        assert (found.preprocess.size, found.preprocess.invert) == (123, "yes")
        assert asked == [((3, 60, 80), 0.5)]
        fixed = PreprocessParams(size=64, invert="no")
        same = Settings(preprocess=fixed)
        assert finish(module._as_for_the_stack(stack, None, same, lambda *_: None)) is same


def test_a_model_that_sees_slices_around_is_refused(tiny_models):
    import dataclasses

    from napari_copnet.errors import InputError
    from napari_copnet.evaluation.threshold_scores import refuse_neighbours
    from napari_copnet.networks.package import load_package

    model = load_package(tiny_models["closing"])
    refuse_neighbours(model)
    plan = dataclasses.replace(model.plan, in_channels=3, normalisation=("none",) * 3)
    wide = dataclasses.replace(model, plan=plan)
    with pytest.raises(InputError, match="single slices"):
        refuse_neighbours(wide)


def test_closing_knows_the_threshold_of_contours_beside_a_record(
    answer, stack, options, tiny_models, tmp_path
):
    """A step on its own takes the certainty of the map before, as a run does."""
    model = ("--contour-model", tiny_models["contours"], "--device", "cpu")
    answer("preprocess", stack, "--size", 64, "--out", tmp_path / "ready")
    for threshold in (0.5, 0.7):
        out = tmp_path / str(threshold)
        image = tmp_path / "ready" / "image.tif"
        answer("contours", image, "--threshold", threshold, "--out", out, *model)
    from napari_copnet.cli.inputs import threshold_beside

    assert threshold_beside(tmp_path / "0.7" / "contours.tif") == 0.7
    assert threshold_beside(tmp_path / "0.5" / "contours.tif") == 0.5
    assert threshold_beside(tmp_path / "ready" / "image.tif") == 0.5
    assert threshold_beside(tmp_path / "nowhere" / "contours.tif") == 0.5
    closed = [
        answer("close", tmp_path / name / "contours.tif", "--closing-model",
               tiny_models["closing"], "--device", "cpu", "--max-iterations", 1,
               "--out", tmp_path / name / "closed")["certainty"]
        for name in ("0.5", "0.7")
    ]  # fmt: skip
    assert closed[0] == pytest.approx(closed[1], abs=2e-3)
