"""Packages for the BioImage Model Zoo: others compute what we do, and its validator agrees."""

import io
import sys
import zipfile

import bioimageio.spec as spec
import numpy as np
import pytest

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import load_package
from napari_copnet.params import DeviceParams
from napari_copnet.progress import finish
from napari_copnet.teaching.model_zoo import export_model_zoo


@pytest.fixture(params=["contours", "closing"])
def packed(request, tiny_models, tmp_path):
    model = load_package(tiny_models[request.param])
    return model, export_model_zoo(
        model, tmp_path / "model.zip", authors=["Ada Lovelace"], licence="CC-BY-4.0"
    )


def test_the_torchscript_computes_what_our_network_does(packed, tmp_path):
    import torch

    model, path = packed
    with zipfile.ZipFile(path) as archive:
        image = np.load(io.BytesIO(archive.read("test-input.npy")))
        told = np.load(io.BytesIO(archive.read("test-output.npy")))
        module = torch.jit.load(io.BytesIO(archive.read("weights.pt")))
    network = Network.load(model, DeviceParams(device="cpu", precision="float32"))
    # one tile, as the module sees it
    network.plan = type(model.plan)(**{**vars(model.plan), "tile_size": image.shape[2:]})
    ours = finish(network.predict(image))
    assert np.abs(told[:, 0] - ours).max() < 1e-4
    described = spec.load_model_description(path, perform_io_checks=False).inputs[0]
    normalised = any(step.id == "zero_mean_unit_variance" for step in described.preprocessing)
    assert normalised == (model.kind == "contours")
    # sizes that the description allows: multiples of the stride, from twice the stride on
    size = described.axes[-1].size
    assert (size.min, size.step) == (2 * model.plan.total_stride[-1], model.plan.total_stride[-1])
    other = torch.rand(2, 1, size.min, size.min + 3 * size.step)
    assert module(other).shape == other.shape


def test_the_validator_of_the_zoo_accepts_it(packed):
    model, path = packed
    with spec.ValidationContext(perform_io_checks=True):
        found = spec.load_description(path)
    assert found.validation_summary.status in ("passed", "valid-format")
    assert not isinstance(found, spec.InvalidDescr)
    assert found.license == "CC-BY-4.0" and found.authors[0].name == "Ada Lovelace"
    assert found.config.copnet == {
        "kind": model.kind,
        "name": model.name,
        "sha256": model.sha256,
    }
    # every file with its hash, so that a damaged download shows
    files = [found.documentation, *found.covers, found.weights.torchscript]
    files += [found.inputs[0].test_tensor, found.outputs[0].test_tensor]
    assert all(file.sha256 for file in files)


def test_what_the_validator_refuses_is_not_written(tiny_models, tmp_path, monkeypatch):
    model = load_package(tiny_models["contours"])
    wrong = np.zeros((1, 1, 96, 80), np.float32)  # narrower than the input

    def broken(package, path, example):
        path.write_bytes(b"weights")
        return wrong

    monkeypatch.setattr("napari_copnet.teaching.model_zoo.write_torchscript", broken)
    with pytest.raises(CopnetError, match="rejects"):
        export_model_zoo(model, tmp_path / "m.zip", authors=["A"])
    assert list(tmp_path.iterdir()) == []


def test_without_the_library_it_says_what_to_install(tiny_models, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bioimageio.spec", None)
    with pytest.raises(CopnetError, match=r"pip install .napari-copnet\[zoo\]"):
        export_model_zoo(load_package(tiny_models["closing"]), tmp_path / "m.zip", authors=["A"])


def test_it_asks_for_an_author_and_a_licence(tiny_models, tmp_path):
    model = load_package(tiny_models["contours"])
    with pytest.raises(InputError, match="requires an author"):
        export_model_zoo(model, tmp_path / "m.zip", authors=[" "])
    with pytest.raises(InputError, match="SPDX"):
        export_model_zoo(model, tmp_path / "m.zip", authors=["A"], licence="as you like")
    assert not (tmp_path / "m.zip").exists()
