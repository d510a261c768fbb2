"""Fixtures shared by all tests."""

import os

import pytest
from hypothesis import settings

# Property tests draw the same examples each time, so that a change is judged by what it changed;
# `make test-all` draws others (HYPOTHESIS_PROFILE=search).
settings.register_profile("steady", derandomize=True)
settings.register_profile("search", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory):
    """Return folders of two tiny networks with seeded weights: contours and closing."""
    import torch

    from napari_copnet.networks.nnunet import build_network
    from napari_copnet.networks.package import save_package
    from napari_copnet.networks.plan import NetworkPlan

    folder = tmp_path_factory.mktemp("models")
    made = {}
    for kind, normalisation in (("contours", "zscore"), ("closing", "none")):
        plan = NetworkPlan(
            architecture="PlainConvUNet",
            dimensions=2,
            in_channels=1,
            classes=2,
            patch_size=(32, 32),
            tile_size=(32, 32),
            features_per_stage=(4, 8),
            kernel_sizes=((3, 3), (3, 3)),
            strides=((1, 1), (2, 2)),
            n_conv_per_stage=(1, 1),
            n_conv_per_stage_decoder=(1,),
            normalisation=(normalisation,),
        )
        torch.manual_seed(len(made))
        network = build_network(plan)
        weights = {name: value.detach().numpy() for name, value in network.named_parameters()}
        package = save_package(
            folder / kind, name=f"tiny-{kind}", kind=kind, plan=plan, weights=weights, card={}
        )
        made[kind] = package.folder
    return made
