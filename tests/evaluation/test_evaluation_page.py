"""The page, its pictures, and scores over iterations."""

import base64
import csv
import io
import re

import matplotlib.image
import numpy as np
import pytest

from napari_copnet.errors import InputError
from napari_copnet.evaluation.figures import EXCLUDED, NEITHER, coloured, verdict
from napari_copnet.evaluation.over_iterations import score_iterations
from napari_copnet.evaluation.page import evaluation_page, telling_slices
from napari_copnet.evaluation.score_tables import by_size, write_cells, write_slices
from napari_copnet.evaluation.scores import evaluate
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.progress import finish


def rooms(gap=False, side=40):
    """Four rooms, with a gap in a wall between two of them."""
    contour = np.zeros((2 * side + 2, 2 * side + 2), np.uint8)
    contour[side : side + 2] = contour[:, side : side + 2] = 1
    if gap:
        contour[8:32, side : side + 2] = 0
    return contour


@pytest.fixture
def stacks():
    return {
        "truth": np.stack([rooms()] * 3),
        "before": np.stack([rooms(gap=True)] * 3),
        "after": np.stack([rooms(), rooms(gap=True), rooms()]),
    }


def test_pictures_show_correct_cells_errors_contours_and_exclusions():
    cells = np.array([[1, 1, 0, 2, 2, 0, 3]], np.uint32)
    contour = np.array([[0, 0, 1, 0, 0, 0, 0]])
    excluded = np.array([[0, 0, 0, 0, 0, 0, 1]], bool)
    rgb = verdict(cells, contour, np.array([1, 3]), excluded)[0]
    own = coloured(cells)[0]
    assert np.array_equal(rgb[0], own[0]) and own[0].max() > 0.5
    assert rgb[2].tolist() == [1, 1, 1]
    assert rgb[3].tolist() == [0, 0, 0]
    assert tuple(rgb[5]) == NEITHER and tuple(rgb[6]) == EXCLUDED


def test_slices_shown_are_the_most_gained_and_the_worst(stacks):
    evaluation = finish(evaluate(stacks["after"], stacks["truth"], baseline=stacks["before"]))
    assert telling_slices(evaluation, most=2) == [0, 1]
    alone = finish(evaluate(stacks["after"], stacks["truth"]))
    assert telling_slices(alone, most=1) == [1]


def test_scores_after_each_iteration(stacks):
    u0 = np.where(stacks["before"], 0.9, 0.1)
    u1 = np.where(stacks["after"], 0.9, 0.1)
    u1[:, 0, :40] = 0.8  # a false line, gone in the next iteration
    u2 = np.where(stacks["truth"], 0.6, 0.1)
    u2[:, 41] = 0.2  # what Step 1 has drawn may not be lost
    result = finish(score_iterations(np.stack([u0, u1, u2]), TrueStack(stacks["truth"])))
    assert result.means("labelled") == pytest.approx([0.5, (1 + 0.5 + 1) / 3, 1])
    first = 3 * 40 + 2 * 24 * 2
    assert result.changed == pytest.approx([first / u0.size, (3 * 40 + 24 * 2 + 3 * 82) / u0.size])
    assert result.as_dict()["changed"] == list(result.changed)
    with pytest.raises(InputError, match="iterations"):
        finish(score_iterations(np.stack([u0, u1])[:, :2], TrueStack(stacks["truth"])))


def test_the_page_is_whole_in_itself(stacks, tmp_path):
    true = TrueStack(stacks["truth"])
    evaluation = finish(evaluate(stacks["after"], stacks["truth"], baseline=stacks["before"]))
    kept = np.stack([stacks["before"], stacks["after"]]).astype(np.float32)
    path = evaluation_page(
        tmp_path / "page.html",
        evaluation,
        true,
        stacks["after"],
        baseline=stacks["before"],
        iterations=finish(score_iterations(kept, true)),
    )
    page = path.read_text()
    headings = re.findall("<h2>(.*?)</h2>", page)
    assert headings == [
        "Scores", "Slices", "Over the iterations", "Lengths of gaps", "From slice to slice",
        "By size of cell",
    ]  # fmt: skip
    assert "12 true cells in 3 slices: 83.3 % labelled, 16.7 % merged" in page
    sources = re.findall('src="(.*?)"', page)
    assert len(sources) == 1 + 3 + 1 + 1
    for source in sources:
        head, _, data = source.partition(",")
        assert head == "data:image/png;base64"
        picture = matplotlib.image.imread(io.BytesIO(base64.b64decode(data)))
        assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 20
    assert "http" not in page.replace("http-equiv", "")


def test_tables_of_cells_and_slices(stacks, tmp_path):
    evaluation = finish(evaluate(stacks["after"], stacks["truth"], baseline=stacks["before"]))
    with write_cells(tmp_path / "cells.csv", evaluation).open() as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == 12
    assert [row["fate"] for row in cells if row["slice"] == "1"].count("merged") == 2
    assert {row["baseline_fate"] for row in cells[:2]} == {"merged"}
    with write_slices(tmp_path / "slices.csv", evaluation).open() as file:
        slices = list(csv.DictReader(file))
    assert [float(row["labelled"]) for row in slices] == [1, 0.5, 1]
    assert [float(row["baseline_labelled"]) for row in slices] == [0.5] * 3
    assert slices[0]["neighbour_cldice"] == "" and float(slices[1]["neighbour_cldice"]) < 1


def test_cells_by_size():
    truth = np.zeros((40, 98), np.uint8)
    for at in (8, 26, 54):  # cells 8, 16, 26 and 42 px wide
        truth[:, at : at + 2] = 1
    wrong = truth.copy()
    wrong[:, 75] = 1  # the largest is split
    rows = by_size(finish(evaluate(wrong, truth)), groups=2)
    assert rows[1:] == [
        ["320 to 640", "2", "100.0", "0.0", "0.0"],
        ["1040 to 1680", "2", "50.0", "0.0", "50.0"],
    ]
