"""Each suite of `make trust` runs, a few times over, and finds nothing."""

import os
import subprocess
import sys

import pytest

# Suites of trainings, viewers and clusters take longer: `make trust` runs them.
COUNTS = {
    "steps": 30,
    "folders": 20,
    "writers": 16,
    "damage": 16,
    "sessions": 24,
    "faults": 8,
    "sqlite": 6,
    "stops": 8,
    "files": 136,
    "races": 6,
    "session": 10,
    "stacks": 8,
    "measures": 5,
    "numbers": 20,
}


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed by fork")


@needs_fork
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", COUNTS)
def test_a_suite(tmp_path, monkeypatch, name):
    import trust

    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path / "models"))
    suite = trust.SUITES[name]
    tried, survived, lost = trust.found_by(suite)(tmp_path, COUNTS[name], 1)
    assert (tried > 0, lost) == (True, 0) and survived == tried
    assert COUNTS[name] <= suite.short <= suite.full


@needs_fork
@pytest.mark.timeout(300)
def test_the_suite_of_memory_by_itself(tmp_path, monkeypatch):
    """Threads of other tests' libraries would be waited for where there is no memory."""
    import trust

    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = subprocess.run(
        [sys.executable, trust.__file__, "--only", "memory", "--count", "8", "--seed", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-1000:]
    assert "tried 8, survived 8, lost 0" in done.stdout


@needs_fork
def test_every_promise_has_a_suite_and_all_take_an_hour_on_two_cores():
    import trust

    suites = trust.SUITES.values()
    assert {suite.promise for suite in suites} == set(range(1, 12))
    assert sum(suite.minutes for suite in suites) <= 120
    assert all(callable(trust.found_by(suite)) for suite in suites)


# How the runner tells ----------------------------------------------------------


def run(monkeypatch, capsys, work, *arguments, minutes=1.0):
    """Run one suite of some kind; return the exit status and what was printed."""
    import trust

    suite = trust.Suite(1, "nothing is lost", f"test_suites.{work}", 3, 3, minutes)
    monkeypatch.setattr(trust, "SUITES", {"tried": suite})
    monkeypatch.setattr("sys.argv", ["trust.py", "--jobs", "1", *arguments])
    # In this process: one of its own would know another list of suites.
    monkeypatch.setattr(trust, "_apart", trust.in_process)
    status = trust.main()
    return status, capsys.readouterr().out


def all_well(_folder, count, _seed):
    return count, count, 0


def one_lost(_folder, count, _seed):
    return count, count - 1, 1


def out_of_time(_folder, _count, _seed):
    return 2, 2, 0


def nothing_tried(_folder, _count, _seed):
    return 0, 0, 0


def broken(_folder, _count, _seed):
    raise RuntimeError("no such module")


@needs_fork
@pytest.mark.parametrize(
    ("work", "status", "line"),
    [
        ("all_well", 0, "tried 3, survived 3, lost 0"),
        ("one_lost", 1, "FAILED: tried"),
        ("out_of_time", 2, "tried 2, short of 3, survived 2, lost 0"),
        ("nothing_tried", 1, "FAILED: tried"),
        ("broken", 1, "tried 3, survived 0, lost 3"),
    ],
)
def test_what_was_not_tried_is_told(monkeypatch, capsys, work, status, line):
    found, printed = run(monkeypatch, capsys, work)
    assert found == status and line in printed


@needs_fork
def test_a_suite_in_a_process_of_its_own(capfd, monkeypatch):
    import trust

    monkeypatch.setattr("sys.argv", ["trust.py", "--only", "numbers", "--count", "2"])
    assert trust.main() == 0
    assert "(numbers): tried 2, survived 2, lost 0" in capfd.readouterr().out


@needs_fork
def test_tries_end_with_their_time(monkeypatch):
    import trust_inputs

    monkeypatch.setattr(trust_inputs, "_end", [0.0])
    assert trust_inputs.counted(5, lambda _: "lost") == (0, 0, 0)
