"""The settings of annotating slices and of fine-tuning on them."""

from __future__ import annotations

from dataclasses import dataclass

from napari_copnet.params.setting import setting


@dataclass(frozen=True)
class ChooseParams:
    """Choose slices to annotate."""

    by: str = setting(
        "step",
        "Slices",
        "step takes every n-th slice; need takes those the networks find hardest, and those that "
        "look least like what they have learnt from.",
        choices=("step", "need"),
    )
    every: int = setting(10, "Every", "step: distance of the slices.", minimum=1)
    first: int = setting(0, "First", "step: the first slice.", minimum=0)
    count: int = setting(10, "Slices", "need: how many to propose.", minimum=1)


@dataclass(frozen=True)
class CheckParams:
    """Check a slice before it counts as done."""

    dangling: float = setting(
        10.0,
        "Open end",
        "A contour that ends freely after at least this length is open.",
        unit="px",
        minimum=1.0,
    )
    large: float = setting(
        8.0,
        "Too large",
        "A cell so many times as large as a usual one may lack a contour.",
        minimum=1.5,
    )
    island: int = setting(
        30, "Tiny island", "Smaller pieces of contour or cell are named.", unit="px", minimum=0
    )


@dataclass(frozen=True)
class FineTuneParams:
    """Fine-tune a model on annotated slices."""

    minutes: float = setting(
        10.0, "Minutes", "How long to train.", unit="min", minimum=0.01, maximum=100_000.0
    )
    learning_rate: float = setting(
        0.01, "Learning rate", "At the start.", minimum=1e-6, maximum=1.0, advanced=True
    )
    hold_out: bool = setting(
        True,
        "Keep slices apart",
        "Keep some annotated slices apart, to compare the new model with the old one on them.",
    )
    corrections: bool = setting(
        False,
        "Learn from corrections",
        "Learn also from single corrections and decisions in slices that are not done; around "
        "them nothing is taken for true.",
    )
    folds: int = setting(
        2,
        "Folds",
        "Closing network: parts into which slices are split when the contour model has learnt "
        "from them, so that its maps are made by a model that has not.",
        minimum=2,
        maximum=10,
        advanced=True,
    )
    fold_minutes: float = setting(
        5.0,
        "Minutes a fold",
        "Closing network: to train each of these.",
        minimum=0.01,
        advanced=True,
    )
    steps: int | None = setting(
        None,
        "Steps",
        "Stop after so many training steps, if that comes before the time is up.",
        minimum=1,
        advanced=True,
    )
    steps_per_epoch: int = setting(
        20, "Steps per epoch", "Training steps between two reports.", minimum=1, advanced=True
    )
    patch: int = setting(
        0, "Patch", "In-plane patch side; 0 takes the model's.", unit="px", minimum=0, advanced=True
    )
    batch: int = setting(
        0, "Batch", "Patches in a step; 0 takes the plan's.", minimum=0, advanced=True
    )
    seed: int = setting(0, "Seed", "Of all random choices.", minimum=0, advanced=True)
