"""A larger network that begins as the smaller one."""

import numpy as np
import pytest
import torch

from made_networks import made_network, made_plan, weights_of
from napari_copnet.networks.architecture import network_with_weights
from napari_copnet.networks.package import save_package
from research.grow import grow


@pytest.fixture
def small(tmp_path):
    plan = made_plan()
    # Weights of which half precision holds every one.
    weights = {
        name: np.round(values, 2).astype(np.float16).astype(np.float32)
        for name, values in weights_of(made_network(plan, 3)).items()
    }
    return save_package(
        tmp_path / "small", name="small", kind="contours", plan=plan, weights=weights, card={}
    )


def probability(package):
    weights = {name: values.astype(np.float32) for name, values in package.weights().items()}
    network = network_with_weights(package.plan, weights)
    image = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 32, 32))).float()
    with torch.no_grad():
        return torch.softmax(network(image), 1)[0, 1].numpy()


def test_a_wider_network_begins_as_the_one_it_grew_from(small, tmp_path):
    wide = grow(small, (6, 8, 20), tmp_path / "wide", 1)
    assert wide.plan.features_per_stage == (6, 8, 20)
    np.testing.assert_allclose(probability(wide), probability(small), atol=1e-6)
    # What is new takes part once it is trained: some of its weights are not 0.
    name = "encoder.stages.0.0.convs.0.conv.weight"
    assert np.abs(wide.weights()[name][4:]).max() > 0
    assert wide.card["grown_from"]["sha256"] == small.sha256


def test_a_deeper_network_passes_on_what_was_deepest(small, tmp_path):
    deep = grow(small, (4, 8, 16, 16), tmp_path / "deep", 1)
    assert len(deep.plan.strides) == 4 and len(deep.plan.n_conv_per_stage_decoder) == 3
    before, after = probability(small), probability(deep)
    # Alike but for the normalisation that can't be left out; a new network would be anything.
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("features", [(2, 8, 16), (4, 8), (4, 8, 16, 16, 16)])
def test_a_network_does_not_shrink_nor_grow_by_two_stages(small, tmp_path, features):
    with pytest.raises(ValueError, match="can't grow"):
        grow(small, features, tmp_path / "other", 1)
