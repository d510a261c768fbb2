"""The settings of scores, and of baselines that need training."""

from __future__ import annotations

from dataclasses import dataclass

from napari_copnet.params.setting import setting


@dataclass(frozen=True)
class ScoreParams:
    """How predicted contours are scored against true ones."""

    closing_radius: int = setting(
        3,
        "Close true contour by",
        "Radius of the morphological closing by reconstruction that is applied to the true "
        "contour.",
        unit="px",
        minimum=0,
        advanced=True,
    )
    dilation: int = setting(
        3,
        "Thicken prediction by",
        "Radius by which the predicted contour is dilated before cells are labelled.",
        unit="px",
        minimum=0,
        advanced=True,
    )
    grow: int = setting(
        10, "Grow back by", "Growth of the predicted labels.", unit="px", minimum=0, advanced=True
    )
    overlap: float = setting(
        0.85,
        "Overlap",
        "Share of a true cell that a predicted cell must cover.",
        minimum=0.5,
        maximum=1.0,
        advanced=True,
    )
    tolerance: float = setting(
        2.0,
        "NSD tolerance",
        "Distance up to which two borders count as equal.",
        unit="px",
        minimum=0.0,
        advanced=True,
    )
    skeleton: str = setting(
        "zhang",
        "Skeleton",
        "Skeletonisation method for clDice; the two give different values.",
        choices=("zhang", "lee"),
        advanced=True,
    )


@dataclass(frozen=True)
class BaselineParams:
    """Baselines of the closing network that need training."""

    chen_minutes: float = setting(
        10.0, "Chen: minutes", "Training time of the gap network of Chen et al. 2018.", minimum=0.01
    )
    chen_model: str | None = setting(
        None, "Chen: model", "Folder of an earlier gap network, to use instead of training one."
    )
    chen_gaps: int = setting(
        16,
        "Chen: gaps",
        "Circles cut out of each true contour (512×512 px) for training.",
        minimum=1,
        maximum=1000,
        advanced=True,
    )
    chen_radius_min: float = setting(
        6.0, "Chen: smallest radius", "Smallest radius of a gap.", minimum=0.0, advanced=True
    )
    chen_radius_max: float = setting(
        21.0,
        "Chen: largest radius",
        "Largest radius of a gap; 6 to 21 px are the paper's 1 to 3.5 µm at 512 px.",
        minimum=0.0,
        advanced=True,
    )
    chen_unit: str = setting(
        "px", "Chen: unit", "Unit of the radii.", choices=("px", "um"), advanced=True
    )
    cellpose_model: str | None = setting(
        None,
        "Cellpose: model",
        "File of the weights to start from, such as cyto3, or scratch for random ones; default: "
        "the cyto3 that Cellpose downloaded earlier.",
    )
    cellpose_epochs: int = setting(
        100,
        "Cellpose: epochs",
        "Epochs of training on the training slices; 0 uses the weights as they are.",
        minimum=0,
    )
