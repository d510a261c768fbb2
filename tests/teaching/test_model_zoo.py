"""Packages for the BioImage Model Zoo: others compute what we do, and its validator agrees."""

import io
import json
import zipfile

import numpy as np
import pytest

from napari_copnet.errors import InputError
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
        described = json.loads(archive.read("rdf.yaml"))
        image = np.load(io.BytesIO(archive.read("test-input.npy")))
        told = np.load(io.BytesIO(archive.read("test-output.npy")))
        module = torch.jit.load(io.BytesIO(archive.read("weights.pt")))
    network = Network.load(model, DeviceParams(device="cpu", precision="float32"))
    # one tile, as the module sees it
    network.plan = type(model.plan)(**{**vars(model.plan), "tile_size": image.shape[2:]})
    ours = finish(network.predict(image))
    assert np.abs(told[:, 0] - ours).max() < 1e-4
    normalise = described["inputs"][0].get("preprocessing")
    assert bool(normalise) == (model.kind == "contours")
    # sizes that the description allows: multiples of the stride, from twice the stride on
    axis = described["inputs"][0]["axes"][-1]["size"]
    other = torch.rand(2, 1, axis["min"], axis["min"] + 3 * axis["step"])
    assert module(other).shape == other.shape


def test_the_validator_of_the_zoo_accepts_it(packed):
    spec = pytest.importorskip("bioimageio.spec")
    _, path = packed
    with spec.ValidationContext(perform_io_checks=True):
        found = spec.load_description(path)
    assert found.validation_summary.status in ("passed", "valid-format")
    assert not isinstance(found, spec.InvalidDescr)
    assert found.license == "CC-BY-4.0" and found.authors[0].name == "Ada Lovelace"


def test_it_asks_for_an_author_and_a_licence(tiny_models, tmp_path):
    model = load_package(tiny_models["contours"])
    with pytest.raises(InputError, match="who made"):
        export_model_zoo(model, tmp_path / "m.zip", authors=[" "])
    with pytest.raises(InputError, match="SPDX"):
        export_model_zoo(model, tmp_path / "m.zip", authors=["A"], licence="as you like")
    assert not (tmp_path / "m.zip").exists()
