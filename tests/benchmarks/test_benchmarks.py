"""`python -m benchmarks`: what it prints, and in which order it measures."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks import (
    bench_degrade,
    bench_labels,
    bench_proofread,
    teach_loop_figures,
)
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


def test_the_loop_is_charged_for_what_it_takes_to_label_as_many_cells():
    def line(arm, slices, labelled, took):
        shares = labelled, 0.1, 0.1, 0.9
        beside = 8 if arm == "carried" else 0
        return teach_loop_figures.Line("tissue", arm, 0, slices, *shares, *took, "model", beside, 1)

    today, faster = (0.1, 0.2, 0.3, 0.5), (0.1, 0.3, 0.5, 0.6)
    took = ((0, 0, 0), (100, 90, 90), (100, 90, 50), (200, 180, 40))
    lines = [
        line(arm, slices, *one)
        for arm, labelled in (("annotated", today), ("carried", faster))
        for slices, *one in zip((0, 1, 2, 4), labelled, took, strict=True)
    ]
    found = {one.name.split(", ", 1)[1]: one for one in teach_loop_figures.figures(lines, 10)}
    gain = found["2 slice(s), labelled with carried slices minus without"]
    assert gain.value == pytest.approx(20) and "(20)" in gain.theirs and gain.holds
    # fine-tuning corrects a run's contours: 360 clicks for half of the cells
    cost = "clicks of the loop over fine-tuning's, for as much labelled"
    assert found[f"annotated, {cost}"].value == pytest.approx(180 / 360)
    assert found[f"carried, {cost}"].value == pytest.approx(140 / 360)
    offered = "two slices offered after two rounds, correcting over drawing"
    assert found[f"carried, {offered}"].value == pytest.approx(40 / 200)
    assert found["rounds after which as many cells or more are labelled"].value == 1
    # where it never labels as many, it has no price
    slower = [one for one in lines if one.arm == "annotated" or one.slices < 4]
    slower.append(line("carried", 4, 0.4, took[-1]))
    slower = [one for one in slower if (one.arm, one.slices) != ("carried", 2)]
    slower.append(line("carried", 2, 0.35, took[2]))
    priced = {one.name: one for one in teach_loop_figures.figures(slower, 10)}
    assert np.isnan(priced[f"tissue, carried, {cost}"].value)
