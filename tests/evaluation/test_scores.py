"""Evaluation of stacks: the scores that come of contours drawn by hand."""

import json

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from napari_copnet.errors import InputError
from napari_copnet.evaluation.metrics import centreline_dice, outline
from napari_copnet.evaluation.scores import evaluate
from napari_copnet.evaluation.true_slices import covering_cell
from napari_copnet.params import ScoreParams
from napari_copnet.progress import finish


def grid(gap=False, side=40, lines=(40, 82)):
    """Nine cells of 40 px and a line of 2 px between; with a gap two of them merge."""
    contour = np.zeros((3 * side + 4, 3 * side + 4), np.uint8)
    for at in lines:
        contour[at : at + 2] = 1
        contour[:, at : at + 2] = 1
    if gap:
        contour[10:30, 40:42] = 0
    return contour


def scored(predicted, truth, **rest):
    return finish(evaluate(predicted, truth, **rest))


def test_truth_scored_against_itself():
    scores = scored(grid(), grid()).as_dict()
    assert (scores["labelled"], scores["merged"], scores["split"]) == (1, 0, 0)
    assert (scores["cells"], scores["nsd"], scores["cldice"]) == (9, 1, 1)


def test_a_gap_merges_two_of_nine():
    scores = scored(grid(gap=True), grid()).as_dict()
    assert scores["labelled"] == pytest.approx(7 / 9)
    assert scores["merged"] == pytest.approx(2 / 9)
    assert 0.9 < scores["nsd"] < 1 and 0.9 < scores["cldice"] < 1


def test_a_false_line_splits_one_of_nine():
    predicted = grid()
    predicted[:40, 20:22] = 1
    scores = scored(predicted, grid()).as_dict()
    assert scores["split"] == pytest.approx(1 / 9) and scores["merged"] == 0


def test_a_narrow_gap_is_no_gap():
    predicted = grid()
    predicted[20:24, 40:42] = 0
    assert scored(predicted, grid()).as_dict()["labelled"] == 1
    thin = ScoreParams(dilation=0)
    assert scored(predicted, grid(), params=thin).as_dict()["merged"] == pytest.approx(2 / 9)


def test_mean_and_deviation_over_slices():
    truth = np.stack([grid(), grid()])
    predicted = np.stack([grid(), grid(gap=True)])
    result = scored(predicted, truth).as_dict()
    shares = [1, 7 / 9]
    assert result["labelled"] == pytest.approx(np.mean(shares))
    assert result["sd"]["labelled"] == pytest.approx(np.std(shares))
    assert result["cells"] == 18 and result["sd"]["cells"] == 0
    assert [s["labelled"] for s in result["slices"]] == pytest.approx(shares)
    assert [s["slice"] for s in result["slices"]] == [0, 1]
    assert "baseline" not in result and json.dumps(result)


def test_baseline_gain_and_significance():
    truth = np.stack([grid()] * 4)
    before = np.stack([grid(gap=True)] * 3 + [grid()])
    result = scored(truth, truth, baseline=before).as_dict()
    assert result["baseline"]["labelled"] == pytest.approx((3 * 7 / 9 + 1) / 4)
    assert result["gain"]["labelled"] == pytest.approx(1 - (3 * 7 / 9 + 1) / 4)
    assert result["gain"]["merged"] < 0
    by_slice = [7 / 9] * 3 + [1]
    assert result["p"]["labelled"] == pytest.approx(
        mannwhitneyu([1] * 4, by_slice, alternative="greater").pvalue
    )
    fewer = mannwhitneyu([0] * 4, [2 / 9] * 3 + [0], alternative="less").pvalue
    assert result["p"]["merged"] == pytest.approx(fewer)


def test_excluded_pixels_do_not_count():
    gap = np.zeros((124, 124), bool)
    gap[:40, :84] = True  # both cells that merge, and what lies between
    result = scored(grid(gap=True), grid(), exclude_pixels=gap).as_dict()
    assert result["labelled"] == 1 and result["cells"] == 7
    assert result["nsd"] == 1 and result["cldice"] == 1


def test_partly_excluded_cells_are_scored_on_the_rest():
    out = np.zeros((124, 124), bool)
    out[:40, :20] = True
    predicted = grid()
    predicted[:40, 8:10] = 1  # a false line in the excluded half
    assert scored(predicted, grid()).as_dict()["split"] == pytest.approx(1 / 9)
    result = scored(predicted, grid(), exclude_pixels=out).as_dict()
    assert result["labelled"] == 1 and result["cells"] == 9


def test_the_cell_under_an_excluded_structure_does_not_count():
    predicted = grid()
    predicted[60, 50:70] = 1  # a haemorrhage torn in two by false contours
    predicted[44:82, 60] = 1
    structure = np.zeros((124, 124), np.uint8)
    structure[45:80, 38:78] = 1  # reaches over the contour into the next cell
    assert scored(predicted, grid()).as_dict()["cells"] == 9
    result = scored(predicted, grid(), exclude_cell=structure).as_dict()
    assert result["cells"] == 8 and result["labelled"] == 1 and result["nsd"] == 1


