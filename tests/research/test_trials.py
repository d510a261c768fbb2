"""The trials of closing on made data: measured once, compared, written."""

import argparse
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_copnet.errors import InputError
from napari_copnet.params import ClosingParams, DegradeParams, DeviceParams, TrainParams
from research import experiments as module
from research import trials as trials_module
from research.datasets import DATASETS, Slices
from research.trials import TRIALS, Trial, sources_of
from research.trials_document import write_trials


def walls(door):
    """Two rooms with a door of so much probability between them, and a stub in the right one."""
    u = np.full((48, 92), 0.02, np.float32)
    u[:4] = u[-4:] = u[:, :4] = u[:, 44:48] = u[:, -4:] = 0.9
    u[18:30, 44:48] = door
    u[20:22, 60:80] = 0.8
    return u


class Closer:
    """In place of a closing network: closes a quarter of a door a pass, and doubts stubs."""

    def predict(self, images, **_):
        yield from ()
        out = images[:, 0].copy()
        out[:, 20:22, 60:80] = 0.1
        for door in out[:, 18:30, 44:48]:
            open_rows = np.flatnonzero(door[:, 0] < 0.5)[:3]
            door[open_rows] = 0.8
        return out


@pytest.fixture
def choices(tmp_path, monkeypatch):
    package = SimpleNamespace(name="closer", sha256="0" * 64, card={})
    monkeypatch.setattr(module, "find_model", lambda name, kind: package)
    networks = []

    def load(*_):
        networks.append(Closer())
        return networks[-1]

    monkeypatch.setattr(module, "Network", SimpleNamespace(load=load))
    truth = walls(0.9)
    truth[20:22, 60:80] = 0
    rooms = Slices(None, np.stack([truth > 0.5] * 2).astype(np.uint8), [0, 1])
    maps = np.stack([walls(0.2), walls(0.1)])
    monkeypatch.setattr(module, "blocks", lambda *_: {"rooms": (rooms, maps)})
    return argparse.Namespace(
        data=tmp_path / "data", models=tmp_path / "models", work=tmp_path / "work",
        out=tmp_path / "docs", steps=5, seed=1, device=DeviceParams(), only_written=False,
        networks=networks,
    )  # fmt: skip


def test_trials_are_scored_after_one_iteration_and_the_last(choices):
    held = Trial("held", "held", ClosingParams(tidy=False))
    tidy = Trial("tidy", "tidied", ClosingParams(unite=False))
    results = module.run([held, tidy], choices)
    rooms = results["held"]["scores"]["rooms"]
    assert rooms["step1"]["labelled"] == 0 and rooms["step1"]["merged"] == 1
    # the score's own dilation closes what is left of the door after two passes
    assert rooms["closed"]["labelled"] == 1
    assert rooms["once"]["labelled"] == 0
    assert rooms["iterations"] == 5 and rooms["slices"] == 2
    # tidied: the stub, which the network doubts, is gone, and the line is the true one
    assert results["tidy"]["scores"]["rooms"]["closed"]["nsd"] == 1 > rooms["closed"]["nsd"]
    before = len(choices.networks)
    assert module.run([held, tidy], choices) == results
    assert len(choices.networks) == before
    changed = dataclasses.replace(
        tidy, closing=ClosingParams(tolerance=0.5, likely_gaps=False, unite=False)
    )
    again = module.run([held, changed], choices)
    assert len(choices.networks) == before + 1
    assert again["tidy"]["scores"]["rooms"]["iterations"] == 1
    choices.only_written = True
    assert set(module.run([tidy, Trial("never", "never")], choices)) == set()


def test_what_is_done_to_a_result_and_where_to_stop_is_heeded(choices):
    first = Trial("first", "no iteration", ClosingParams(tidy=False), stop=lambda values: 0)
    step1 = module.run([first], choices)["first"]["scores"]["rooms"]
    assert step1["closed"] == step1["step1"]
    nothing = Trial("empty", "nothing", after=lambda start, result: np.zeros(start.shape, bool))
    assert module.run([nothing], choices)["empty"]["scores"]["rooms"]["closed"]["nsd"] < 0.1


