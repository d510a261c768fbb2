"""The demo on a small sample: everything it promises is written, and the page stands alone.

It runs without a network connection.
"""

import re
import socket

import numpy as np
import pytest

from napari_copnet import demo as module
from napari_copnet.gui.display import has_display
from napari_copnet.io.read import read_stack
from napari_copnet.params import DeviceParams, TissueParams
from napari_copnet.progress import finish
from napari_copnet.synthetic import make_tissue


@pytest.fixture(scope="module")
def small_demo(tmp_path_factory):
    tissue = make_tissue(TissueParams(slices=2, size=160, cell_diameter=2.0, vessel=False), 3)
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "sample_stack", lambda: tissue)

    def refuse(*_):
        raise AssertionError("the demo opens a network connection")

    patch.setattr(socket.socket, "connect", refuse)
    patch.setattr(socket, "getaddrinfo", refuse)
    out = tmp_path_factory.mktemp("demo") / "out"
    made = finish(module.demo(out, DeviceParams(device="cpu")))
    patch.undo()
    return out, made


def test_arrays_figure_scores_and_page_are_written(small_demo):
    out, made = small_demo
    files = made.record["files"]
    assert {"contours", "closed", "cells", "iterations", "image", "truth_contours"} <= set(files)
    assert read_stack(files["cells"]).shape == (2, 160, 160)
    assert (out / "overview.png").read_bytes().startswith(b"\x89PNG")
    for name in ("Step 1 alone", "after 1 iteration", "closed"):
        scores = made.record["scores"][name]
        assert scores["labelled"] + scores["merged"] + scores["split"] == pytest.approx(1)
    assert made.record["scores"]["closed"]["cells"] > 10


def test_the_first_iteration_is_united_as_the_run_is(small_demo, monkeypatch):
    _, made = small_demo
    scored = {}

    def evaluate(mask, *_, **__):
        scored[len(scored)] = mask
        return module.evaluate_(mask, *_, **__)

    monkeypatch.setattr(module, "evaluate_", module.evaluate, raising=False)
    monkeypatch.setattr(module, "evaluate", evaluate)
    excluded = np.zeros(made.tissue.contours.shape, bool)
    kept = made.restored.iterations
    step1, first = kept[0] > 0.5, kept[1] > 0.5
    assert (step1 & ~first).any()
    for unite, expected in ((False, first), (True, first | step1)):
        scored.clear()
        finish(module._scores(made.tissue, made.restored, excluded, unite))
        assert np.array_equal(scored[1] > 0, expected)


def test_the_edge_of_what_was_moved_out_of_view_is_no_closed_gap():
    contours, closed = np.zeros((9, 9)), np.zeros((9, 9), bool)
    out_of_view = np.zeros((9, 9), bool)
    out_of_view[:, :3] = True
    contours[4, 3:6] = 0.9
    # the line of Step 1 with a gap of its own, and the line along the edge
    closed[4, 3:] = closed[:, 3] = True
    before = module.before_closing(contours, closed, out_of_view)
    assert before[:, 3].all() and before[4, :6].sum() == 3
    expected = np.zeros((9, 9), bool)
    expected[4, 6:] = True
    np.testing.assert_array_equal(closed & ~before, expected)


def test_the_page_is_one_file_with_its_pictures_inside(small_demo):
    out, _ = small_demo
    page = (out / "index.html").read_text()
    assert page.count("data:image/png;base64,") >= 4
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "Step 1 alone" in page and "Correctly labelled" in page


def test_a_window_opens_only_where_there_is_a_display(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not has_display()
    monkeypatch.setenv("DISPLAY", ":99")
    assert has_display()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not has_display()
