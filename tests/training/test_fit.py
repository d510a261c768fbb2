"""Training as a whole: it learns, stops when told, resumes where it was, and leaves no process."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.networks.nnunet import Network, build_network
from napari_copnet.networks.package import load_package
from napari_copnet.params import DeviceParams, TrainParams, as_dict
from napari_copnet.progress import finish
from napari_copnet.steps.contours import predict_contours
from napari_copnet.training import fit
from napari_copnet.training.losses import learning_curve
from napari_copnet.training.sources import Source, SyntheticTissue
from napari_copnet.training.truth import CONTOUR, WIDTH, resize_image, resize_truth

TINY = TrainParams(size="small", epochs=2, iterations_per_epoch=10, batch=2, patch=32)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Dark lines every 16 pixels, and the cells between them."""
    folder = tmp_path_factory.mktemp("stack")
    z, y, x = np.indices((24, 64, 64))
    labels = (1 + (y + z // 4) // 16 + 6 * (x // 16)).astype(np.uint16)
    rng = np.random.default_rng(0)
    image = rng.normal(150, 10, labels.shape)
    image[(x % 16 == 15) | (x % 16 == 0) | ((y + z // 4) % 16 == 15)] -= 90
    tifffile.imwrite(folder / "truth.tif", labels)
    tifffile.imwrite(folder / "image.tif", image.clip(0, 255).astype(np.uint8))
    return Source(truth=folder / "truth.tif", image=folder / "image.tif")


def losses(out: Path) -> list[dict[str, float]]:
    header, *lines = (fit.work_folder(out) / "losses.csv").read_text().splitlines()
    return [
        {name: float(value) for name, value in zip(header.split(","), line.split(","), strict=True)}
        for line in lines
    ]


def child_of(pid: int) -> psutil.Process | None:
    for process in psutil.Process(pid).children(recursive=True):
        alive = process.status() != psutil.STATUS_ZOMBIE
        if alive and "napari_copnet.training.child" in process.cmdline():
            return process
    return None


def wait_for(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def test_a_closing_network_is_trained_and_packed(source, tmp_path):
    out = tmp_path / "closer"
    seen = []
    work = fit.train("closing", [source], out, TINY, size=64, card={"licence": "none"})
    package = finish(work, seen.append)
    assert package.kind == "closing"
    assert load_package(out).sha256 == package.sha256
    assert package.plan.normalisation == ("none",)
    assert package.plan.patch_size == (32, 32)
    rows = losses(out)
    assert [row["step"] for row in rows] == [10, 20]
    assert rows[1]["train_loss"] < rows[0]["train_loss"]
    assert rows[1]["learning_rate"] < rows[0]["learning_rate"] < TINY.learning_rate
    assert package.card["scores"]["validation_dice"] == rows[1]["validation_dice"]
    assert package.card["curve"] == [
        [row["step"], round(row["validation_dice"], 4)] for row in rows
    ]
    assert package.card["licence"] == "none"
    assert any(progress.partial and "train_loss" in progress.partial for progress in seen)
    assert seen[-1].done == seen[-1].total == 2
    assert child_of(os.getpid()) is None

    import torch

    network = build_network(package.plan)
    state = {name: torch.from_numpy(values) for name, values in package.weights().items()}
    # shared parameters are stored under one of their names
    assert not network.load_state_dict(state, strict=False).unexpected_keys
    truth = torch.zeros(1, 1, 64, 64)
    truth[..., 30:34] = 1
    with torch.no_grad():
        probability = torch.softmax(network(truth), 1)[0, 1]
    assert probability[:, 31:33].mean() > probability[:, :16].mean()


def test_a_training_killed_before_its_model_was_written_ends_as_it_would_have(source, tmp_path):
    out = tmp_path / "model"
    params = TrainParams(size="small", epochs=2, iterations_per_epoch=2, batch=2, patch=32)
    package = finish(fit.train("contours", [source], out, params, size=64))
    rows = losses(out)
    assert [row["epoch"] for row in rows] == [1, 2]
    shutil.rmtree(out)
    again = finish(fit.train("contours", [source], out, params, size=64, resume=True))
    # Each epoch is recorded once, and the last one's scores are on the card.
    assert losses(out) == rows
    assert again.card["scores"]["validation_dice"] == rows[1]["validation_dice"]
    ours, theirs = again.weights(), package.weights()
    assert all((ours[name] == theirs[name]).all() for name in theirs)


@pytest.mark.slow
def test_fine_tuning_goes_on_from_the_weights_of_a_model(source, tmp_path):
    first = finish(fit.train("contours", [source], tmp_path / "first", TINY, size=64))
    still = TrainParams(
        size="small", epochs=1, iterations_per_epoch=1, batch=2, patch=32, learning_rate=1e-3
    )
    again = finish(
        fit.train("contours", [source], tmp_path / "again", still, size=64, start_from=first.folder)
    )
    assert again.plan == first.plan
    before, after = first.weights(), again.weights()
    # a single step at a small rate; weights drawn anew would differ by their own size
    kernels = [name for name in before if before[name].ndim == 4 and "seg_layers" not in name]
    assert len(kernels) > 5
    for name in kernels:
        assert np.abs(after[name] - before[name]).max() < 0.1 * np.abs(before[name]).max()
    assert any((after[name] != before[name]).any() for name in kernels)


@pytest.mark.slow
def test_a_3d_contour_network_learns_and_predicts(source, tmp_path):
    params = TrainParams(
        size="small", dimensions=3, epochs=2, iterations_per_epoch=30, batch=2, patch=32
    )
    package = finish(fit.train("contours", [source], tmp_path / "model", params, size=64))
    assert package.plan.dimensions == 3
    assert len(package.plan.patch_size) == 3
    rows = losses(tmp_path / "model")
    assert rows[1]["train_loss"] < rows[0]["train_loss"]

    image, truth = (tifffile.imread(path) for path in (source.image, source.truth))
    network = Network.load(package, DeviceParams(device="cpu"))
    found = finish(predict_contours(resize_image(image, 1.0), network))
    assert found.shape == image.shape
    lines = resize_truth(truth, 1.0, "labels", WIDTH, "region") == CONTOUR
    assert found[lines].mean() > found[~lines].mean() + 0.2


@pytest.mark.slow
def test_killed_training_resumes_from_its_last_checkpoint(source, tmp_path):
    out = tmp_path / "model"
    params = TrainParams(size="small", epochs=3, iterations_per_epoch=25, batch=2, patch=32)
    work = fit.train("contours", [source], out, params, size=64)
    with pytest.raises(CopnetError, match="ended with code"):
        for progress in work:
            child = child_of(os.getpid()) if progress.partial else None
            if child:
                child.kill()
    rows = losses(out)
    assert not out.exists()
    done = len(rows)
    assert 1 <= done < 3
    package = finish(fit.train("contours", [source], out, params, size=64, resume=True))
    again = losses(out)
    assert [row["step"] for row in again] == [25, 50, 75]
    assert again[:done] == rows
    assert package.card["steps"] == 75

    straight = tmp_path / "straight"
    finish(fit.train("contours", [source], straight, params, size=64))
    for row, other in zip(again, losses(straight), strict=True):
        assert row["train_loss"] == pytest.approx(other["train_loss"], rel=0.02)
        assert row["learning_rate"] == pytest.approx(other["learning_rate"])


@pytest.mark.slow
def test_closing_the_generator_saves_and_stops(source, tmp_path):
    import torch

    out = tmp_path / "model"
    params = TrainParams(size="small", epochs=500, iterations_per_epoch=50, batch=2, patch=32)
    work = fit.train("closing", [source], out, params, size=64)
    for progress in work:
        if 0 < progress.done < 1 and progress.step == "training":
            break
    child = child_of(os.getpid())
    work.close()
    assert not child.is_running()
    saved = torch.load(fit.work_folder(out) / "checkpoint.pt", weights_only=True)
    assert 0 < saved["step"] < 500 * 50
    # a limit in time that is already used up ends the resumed training at once
    short = TrainParams(
        size="small", epochs=500, iterations_per_epoch=50, batch=2, patch=32, minutes=0.01
    )
    package = finish(fit.train("closing", [], out, short, size=64, resume=True))
    assert package.card["steps"] >= saved["step"]


def test_a_training_of_an_earlier_version_is_read():
    record = json.loads(
        '{"kind": "closing", "start_from": "", "degrade": {}, '
        '"params": {"epochs": 3, "harder": false}, "sources": ['
        '{"count": 12, "seed": 22260, "params": null, "slices": 6, "size": 512, "step1": null, '
        '"weight": 0.15, "type": "MadeTissue"}, '
        '{"truth": "a/instances.tif", "image": null, "contours": null, "slices": "0-9", '
        '"planes": ["xy", "xz"], "type": "Source"}]}'
    )
    made, annotated = fit._sources_of(record)
    assert made == SyntheticTissue(count=12, seed=22260, slices=6, weight=0.15)
    assert annotated == Source(Path("a/instances.tif"), slices="0-9", planes=("xy", "xz"))
    settings = {"degrade": {}, "start_from": ""}
    same = {"params": as_dict(TrainParams(epochs=3, artefacts=False)), **settings}
    fit._same_training(record, "closing", same)
    other = {"params": as_dict(TrainParams(epochs=3, artefacts=True)), **settings}
    with pytest.raises(InputError, match="started with artefacts False, not True"):
        fit._same_training(record, "closing", other)


PARENT = """
import sys
from pathlib import Path
from napari_copnet.params import TrainParams
from napari_copnet.progress import finish
from napari_copnet.training import fit
from napari_copnet.training.sources import Source
truth, image, out = map(Path, sys.argv[1:])
params = TrainParams(size="small", epochs=500, iterations_per_epoch=50, batch=2, patch=32)
finish(fit.train("contours", [Source(truth=truth, image=image)], out, params, size=64))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_child_ends_when_its_parent_is_killed(source, tmp_path):
    out = tmp_path / "model"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(source.truth), str(source.image), str(out)]
    )
    try:
        child = wait_for(lambda: child_of(parent.pid))
        progress = fit.work_folder(out) / "progress.jsonl"
        wait_for(lambda: progress.exists() and "training" in progress.read_text())
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 15)
    assert json.loads(progress.read_text().splitlines()[-1])["state"] == "stopped"


@pytest.mark.slow
def test_an_error_in_the_child_is_one_sentence(source, tmp_path, monkeypatch):
    params = TrainParams(size="small", epochs=2, iterations_per_epoch=3, batch=2, patch=32)
    monkeypatch.setattr(fit, "as_dict", _broken_learning_rate(fit.as_dict))
    with pytest.raises(CopnetError, match="Learning rate can't be"):
        finish(fit.train("contours", [source], tmp_path / "model", params, size=64))
    assert not (tmp_path / "model").exists()


def _broken_learning_rate(as_dict):
    def broken(params):
        values = as_dict(params)
        if "learning_rate" in values:
            values["learning_rate"] = 1e9
        return values

    return broken


def test_what_cannot_be_trained_is_said_before_work_starts(source, tmp_path):
    out = tmp_path / "model"
    with pytest.raises(InputError, match="two-dimensional"):
        finish(fit.train("closing", [source], out, TrainParams(dimensions=3)))
    with pytest.raises(InputError, match="no training"):
        finish(fit.train("closing", [source], out, resume=True))
    with pytest.raises(InputError, match="kind"):
        finish(fit.train("cells", [source], out))
    assert not fit.work_folder(out).exists()


def test_a_second_training_of_the_same_model_is_refused(source, tmp_path):
    first = fit.train("contours", [source], tmp_path / "model", TINY)
    next(first)
    with pytest.raises(CopnetError, match="already running"):
        finish(fit.train("contours", [source], tmp_path / "model", TINY))
    first.close()
    again = fit.train("contours", [source], tmp_path / "model", TINY)
    assert next(again).step == "dataset"
    again.close()


def test_a_card_has_at_most_twenty_points_of_the_curve_evenly_spaced():
    rows = [{"step": n, "validation_dice": n / 100} for n in range(1, 59)]
    curve = learning_curve([*rows, {"step": 59}])
    steps = [step for step, _ in curve]
    assert len(curve) == 20 and steps[0] == 1 and steps[-1] == 58
    assert {after - before for before, after in itertools.pairwise(steps)} == {3}
    assert all(dice == step / 100 for step, dice in curve)
    assert learning_curve([]) == [] and fit.learning_curve(rows[:1]) == [[1, 0.01]]
