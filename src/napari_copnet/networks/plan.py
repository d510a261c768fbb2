"""The plan of a network, read from model files or nnU-Net plans, never imported by name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from typing import Any

from napari_copnet.errors import ModelError

ARCHITECTURES = ("PlainConvUNet", "ResidualEncoderUNet")
NORMALISATIONS = ("zscore", "none", "rescale01")

# nnU-Net's plans name classes that it imports; only these names are understood, as plain text.
_NETWORK_CLASSES = {
    "dynamic_network_architectures.architectures.unet.PlainConvUNet": "PlainConvUNet",
    "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet": "ResidualEncoderUNet",
    "dynamic_network_architectures.architectures.residual_unet.ResidualEncoderUNet": (
        "ResidualEncoderUNet"
    ),
    "PlainConvUNet": "PlainConvUNet",
    "ResidualEncoderUNet": "ResidualEncoderUNet",
}
_CONVOLUTIONS = {"torch.nn.modules.conv.Conv2d": 2, "torch.nn.modules.conv.Conv3d": 3}
_NORMS = {
    "torch.nn.modules.instancenorm.InstanceNorm2d": 2,
    "torch.nn.modules.instancenorm.InstanceNorm3d": 3,
}
_NONLINEARITIES = ("torch.nn.LeakyReLU", "torch.nn.modules.activation.LeakyReLU")
_NORMALISERS = {
    "ZScoreNormalization": "zscore",
    "NoNormalization": "none",
    "RescaleTo01Normalization": "rescale01",
}
_PREPROCESSORS = ("DefaultPreprocessor",)
_MOST_STAGES = 12
_HINT = "The model file may be damaged, or made by a newer version."


@dataclass(frozen=True)
class NetworkPlan:
    """A network as nnU-Net plans it. Spatial values are ordered (Y, X) or (Z, Y, X).

    Attributes
    ----------
    architecture : str
        ``"PlainConvUNet"`` or ``"ResidualEncoderUNet"``.
    dimensions : int
        2 or 3.
    in_channels, classes : int
        Channels of the input; classes of the output, background included. Class 1 is the contour.
    patch_size : tuple of int
        Patch the network was trained on, px.
    tile_size : tuple of int
        Tile for prediction, px.
    features_per_stage, n_conv_per_stage : tuple of int
        One for each stage. For the residual architecture the second counts residual blocks.
    kernel_sizes, strides : tuple of tuple of int
        One for each stage and axis.
    n_conv_per_stage_decoder : tuple of int
        One fewer than stages.
    normalisation : tuple of str
        For each channel ``"zscore"``, ``"none"`` or ``"rescale01"``.
    mirror_axes : tuple of int or None
        Spatial axes over which predictions may be mirrored; None for all, empty for none.
    spacing : tuple of float or None
        Voxel size trained for, in the unit of the training data; None where it does not matter.

    Raises
    ------
    ModelError
        A value is out of range or does not fit the others.
    """

    architecture: str
    dimensions: int
    in_channels: int
    classes: int
    patch_size: tuple[int, ...]
    features_per_stage: tuple[int, ...]
    kernel_sizes: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...]
    n_conv_per_stage: tuple[int, ...]
    n_conv_per_stage_decoder: tuple[int, ...]
    normalisation: tuple[str, ...]
    tile_size: tuple[int, ...] = ()
    spacing: tuple[float, ...] | None = None
    mirror_axes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.tile_size:
            object.__setattr__(self, "tile_size", self.patch_size)
        if self.architecture not in ARCHITECTURES:
            raise _refused("architecture", self.architecture)
        if self.dimensions not in (2, 3) or isinstance(self.dimensions, bool):
            raise _refused("dimensions", self.dimensions)
        _check_whole("in_channels", (self.in_channels,), 1, 64, 1)
        _check_whole("classes", (self.classes,), 2, 256, 1)
        stages, axes = len(self.features_per_stage), self.dimensions
        if not 2 <= stages <= _MOST_STAGES:
            raise _refused("features_per_stage", self.features_per_stage)
        _check_whole("features_per_stage", self.features_per_stage, 1, 2048, stages)
        _check_whole("n_conv_per_stage", self.n_conv_per_stage, 1, 16, stages)
        _check_whole("n_conv_per_stage_decoder", self.n_conv_per_stage_decoder, 1, 16, stages - 1)
        for name, rows, highest in (
            ("kernel_sizes", self.kernel_sizes, 7),
            ("strides", self.strides, 4),
        ):
            if len(rows) != stages:
                raise _refused(name, rows)
            for row in rows:
                _check_whole(name, row, 1, highest, axes)
        if any(size % 2 == 0 for row in self.kernel_sizes for size in row):
            raise _refused("kernel_sizes", self.kernel_sizes)
        if any(step != 1 for step in self.strides[0]):
            raise _refused("strides", self.strides)
        for name, sizes in (("patch_size", self.patch_size), ("tile_size", self.tile_size)):
            _check_whole(name, sizes, 1, 8192, axes)
            if math.prod(sizes) > 2**28 or any(
                size % stride for size, stride in zip(sizes, self.total_stride, strict=True)
            ):
                raise _refused(name, sizes)
        if len(self.normalisation) != self.in_channels or any(
            name not in NORMALISATIONS for name in self.normalisation
        ):
            raise _refused("normalisation", self.normalisation)
        if self.mirror_axes is not None and self.mirror_axes not in _subsets(axes):
            raise _refused("mirror_axes", self.mirror_axes)
        if self.spacing is not None and (
            len(self.spacing) != axes
            or not all(
                isinstance(size, int | float) and math.isfinite(size) and size > 0
                for size in self.spacing
            )
        ):
            raise _refused("spacing", self.spacing)

    @property
    def total_stride(self) -> tuple[int, ...]:
        """Product of all strides along each axis: tile sizes are multiples of it."""
        return tuple(math.prod(column) for column in zip(*self.strides, strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `plan_from_dict` reads them back."""
        return _plain(asdict(self))


