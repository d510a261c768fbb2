"""nnU-Net behind one adapter: plans to network to prediction, the one place that runs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
