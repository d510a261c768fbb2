"""Neighbouring slices as channels: what training draws, and a network that has learnt with them."""

import dataclasses
import random

import numpy as np
import pytest
import tifffile
import torch

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.networks.nnunet import Network, build_network
from napari_copnet.networks.package import load_package
from napari_copnet.params import ClosingParams, DegradeParams, DeviceParams, TrainParams
from napari_copnet.progress import finish
from napari_copnet.steps.closing import close
from napari_copnet.training import child, fit
from napari_copnet.training.nnunet_trainer_data import (
    NO_MAP,
    FreshDegradation,
    MiddleTruth,
    change_thickness,
    with_neighbours,
)
from napari_copnet.training.sources import Source


def test_neighbours_are_channels_and_the_ends_repeat():
    stack = np.arange(4)[:, None, None] * np.ones((4, 2, 3), np.int64)
    seen = with_neighbours(stack, 2)
    assert seen.shape == (5, 4, 2, 3)
    assert seen[:, 0, 0, 0].tolist() == [0, 0, 0, 1, 2]
    assert seen[:, 3, 1, 2].tolist() == [1, 2, 3, 3, 3]
    assert np.shares_memory(with_neighbours(stack, 0), stack)


def test_each_channel_is_degraded_from_its_own_truth():
    truths = torch.zeros(3, 64, 64, dtype=torch.int16)
    for channel, row in enumerate((10, 30, 50)):
        truths[channel, row : row + 4] = 1
    truths[1, :, 60:] = 2  # not annotated
    random.seed(3)
    transform = FreshDegradation(DegradeParams(), artefacts=False)
    for _ in range(8):
        given = {"segmentation": truths.clone(), "image": torch.full((3, 64, 64), NO_MAP)}
        done = transform.apply(given)
        assert done["segmentation"].shape == (1, 64, 64)
        assert (done["segmentation"][0, 30:34, :60] == 1).all()
        assert (done["segmentation"][0, :, 60:] == 2).all()
        assert done["image"].shape == (3, 64, 64)
        brightest = done["image"][:, :, :60].mean(dim=2).argmax(dim=1)
        assert (brightest - torch.tensor([11, 31, 51])).abs().max() <= 4
    maps = torch.rand(3, 64, 64)
    fixed = FreshDegradation(DegradeParams(), artefacts=True, fixed=True)
    done = fixed.apply({"segmentation": truths, "image": maps})
    assert torch.equal(done["image"], maps)
    assert MiddleTruth().apply({"segmentation": truths})["segmentation"][0, 31, 0] == 1


def test_all_channels_become_as_thick():
    lines = np.zeros((2, 30, 30), bool)
    lines[0, 15], lines[1, :, 15] = True, True
    rng = np.random.default_rng(1)
    areas = {tuple(change_thickness(lines, rng).sum(axis=(1, 2))) for _ in range(20)}
    assert len(areas) > 2 and all(one == other for one, other in areas)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    z, y, x = np.indices((12, 64, 64))
    labels = (1 + (y + z) // 16 + 6 * (x // 16)).astype(np.uint16)
    tifffile.imwrite(folder / "truth.tif", labels)
    return Source(truth=folder / "truth.tif")


TINY = {"size": "small", "epochs": 1, "iterations_per_epoch": 4, "batch": 2, "patch": 32}


@pytest.mark.slow
def test_a_network_learns_and_closes_with_context(source, tmp_path):
    params = TrainParams(context=1, own_outputs=1.0, **TINY)
    package = finish(fit.train("closing", [source], tmp_path / "wide", params, size=64))
    assert package.plan.in_channels == 3 and package.plan.normalisation == ("none",) * 3
    rng = np.random.default_rng(0)
    u = rng.random((4, 64, 64), np.float32)
    network = Network.load(package, DeviceParams(device="cpu", precision="float32"))
    once = ClosingParams(max_iterations=1, match_certainty=False)
    result = finish(close(u, network, once)).probability
    changed = u.copy()
    changed[3] = 0
    other = finish(close(changed, network, once)).probability
    np.testing.assert_array_equal(other[:2], result[:2])
    assert np.abs(other[2] - result[2]).max() > 1e-4


def test_weights_for_more_context_give_the_same_output(tiny_models):
    package = load_package(tiny_models["closing"])
    weights = package.weights()
    x = torch.rand(1, 5, 64, 64)
    outputs = []
    for channels, seen in ((1, x[:, 2:3]), (5, x)):
        plan = dataclasses.replace(
            package.plan, in_channels=channels, normalisation=("none",) * channels
        )
        network = build_network(plan).eval()
        state = child.with_channels(weights, 1, channels)
        network.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()}, strict=False)
        with torch.no_grad():
            outputs.append(network(seen))
    assert torch.allclose(*outputs, atol=1e-5)
    assert child.with_channels(weights, 1, 1) is weights
    with pytest.raises(CopnetError, match="3 channels, not 1"):
        child.with_channels(weights, 3, 1)


def test_context_is_refused_where_it_has_no_meaning(source, tmp_path):
    params = TrainParams(context=1, **TINY)
    with pytest.raises(InputError, match="neighbouring"):
        finish(fit.train("contours", [source], tmp_path / "m", params))
    circles = DegradeParams(method="circles")
    with pytest.raises(InputError, match="neighbouring"):
        finish(fit.train("closing", [source], tmp_path / "m", params, circles))
    assert not fit.work_folder(tmp_path / "m").exists()


def test_fixed_maps_are_made_once_and_given_as_they_are(source, tmp_path):
    from napari_copnet.training.dataset import prepare, read_cases

    folder = finish(prepare("closing", [source], tmp_path / "d", size=64, fixed_maps=3))
    cases = read_cases(folder)["cases"]
    train = {name: case for name, case in cases.items() if case["role"] == "train"}
    assert len(train) == 3 and all(case["given"] for case in train.values())
    assert sum(case["weight"] for case in train.values()) == pytest.approx(1)
    raw = folder / "nnUNet_raw" / "Dataset001_closing" / "imagesTr"
    maps = [tifffile.imread(raw / f"{name}_0000.tif") for name in train]
    assert not np.array_equal(maps[0], maps[1]) and maps[0].std() > 0.05
    validation = [case for case in cases.values() if case["role"] == "validation"]
    assert len(validation) == 1 and not validation[0]["given"]