def plan_from_dict(values: Mapping[str, Any]) -> NetworkPlan:
    """Build a plan from plain values.

    Raises
    ------
    ModelError
        An unknown or missing key, or a value out of range.
    """
    if not isinstance(values, Mapping):
        raise _refused("plan", values)
    known = {field.name for field in fields(NetworkPlan)}
    optional = {"tile_size", "spacing", "mirror_axes"}
    unknown, missing = set(values) - known, known - optional - set(values)
    if unknown or missing:
        word = f"an unknown key {min(unknown, key=str)!r}" if unknown else f"no {min(missing)!r}"
        raise ModelError(f"The network plan of this model has {word}.", _HINT)
    try:
        return NetworkPlan(**{name: _frozen(value) for name, value in values.items()})
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"The network plan of this model can't be read ({error}).", _HINT
        ) from error


def plan_from_nnunet(
    plans: Mapping[str, Any], configuration: str, dataset: Mapping[str, Any]
) -> NetworkPlan:
    """Read nnU-Net's ``plans.json`` and ``dataset.json`` by allow-lists; nothing is imported.

    Parameters
    ----------
    plans, dataset : mapping
        The two files as parsed JSON. Plans of older nnU-Net versions (before 2.3) are understood.
    configuration : str
        Such as ``"2d"`` or ``"3d_fullres"``.

    Raises
    ------
    ModelError
        The configuration is unknown, names a class outside the allow-lists, or uses what this
        package does not do (cascades, regions, masked or CT normalisation, transposed axes).
    """
    try:
        return _read(plans, configuration, dataset)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(
            f"The nnU-Net plans of this model can't be understood ({error}).", _HINT
        ) from error


def _read(plans: Mapping[str, Any], configuration: str, dataset: Mapping[str, Any]) -> NetworkPlan:
    chosen = _configuration(plans, configuration)
    if chosen.get("previous_stage"):
        raise _unsupported("a cascade of two networks")
    transpose = list(plans.get("transpose_forward", [0, 1, 2]))
    if transpose != sorted(transpose):
        raise _unsupported("transposed axes")
    if any(chosen.get("use_mask_for_norm", ())):
        raise _unsupported("normalisation inside a mask")
    preprocessor = chosen.get("preprocessor_name", _PREPROCESSORS[0])
    _allowed("preprocessor", preprocessor, _PREPROCESSORS)
    architecture, parts = _architecture(chosen)
    channels = dataset.get("channel_names", dataset.get("modality"))
    labels = {name: value for name, value in dataset["labels"].items() if name != "ignore"}
    if any(not isinstance(value, int) for value in labels.values()):
        raise _unsupported("regions instead of labels")
    if sorted(labels.values()) != list(range(len(labels))):
        raise _refused("labels", labels)
    patch = _frozen(chosen["patch_size"])
    names = chosen["normalization_schemes"]
    for name in names:
        _allowed("normalisation", name, tuple(_NORMALISERS))
    spacing = chosen.get("spacing")
    return NetworkPlan(
        architecture=architecture,
        dimensions=len(patch),
        in_channels=len(channels),
        classes=len(labels),
        patch_size=patch,
        normalisation=tuple(_NORMALISERS[name] for name in names),
        spacing=None if spacing is None else tuple(float(size) for size in spacing[-len(patch) :]),
        **parts,
    )


