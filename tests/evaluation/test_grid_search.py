"""The grid: its points, resuming, and trainings side by side (with trainings made up)."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.evaluation import grid_search as module
from napari_copnet.evaluation.grid_search import Search, grid_search, parse_grid, points_of
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.params import DegradeParams, DeviceParams, TrainParams
from napari_copnet.progress import Progress, finish


def test_texts_become_a_grid():
    grid = parse_grid(["N1=0,6", "own-outputs=0,0.4", "artefacts=true,false", "size=small"])
    assert grid == {
        "diffusion_disks": (0, 6),
        "own_outputs": (0.0, 0.4),
        "artefacts": (True, False),
        "size": ("small",),
    }
    points = points_of(grid)
    assert len(points) == 8 and points[1]["artefacts"] is False
    assert parse_grid([]) == {"diffusion_disks": (0, 6, 12), "absorption_disks": (0, 10, 20)}


@pytest.mark.parametrize(
    ("text", "part"),
    [("N3=1", "N3"), ("N1=many", "many"), ("N1", "no values"), ("own_outputs=2", "Own outputs"),
     ("artefacts=maybe", "maybe")],
)  # fmt: skip
def test_what_is_no_grid_is_said(text, part):
    with pytest.raises(CopnetError, match=part):
        parse_grid([text])


def walls(door):
    u = np.full((1, 48, 92), 0.02, np.float32)
    u[:, :4] = u[:, -4:] = u[:, :, :4] = u[:, :, 44:48] = u[:, :, -4:] = 0.9
    u[:, 18:30, 44:48] = door
    return u


class Closer:
    """In place of a trained network: closes the door when it learnt from more than 5 disks."""

    def __init__(self, able):
        self.able = able
        self.plan = SimpleNamespace(dimensions=2)

    def predict(self, images, **_):
        yield from ()
        return walls(0.8)[:, None][:, 0] if self.able else images[:, 0]


@pytest.fixture
def trainings(monkeypatch, tmp_path):
    """Trainings that write a model folder, longer for higher seeds; a log of what happened."""
    log = SimpleNamespace(begun=[], ended=[], stopped=[], running=0, most=0, fail=None, threads=[])

    def train(kind, sources, out, params, degrade, *, device, resume, **_):
        point = (degrade.diffusion_disks, params.seed)
        log.begun.append((*point, resume))
        log.threads.append(device.threads)
        log.running += 1
        log.most = max(log.most, log.running)
        module.work_folder(out).mkdir(parents=True, exist_ok=True)
        (module.work_folder(out) / "config.json").write_text("{}")
        try:
            for step in range(9 * params.seed):
                yield Progress("training", step, 9 * params.seed, "epochs")
                if log.fail == point:
                    raise CopnetError("Training ran out of memory.", "Take less.")
        except GeneratorExit:
            log.stopped.append(point)
            raise
        finally:
            log.running -= 1
        out.mkdir()
        (out / "model.json").write_text(json.dumps(degrade.diffusion_disks))
        log.ended.append(point)
        return load(out)

    def load(folder):
        disks = json.loads((folder / "model.json").read_text())
        return SimpleNamespace(folder=folder, disks=disks, card={"steps": 3, "seconds": 1.5})

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "load_package", load)
    monkeypatch.setattr(
        module, "Network", SimpleNamespace(load=lambda model, device: Closer(model.disks > 5))
    )
    return log


@pytest.fixture
def search():
    truth = (walls(0.9) > 0.5).astype(np.uint8)
    return Search((), walls(0.1), TrueStack(truth), TrainParams(), DegradeParams(), DeviceParams())


GRID = {"diffusion_disks": (0, 6), "seed": (1, 2)}


def test_each_point_is_trained_scored_and_written(search, trainings, tmp_path):
    seen = []
    result = finish(grid_search(search, tmp_path / "out", GRID), seen.append)
    assert trainings.ended == [(0, 1), (0, 2), (6, 1), (6, 2)] and trainings.most == 1
    assert [row["labelled"] for row in result["points"]] == [0, 0, 1, 1]
    assert result["step1"]["merged"] == 1 and result["best"]["diffusion_disks"] == 6
    with open(result["files"]["results"]) as file:
        rows = list(csv.DictReader(file))
    assert [row["diffusion_disks"] for row in rows] == ["0", "0", "6", "6"]
    assert float(rows[3]["labelled_after_1"]) == 1 and rows[3]["steps"] == "3"
    assert json.loads((tmp_path / "out" / "results.json").read_text())["points"] == result["points"]
    assert (tmp_path / "out" / "grid.png").read_bytes().startswith(b"\x89PNG")
    done = [p.done for p in seen if p.step == "grid"]
    assert done == sorted(done) and done[-1] == 4
    assert [p.partial["seed"] for p in seen if p.partial] == [1, 2, 1, 2]


def test_a_stopped_search_goes_on(search, trainings, tmp_path):
    work = grid_search(search, tmp_path / "out", GRID, parallel=2)
    for progress in work:
        if progress.partial:
            break
    work.close()
    assert trainings.most == 2 and trainings.running == 0
    finished, begun = list(trainings.ended), len(trainings.begun)
    assert finished and len(finished) < 4 and trainings.stopped
    result = finish(grid_search(search, tmp_path / "out", GRID))
    again = trainings.begun[begun:]
    # A training that had ended is not begun again, one that was under way is resumed.
    assert {point[:2] for point in again} == set(points) - set(finished)
    assert all(resume == ((a, b) in trainings.stopped) for a, b, resume in again)
    assert len(result["points"]) == 4
    begun = len(trainings.begun)
    assert finish(grid_search(search, tmp_path / "out", GRID))["points"] == result["points"]
    assert len(trainings.begun) == begun


points = [(0, 1), (0, 2), (6, 1), (6, 2)]


def test_other_settings_are_another_search(search, trainings, tmp_path):
    import dataclasses

    finish(grid_search(search, tmp_path / "out", {"diffusion_disks": (6,)}))
    longer = dataclasses.replace(search, params=TrainParams(epochs=7))
    for folder in (tmp_path / "out" / "points").iterdir():
        (folder / "model" / "model.json").unlink()
        (folder / "model").rmdir()
    finish(grid_search(longer, tmp_path / "out", {"diffusion_disks": (6,)}))
    assert [resume for *_, resume in trainings.begun] == [False, False]


def test_a_failure_names_its_point_and_stops_the_others(search, trainings, tmp_path):
    trainings.fail = (6, 1)
    with pytest.raises(CopnetError, match="diffusion_disks=6_seed=1: Training ran out") as caught:
        finish(grid_search(search, tmp_path / "out", GRID, parallel=4))
    assert caught.value.hint == "Take less."
    assert trainings.running == 0 and trainings.stopped


def test_cores_are_shared(search, trainings, tmp_path, monkeypatch):
    monkeypatch.setattr(module.os, "cpu_count", lambda: 8)
    finish(grid_search(search, tmp_path / "out", GRID, parallel=3))
    assert trainings.threads == [2] * 4
    with pytest.raises(InputError, match="at once"):
        finish(grid_search(search, tmp_path / "other", GRID, parallel=0))
