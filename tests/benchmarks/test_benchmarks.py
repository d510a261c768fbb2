"""`python -m benchmarks`: what it prints, and in which order it measures."""

import json

import pytest
from typer.testing import CliRunner

from benchmarks import bench_degrade, bench_proofread
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