def test_a_training_gets_the_changed_settings_and_starts_from_the_default(
    choices, monkeypatch, tmp_path
):
    asked = []

    def train(kind, sources, out, params, degrade, **rest):
        yield from ()
        asked.append((kind, sources, out, params, degrade, rest))
        return SimpleNamespace(sha256="1" * 64, card={"steps": 5})

    monkeypatch.setattr(module, "train", train)
    package = SimpleNamespace(folder=Path("shipped"), sha256="0" * 64, card={})
    monkeypatch.setattr(module, "find_model", lambda name, kind: package)
    trial = Trial("wide", "wide", train={"zoom": 2.0}, degrade={"radius_max": 80.0}, maps="none")
    results = module.run([trial, dataclasses.replace(trial, name="new", scratch=True)], choices)
    (kind, sources, out, params, degrade, rest), (*_, scratch) = asked
    assert kind == "closing" and out == choices.work / "models" / "wide"
    assert (params.zoom, params.seed) == (2.0, 1)
    assert params.epochs * params.iterations_per_epoch == 5
    assert degrade == DegradeParams(radius_max=80.0)
    assert rest["start_from"] == Path("shipped") and scratch["start_from"] is None
    assert not any(source.step1 for source in sources)
    assert results["wide"]["steps"] == 5


def test_sources_differ_by_their_maps():
    def maps_of(maps):
        return [bool(s.step1) for s in sources_of(Trial("t", "t", maps=maps), Path(), Path())]

    assert all(maps_of("all")) and not any(maps_of("none"))
    assert maps_of("some") == maps_of("all") + maps_of("none")


def test_all_trials_are_one_change_of_known_settings():
    assert len({trial.name for trial in TRIALS}) == len(TRIALS)
    for trial in TRIALS:
        if trial.train is not None:
            dataclasses.replace(TrainParams(), **trial.train)
            dataclasses.replace(DegradeParams(), **trial.degrade)
        json.dumps(trial.recipe())
    assert any(trial.closing == ClosingParams() and trial.train is None for trial in TRIALS)


def test_results_made_of_additions():
    start = np.zeros((1, 20, 20), np.float32)
    start[0, :, 4] = 0.9
    result = start.copy()
    result[0, :, 10:15] = 0.8  # a thick wall from side to side
    result[0, 3, 16:19] = 0.65  # a stub
    thin = trials_module.thin_additions(start, result)[0]
    assert thin[:, 4].all() and 1 <= thin[10, 8:].sum() <= 3
    sure = trials_module._sure(0.7)(start, result)[0]
    assert sure[:, 10:15].all() and not sure[3, 16:19].any() and sure[:, 4].all()
    parting = trials_module.parting_alone(start, result)[0]
    assert not parting[3, 16:19].any() and parting[10, 10:15].any()


def test_the_stop_is_before_what_parts_nothing():
    first = np.zeros((20, 20))
    wall = first.copy()
    wall[:, 10] = 1
    stub = wall.copy()
    stub[5, 2:7] = 1
    rule = trials_module.when_additions_part_nothing
    assert rule(np.stack([first, wall, stub])) == 1
    assert rule(np.stack([first, wall, wall])) == 1
    assert rule(np.stack([first, wall])) == 1


def test_the_document_has_a_row_for_each_trial_that_was_made(choices, tmp_path):
    trials = [
        Trial("held", "held on", ClosingParams(tidy=False), verdict="kept: better"),
        Trial("never", "never made"),
    ]
    text = write_trials(trials, module.run(trials[:1], choices), tmp_path).read_text()
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| held on")]
    assert [cell.strip() for cell in rows[0]][2] == "kept: better"
    assert rows[0][1].strip().startswith("+100.0 / +0.0 / ")
    assert [row[1].strip() for row in rows[1:]] == ["1 iteration", "the last"]
    assert rows[2][2].strip() == "100.0 / 0.0 (5)"
    assert text.partition("## Not measured yet")[2].split("\n")[2] == "- never made"
    assert "Trainings start from" not in text


def test_a_block_is_thinned_and_an_unknown_trial_refused(tmp_path, capsys):
    block = Slices(None, np.arange(7)[:, None, None] * np.ones((7, 2, 2)), list(range(20, 27)))
    third = block.every(3)
    assert third.numbers == [20, 23, 26] and third.truth[:, 0, 0].tolist() == [0, 3, 6]
    assert set(module.EVERY) <= {dataset.name for dataset in DATASETS}
    code = module.main(
        ["--data", str(tmp_path), "--models", str(tmp_path), "--out", str(tmp_path / "o"),
         "--work", str(tmp_path / "w"), "--only", "nonsense"]
    )  # fmt: skip
    assert code == 1 and "nonsense" in capsys.readouterr().err
    with pytest.raises(InputError, match="missing"):
        DATASETS[1].read(tmp_path)
