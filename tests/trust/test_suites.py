"""Each suite of `make trust` runs, a few times over, and finds nothing."""

import os

import pytest

# Suites of trainings, viewers and clusters take longer: `make trust` runs them.
COUNTS = {
    "steps": 30,
    "folders": 20,
    "writers": 48,
    "faults": 16,
    "sqlite": 6,
    "stops": 8,
    "files": 136,
    "races": 6,
    "session": 10,
    "stacks": 8,
    "numbers": 20,
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed by fork")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", COUNTS)
def test_a_suite(tmp_path, monkeypatch, name):
    import trust

    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path / "models"))
    *_, suite, short, full = trust.SUITES[name]
    tried, survived, lost = suite(tmp_path, COUNTS[name], 1)
    assert (tried > 0, lost) == (True, 0) and survived == tried
    assert COUNTS[name] <= short <= full


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the suites are of systems that fork")
def test_every_promise_has_a_suite():
    import trust

    assert {number for number, *_ in trust.SUITES.values()} == set(range(1, 12))
