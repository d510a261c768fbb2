"""Make a trained 2D network wider and deeper without losing what it has learnt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_copnet.networks.architecture import build_network
from napari_copnet.networks.package import ModelPackage, save_package
from napari_copnet.networks.plan import NetworkPlan

# What a normalised map that passed a leaky ReLU has on average, and its standard deviation.
MEAN, SPREAD = 0.4, 0.58


def grow(package: ModelPackage, features: tuple[int, ...], out: Path, seed: int) -> ModelPackage:
    """Write a larger network that begins with the weights of a smaller one.

    New channels have random weights where they come from, and 0 where they go, so the larger
    network computes what the smaller one did until it is trained (as in Net2Net, Chen et al.
    2016). A new deepest stage likewise goes nowhere at first: the first two convolutions of the
    decoder pass on what was the deepest map, and their normalisation, which can't be left out,
    keeps about its mean and spread.

    Parameters
    ----------
    package : ModelPackage
        A 2D ``PlainConvUNet`` with two convolutions a stage.
    features : tuple of int
        Of each stage: none smaller than before, and the same number of stages or one more.
    out : Path
        Folder of the new model.
    seed : int
        Of the random weights.
    """
    import torch

    old = package.plan
    plan = _larger(old, features)
    deeper = len(features) - len(old.features_per_stage)
    torch.manual_seed(seed)
    weights = {
        name: value.detach().numpy().copy()
        for name, value in build_network(plan).named_parameters()
    }
    for name, values in package.weights().items():
        _fill(weights[_renamed(name, deeper)], values.astype(np.float32), _kept(name, old, plan))
    if deeper:
        _pass_on(weights, old.features_per_stage[-1])
    return save_package(
        out,
        name=f"{package.name}-larger",
        kind=package.kind,
        plan=plan,
        weights=weights,
        card={**package.card, "grown_from": {"sha256": package.sha256}},
        replace=True,
    )


def _larger(old: NetworkPlan, features: tuple[int, ...]) -> NetworkPlan:
    count = len(features)
    before = old.features_per_stage
    if count - len(before) not in (0, 1) or any(
        new < was for new, was in zip(features, before, strict=False)
    ):
        raise ValueError(f"a network with stages {before} can't grow to {features}")
    more = count - len(before)
    return replace(
        old,
        features_per_stage=features,
        kernel_sizes=(*old.kernel_sizes, *[(3, 3)] * more),
        strides=(*old.strides, *[(2, 2)] * more),
        n_conv_per_stage=(*old.n_conv_per_stage, *[2] * more),
        n_conv_per_stage_decoder=(*old.n_conv_per_stage_decoder, *[2] * more),
    )


def _renamed(name: str, deeper: int) -> str:
    """Return what a parameter is called in the deeper network: decoders count from the bottom."""
    parts = name.split(".")
    if parts[0] == "decoder":
        parts[2] = str(int(parts[2]) + deeper)
    return ".".join(parts)


def _kept(name: str, old: NetworkPlan, new: NetworkPlan) -> int:
    """Return where the second half of a decoder's input channels begins; 0 for other weights.

    A decoder's first convolution sees the map from below, then the one beside it.
    """
    if not (name.startswith("decoder.stages.") and name.endswith("convs.0.conv.weight")):
        return 0
    stage = len(old.features_per_stage) - 2 - int(name.split(".")[2])
    return new.features_per_stage[stage]


def _fill(target: np.ndarray, values: np.ndarray, second: int) -> None:
    """Put a parameter into a larger one; what its old outputs get from new inputs is 0."""
    transposed = values.ndim == 4 and target.shape[2:] == (2, 2)
    if values.ndim < 2:
        target[: len(values)] = values
        return
    if transposed:
        target, values = target.swapaxes(0, 1), values.swapaxes(0, 1)
    outputs, inputs = values.shape[:2]
    target[:outputs] = 0
    if second:
        half = inputs // 2
        target[:outputs, :half] = values[:, :half]
        target[:outputs, second : second + half] = values[:, half:]
    else:
        target[:outputs, :inputs] = values


def _pass_on(weights: dict[str, np.ndarray], known: int) -> None:
    """Let the new first stage of the decoder pass on the `known` channels beside it."""
    for number in (0, 1):
        name = f"decoder.stages.0.convs.{number}"
        kernel = weights[f"{name}.conv.weight"]
        kernel[:known] = 0
        beside = kernel.shape[1] // 2 if number == 0 else 0
        channels = np.arange(known)
        kernel[channels, beside + channels, 1, 1] = 1
        weights[f"{name}.norm.weight"][:known] = SPREAD
        weights[f"{name}.norm.bias"][:known] = MEAN