def _configuration(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a configuration with those it inherits from merged in."""
    known = plans["configurations"]
    chain: list[str] = []
    while True:
        if name not in known:
            raise ModelError(
                f"The nnU-Net plans of this model have no configuration {name!r}.",
                f"They have {', '.join(sorted(map(str, known)))}.",
            )
        if name in chain:
            raise ModelError("The nnU-Net plans of this model inherit in a circle.", _HINT)
        chain.append(name)
        parent = known[name].get("inherits_from")
        if parent is None:
            break
        name = parent
    merged: dict[str, Any] = {}
    for name in reversed(chain):
        merged.update(known[name])
    return merged


def _architecture(chosen: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the architecture's name and its parts, from new or old plans."""
    axes = len(chosen["patch_size"])
    if "architecture" not in chosen:
        name = chosen["UNet_class_name"]
        _allowed("network class", name, tuple(_NETWORK_CLASSES))
        convs = chosen["n_conv_per_stage_encoder"]
        base, most = chosen["UNet_base_num_features"], chosen["unet_max_num_features"]
        kernels, strides = chosen["conv_kernel_sizes"], chosen["pool_op_kernel_sizes"]
        if not isinstance(convs, list) or len(convs) > _MOST_STAGES:
            raise _refused("n_conv_per_stage_encoder", convs)
        features = [min(base * 2**stage, most) for stage in range(len(convs))]
        decoder = chosen["n_conv_per_stage_decoder"]
    else:
        name = chosen["architecture"]["network_class_name"]
        _allowed("network class", name, tuple(_NETWORK_CLASSES))
        kwargs = dict(chosen["architecture"]["arch_kwargs"])
        _check_operators(kwargs, axes)
        stages = kwargs.pop("n_stages")
        features = _per_stage(kwargs.pop("features_per_stage"), stages)
        kernels = _per_stage(kwargs.pop("kernel_sizes"), stages)
        strides = _per_stage(kwargs.pop("strides"), stages)
        key = "n_conv_per_stage" if name.endswith("PlainConvUNet") else "n_blocks_per_stage"
        convs = _per_stage(kwargs.pop(key), stages)
        decoder = _per_stage(kwargs.pop("n_conv_per_stage_decoder"), stages - 1)
        if kwargs:
            raise _refused("architecture", sorted(kwargs))
    parts = {
        "features_per_stage": _frozen(features),
        "kernel_sizes": _by_axis(kernels, axes),
        "strides": _by_axis(strides, axes),
        "n_conv_per_stage": _frozen(convs),
        "n_conv_per_stage_decoder": _frozen(decoder),
    }
    return _NETWORK_CLASSES[name], parts


def _check_operators(kwargs: dict[str, Any], axes: int) -> None:
    """Remove the operators from `kwargs` after checking that they are the ones we build."""
    for key, table in (("conv_op", _CONVOLUTIONS), ("norm_op", _NORMS)):
        name = kwargs.pop(key)
        _allowed(key, name, tuple(table))
        if table[name] != axes:
            raise _refused(key, name)
    _allowed("nonlin", kwargs.pop("nonlin"), _NONLINEARITIES)
    for key, expected in (
        ("conv_bias", (True,)),
        ("norm_op_kwargs", ({"eps": 1e-05, "affine": True},)),
        ("nonlin_kwargs", ({"inplace": True},)),
        ("dropout_op", (None,)),
        ("dropout_op_kwargs", (None, {})),
        ("deep_supervision", (True, False, None)),
        ("nonlin_first", (False, None)),
    ):
        value = kwargs.pop(key, expected[0])
        if value not in expected:
            raise _refused(key, value)


def _subsets(axes: int) -> set[tuple[int, ...]]:
    return {some for count in range(axes + 1) for some in combinations(range(axes), count)}


def _per_stage(value: Any, stages: Any) -> Any:
    if not isinstance(stages, int) or not 1 <= stages <= _MOST_STAGES:
        raise _refused("n_stages", stages)
    return [value] * stages if isinstance(value, int) else value


def _by_axis(rows: Sequence[Any], axes: int) -> tuple[tuple[int, ...], ...]:
    return tuple((row,) * axes if isinstance(row, int) else _frozen(row) for row in rows)


def _allowed(what: str, name: Any, names: tuple[str, ...]) -> None:
    if not isinstance(name, str) or name not in names:
        raise ModelError(
            f"The nnU-Net plans name a {what} that is not allowed: {str(name)[:80]!r}.",
            f"Allowed: {', '.join(names)}. Nothing was loaded.",
        )


def _check_whole(name: str, values: Any, lowest: int, highest: int, count: int) -> None:
    if (
        not isinstance(values, tuple)
        or len(values) != count
        or any(
            not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest
            for value in values
        )
    ):
        raise _refused(name, values)


def _refused(name: str, value: Any) -> ModelError:
    text = repr(value)
    return ModelError(
        f"The network plan of this model has {name} = {text[:80]}, which is not valid.", _HINT
    )


def _unsupported(what: str) -> ModelError:
    return ModelError(
        f"This nnU-Net model uses {what}, which napari-copnet does not support.",
        "Import a 2d or 3d_fullres configuration trained with nnU-Net's defaults.",
    )


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