def test_each_value_is_an_excluded_structure():
    structures = np.zeros((124, 124), np.uint8)
    structures[10:20, 10:20], structures[100:110, 100:110] = 1, 2
    assert scored(grid(), grid(), exclude_cell=structures).as_dict()["cells"] == 7
    assert scored(grid(), grid(), exclude_cell=structures > 0).as_dict()["cells"] == 8


def test_covering_cell_is_the_one_with_most_pixels():
    cells = np.array([[1, 1, 2, 2, 2, 0, 0, 0, 0]], np.uint32)
    assert covering_cell(cells, np.ones((1, 9), bool)) == 2
    assert covering_cell(cells, cells == 0) == 0


def label_grid():
    labels = np.arange(9).reshape(3, 3) + 1
    return np.kron(labels, np.ones((40, 40), int)).astype(np.uint16)


def test_label_images_for_both_sides():
    result = scored(label_grid(), label_grid()).as_dict()
    assert result["cells"] == 9 and result["labelled"] == 1
    joined = label_grid()
    joined[joined == 2] = 1
    assert scored(joined, label_grid()).as_dict()["merged"] == pytest.approx(2 / 9)


def test_only_labelled_cells_are_scored():
    labels = label_grid()
    labels[labels == 5] = 0
    result = scored(label_grid(), labels).as_dict()
    assert result["cells"] == 8 and result["labelled"] == 1


def test_a_slice_without_cells_has_no_part_in_the_means():
    full = np.zeros((124, 124), np.uint8)
    truth = np.stack([grid(), full])
    out = np.stack([full, full + 1])  # nothing is left of the second slice
    result = scored(truth, truth, exclude_pixels=out).as_dict()
    assert result["labelled"] == 1 and result["cells"] == 9
    assert result["slices"][1]["cells"] == 0 and result["slices"][1]["labelled"] == 0
    assert np.isfinite(json.loads(json.dumps(result))["nsd"])


def test_progress_by_slice_and_inputs_left_alone():
    truth = np.stack([grid()] * 3)
    before = truth.copy()
    assert [p.done for p in evaluate(truth, truth)] == [1, 2, 3]
    np.testing.assert_array_equal(truth, before)


@pytest.mark.parametrize("name", ["predicted", "baseline", "exclude_pixels", "exclude_cell"])
def test_other_shapes_are_refused(name):
    images = {"predicted": grid(), "truth": grid(), name: np.zeros((5, 5), np.uint8)}
    with pytest.raises(InputError, match="shape"):
        finish(evaluate(**images))


def test_cells_in_place_of_contours_are_refused():
    with pytest.raises(InputError, match="invert"):
        scored(1 - grid(), grid())


def test_a_row_for_each_cell_says_what_became_of_it():
    evaluation = scored(grid(gap=True), grid(), baseline=grid(), numbers=[7])
    rows = list(evaluation.cell_rows())
    assert [row["cell"] for row in rows] == list(range(1, 10))
    first, second, third = rows[:3]
    assert (first["slice"], first["fate"], first["baseline_fate"]) == (7, "merged", "labelled")
    # Cells are 40 px wide, or 41 at the border of the image; lines lie at 40, 41 and 82, 83.
    assert (first["size"], first["y"], first["x"]) == (40 * 40, 19.5, 19.5)
    assert (second["size"], second["y"], second["x"]) == (40 * 40, 19.5, 61.5)
    assert first["predicted"] == second["predicted"] != third["predicted"]
    assert first["covered"] == 1 and third["elsewhere"] == 0
    # The neighbour, and the gap of 20 × 2 px less what the thickened line's rim leaves of it.
    assert first["elsewhere"] == pytest.approx(1 + 40 / 1600, abs=0.01)
    assert first["label"] is None
    assert json.dumps(rows)


def test_rows_name_the_label_that_was_given():
    rows = list(scored(label_grid() * 11, label_grid() * 11).cell_rows())
    assert [row["label"] for row in rows] == [11 * n for n in range(1, 10)]


def test_neighbouring_slices_are_those_with_consecutive_numbers():
    shifted = grid(lines=(50, 90))
    stack = np.stack([grid(), grid(), shifted])
    result = scored(stack, np.stack([grid()] * 3), numbers=[3, 4, 5]).as_dict()
    alike = centreline_dice(outline(grid()), outline(shifted))
    assert [s["neighbour_cldice"] for s in result["slices"]] == [None, 1, pytest.approx(alike)]
    assert 0 < alike < 0.5
    neighbours = result["neighbours"]
    assert neighbours["pairs"] == 2 and neighbours["truth"] == 1
    assert neighbours["cldice"] == pytest.approx((1 + alike) / 2)
    apart = scored(stack, stack, numbers=[3, 5, 7]).as_dict()
    assert apart["neighbours"] is None
