"""The settings of scores, and of baselines that have to be trained."""

from __future__ import annotations

from dataclasses import dataclass

from napari_copnet.params.setting import setting


@dataclass(frozen=True)
class ScoreParams:
    """How predicted contours are scored against true ones."""

    closing_radius: int = setting(
        3,
        "Close true contour by",
        "Radius of the closing by reconstruction of the true contour.",
        unit="px",
        minimum=0,
        advanced=True,
    )
    dilation: int = setting(
        3,
        "Thicken prediction by",
        "Dilation of the predicted contour before labelling.",
        unit="px",
        minimum=0,
        advanced=True,
    )
    grow: int = setting(
        10, "Grow back by", "Growth of predicted labels.", unit="px", minimum=0, advanced=True
    )
    overlap: float = setting(
        0.85,
        "Overlap",
        "Share of a true cell that a predicted cell has to cover.",
        minimum=0.5,
        maximum=1.0,
        advanced=True,
    )
    tolerance: float = setting(
        2.0,
        "NSD tolerance",
        "Distance within which borders agree.",
        unit="px",
        minimum=0.0,
        advanced=True,
    )
    skeleton: str = setting(
        "zhang",
        "Skeleton",
        "Skeletonisation for clDice: values of the two differ.",
        choices=("zhang", "lee"),
        advanced=True,
    )


@dataclass(frozen=True)
class BaselineParams:
    """Baselines of the closing network that have to be trained."""

    chen_minutes: float = setting(
        10.0, "Chen: minutes", "Time to train the gap network of Chen et al. 2018.", minimum=0.01
    )
    chen_model: str | None = setting(
        None, "Chen: model", "Folder of a gap network trained before, instead of training one."
    )
    chen_gaps: int = setting(
        16,
        "Chen: gaps",
        "Circles cut out of a true contour of 512×512 px to train with.",
        minimum=1,
        maximum=1000,
        advanced=True,
    )
    chen_radius_min: float = setting(
        6.0, "Chen: smallest radius", "Of a gap, in `chen_unit`.", minimum=0.0, advanced=True
    )
    chen_radius_max: float = setting(
        21.0,
        "Chen: largest radius",
        "Of a gap; 6 to 21 px are the 1 to 3.5 µm of the paper at its 512 px.",
        minimum=0.0,
        advanced=True,
    )
    chen_unit: str = setting(
        "px", "Chen: unit", "Unit of the radii.", choices=("px", "um"), advanced=True
    )
    cellpose_model: str | None = setting(
        None,
        "Cellpose: model",
        "File with weights to begin with, such as cyto3; default: the cyto3 that Cellpose has "
        "fetched before.",
    )
    cellpose_epochs: int = setting(
        100,
        "Cellpose: epochs",
        "Epochs of fine-tuning on the training slices; 0 takes the weights as they are.",
        minimum=0,
    )
