"""A plan whose tile holds a whole slice."""

import dataclasses

from napari_copnet.networks.plan import NetworkPlan
from napari_copnet.training.fit import whole_slices

PLAN = NetworkPlan(
    architecture="PlainConvUNet",
    dimensions=2,
    in_channels=1,
    classes=2,
    patch_size=(32, 48),
    tile_size=(32, 48),
    features_per_stage=(4, 8, 8),
    kernel_sizes=((3, 3),) * 3,
    strides=((1, 1), (2, 2), (2, 2)),
    n_conv_per_stage=(1, 1, 1),
    n_conv_per_stage_decoder=(1, 1),
    normalisation=("zscore",),
)


def test_the_tile_grows_to_the_slice_in_steps_the_network_can_take():
    assert whole_slices(PLAN, 61).tile_size == (64, 64)
    assert whole_slices(PLAN, 61) == dataclasses.replace(PLAN, tile_size=(64, 64))


def test_a_tile_is_never_smaller_than_the_patch():
    assert whole_slices(PLAN, 40).tile_size == (40, 48)
    assert whole_slices(PLAN, 0).tile_size == (32, 48)
