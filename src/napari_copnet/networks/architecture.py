"""Build nnU-Net's networks from plans, and load weights into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_copnet.errors import ModelError
from napari_copnet.networks.plan import NetworkPlan

if TYPE_CHECKING:
    import torch


def build_network(plan: NetworkPlan, deep_supervision: bool = False) -> torch.nn.Module:
    """Build nnU-Net's network for a plan, with nnU-Net's initial weights.

    Parameters
    ----------
    plan : NetworkPlan
        Checked values; no class is looked up by name.
    deep_supervision : bool
        Whether the network returns the outputs of all decoder stages, as for training.

    Returns
    -------
    torch.nn.Module
        Maps (N, C, Y, X) or (N, C, Z, Y, X) to logits (N, classes, ...).
    """
    import torch
    from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet

    flat = plan.dimensions == 2
    residual = plan.architecture == "ResidualEncoderUNet"
    kind = ResidualEncoderUNet if residual else PlainConvUNet
    network = kind(
        input_channels=plan.in_channels,
        num_classes=plan.classes,
        n_stages=len(plan.features_per_stage),
        features_per_stage=plan.features_per_stage,
        conv_op=torch.nn.Conv2d if flat else torch.nn.Conv3d,
        kernel_sizes=plan.kernel_sizes,
        strides=plan.strides,
        n_conv_per_stage_decoder=plan.n_conv_per_stage_decoder,
        conv_bias=True,
        norm_op=torch.nn.InstanceNorm2d if flat else torch.nn.InstanceNorm3d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=torch.nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=deep_supervision,
        **{"n_blocks_per_stage" if residual else "n_conv_per_stage": plan.n_conv_per_stage},
    )
    network.apply(network.initialize)
    return network


def network_with_weights(plan: NetworkPlan, weights: dict[str, np.ndarray]) -> torch.nn.Module:
    """Build a network and fill in its weights.

    Parameters
    ----------
    weights : dict of ndarray
        By the name of each parameter; parameters that are shared appear once, by first name.

    Raises
    ------
    ModelError
        Names or shapes that do not fit the plan.
    """
    import torch

    with torch.device("meta"):
        network = build_network(plan)
    shapes = {name: tuple(weight.shape) for name, weight in network.named_parameters()}
    wrong = sorted(
        name
        for name in shapes.keys() | weights.keys()
        if name not in shapes or name not in weights or shapes[name] != weights[name].shape
    )
    if wrong:
        raise ModelError(
            f"The weights of this model do not fit its plan, beginning with {wrong[0][:80]!r}.",
            "The model may be damaged: import or train it again.",
        )
    network = network.to_empty(device="cpu")
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.copy_(torch.from_numpy(weights[name]))
    return network.eval()


def round_convolutions(module: torch.nn.Module) -> None:
    """Round the weights of convolutions to bfloat16 once; autocast would do it in every pass."""
    import torch

    kinds = (torch.nn.Conv2d, torch.nn.Conv3d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)
    for part in module.modules():
        if isinstance(part, kinds):
            part.to(torch.bfloat16)
