"""`python -m benchmarks`: what it prints, and in which order it measures."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks import bench_degrade, bench_labels, bench_proofread, bench_teach_loop
from benchmarks.__main__ import app
from benchmarks.figure import Figure


@pytest.fixture
def bench():
    def call(*arguments):
        return CliRunner().invoke(app, list(arguments))

    return call


def figure(name, value):
    return Figure(name, value, "x", ">= 2", value >= 2, "ours", "theirs", "a machine")


def test_the_json_object_is_alone_on_standard_output(bench, monkeypatch):
    def measure(quick):
        print("WARNING: a library has something to say.")
        return [figure("speed", 3.0)]

    monkeypatch.setattr(bench_degrade, "run", measure)
    done = bench("degrade", "--quick", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["figures"][0]["value"] == 3
    assert "something to say" in done.stderr
    # For people it stays where it was.
    assert "something to say" in bench("degrade").stdout


def test_an_error_is_one_json_object_too(bench, monkeypatch):
    def measure(quick):
        print("WARNING: a library has something to say.")
        raise MemoryError

    monkeypatch.setattr(bench_degrade, "run", measure)
    done = bench("degrade", "--json")
    assert done.exit_code == 1
    assert "not enough memory" in json.loads(done.stdout)["error"]


@pytest.mark.parametrize("has_display", [True, False])
def test_the_window_is_measured_first_where_there_is_a_display(bench, monkeypatch, has_display):
    window = pytest.importorskip("benchmarks.bench_proofread_window")
    order = []
    monkeypatch.setattr("benchmarks.__main__.has_display", lambda: has_display)

    def measured(name, value):
        order.append(name)
        return [figure(name, value)]

    monkeypatch.setattr(window, "run", lambda quick: measured("gap", 1.0))
    monkeypatch.setattr(bench_proofread, "run", lambda quick: measured("effort", 2.0))
    text = bench("proofread").stdout
    assert order == (["gap", "effort"] if has_display else ["effort"])
    assert "effort: 2 x (goal >= 2: holds)" in text
    assert ("gap: 1 x (goal >= 2: falls short)" in text) is has_display
    assert ("No display" in text) is not has_display


@pytest.fixture
def small_labels(monkeypatch):
    monkeypatch.setattr(bench_labels, "_SIDE", 96)
    monkeypatch.setattr(bench_labels, "_SLICES", 8)


def test_both_sides_of_the_labels_return_the_same(bench, small_labels):
    found = json.loads(bench("labels", "--json").stdout)["figures"]
    assert [one["name"].rsplit(", ")[-1] for one in found] == [
        "speed", "pixels with the same label", "speed", "slices with the same counts",
    ]  # fmt: skip
    assert "8×96×96" in found[0]["name"]
    for one in found:
        if one["goal"] == "= 1":
            assert one["value"] == 1 and one["holds"]
        else:
            assert one["value"] > 0 and "ms of one thread" in one["ours"] and one["theirs"]


def test_counts_and_labels_that_differ_are_noticed(bench, small_labels, monkeypatch):
    monkeypatch.setattr(bench_labels, "within", lambda mask, distance: mask)
    monkeypatch.setattr(bench_labels, "label", lambda free, connectivity: free.astype(int))
    found = json.loads(bench("labels", "--json").stdout)["figures"]
    assert [one["holds"] for one in found if one["goal"] == "= 1"] == [False, False]


def test_a_simulated_annotator_clicks_at_the_vertices_of_what_is_missing_or_false():
    truth = np.zeros((97, 97), bool)
    truth[::24] = truth[:, ::24] = True
    gap, bow = truth.copy(), truth.copy()
    gap[1:24, 24] = False
    clicks = bench_teach_loop.clicks
    assert clicks(truth, truth) == 0
    # the two ends of a straight wall, whether it is drawn or removed
    assert clicks(gap, truth) == clicks(truth, gap) == 2
    # a stretch with a corner has one more vertex
    bow[36, 24:36] = bow[24:37, 36] = True
    assert clicks(truth, bow) == 3
    # a line beside the true one is no mistake
    line = np.zeros((40, 40), bool)
    line[20] = True
    assert clicks(np.roll(line, 2, axis=0), line) == 0
