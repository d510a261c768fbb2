"""The settings of annotating slices and of fine-tuning on them."""

from __future__ import annotations

from dataclasses import dataclass

from napari_copnet.params.setting import setting


@dataclass(frozen=True)
class ChooseParams:
    """Choose slices to annotate."""

    by: str = setting(
        "step",
        "Choose by",
        "step proposes every n-th slice; need proposes those that the networks find hardest, and "
        "those "
        "that look least like their training data.",
        choices=("step", "need"),
    )
    every: int = setting(10, "Every", "step: interval between slices.", minimum=1)
    first: int = setting(0, "First", "step: the first slice, counted from 0.", minimum=0)
    count: int = setting(10, "Slices", "need: how many to propose.", minimum=1)


@dataclass(frozen=True)
class CheckParams:
    """Check a slice before it counts as done."""

    dangling: float = setting(
        10.0,
        "Open end",
        "Report contours of at least this length that have an open end.",
        unit="px",
        minimum=1.0,
    )
    large: float = setting(
        8.0,
        "Too large",
        "Report cells this many times as large as a typical one: a contour may be missing.",
        minimum=1.5,
    )
    island: int = setting(
        30, "Tiny island", "Report smaller pieces of contour or cell.", unit="px", minimum=0
    )


@dataclass(frozen=True)
class CarryParams:
    """Carry the cells of annotated slices to the slices beside them."""

    reach: int = setting(
        10, "Reach", "Carry at most this many slices far.", unit="slices", minimum=1
    )
    trust: float = setting(
        0.85,
        "Trust",
        "A cell less likely right than this is doubtful: it is left out of training, and "
        "listed among the findings.",
        minimum=0.0,
        maximum=1.0,
    )
    doubt: float = setting(
        0.6,
        "Most doubtful",
        "Stop before a slice in which more than this share of the cells is doubtful.",
        minimum=0.0,
        maximum=1.0,
    )
    ask_model: bool = setting(
        True,
        "Ask the model",
        "Let borders also follow the newest contour model, as far as it is right in the slices "
        "that are carried from.",
    )


@dataclass(frozen=True)
class LoopParams:
    """Teach a network slice by slice."""

    minutes: float = setting(
        3.0, "Minutes a round", "How long to train after each slice.", unit="min", minimum=0.01
    )
    carry: bool = setting(
        True,
        "Carry contours",
        "Carry the contours of slices that are done to their neighbours, as far as they are "
        "likely right.",
    )
    gain: float = setting(
        0.01,
        "Smallest gain",
        "If the share of correct cells in a slice is not this much above the best so far, the "
        "slice "
        "brought no gain.",
        minimum=0.0,
        maximum=1.0,
        advanced=True,
    )


@dataclass(frozen=True)
class FineTuneParams:
    """Fine-tune a model on annotated slices."""

    minutes: float = setting(
        10.0, "Minutes", "How long to train.", unit="min", minimum=0.01, maximum=100_000.0
    )
    learning_rate: float = setting(
        0.01, "Learning rate", "Initial learning rate.", minimum=1e-6, maximum=1.0, advanced=True
    )
    hold_out: bool = setting(
        True,
        "Hold out slices",
        "Hold some annotated slices out of training, to compare the new and the old model on them.",
    )
    corrections: bool = setting(
        False,
        "Learn from corrections",
        "Also learn from single corrections and decisions in slices that are not done; the rest "
        "of these slices is ignored.",
    )
    carried: bool = setting(
        False,
        "Learn from carried slices",
        "Also learn from contours that were carried from the slices trained on; doubtful cells "
        "are ignored.",
    )
    folds: int = setting(
        2,
        "Folds",
        "Closing network: if the contour model was trained on the slices, split them into this "
        "many parts, so that the maps of each part come from a model not trained on it.",
        minimum=2,
        maximum=10,
        advanced=True,
    )
    fold_minutes: float = setting(
        5.0,
        "Minutes a fold",
        "Closing network: training time for each fold.",
        minimum=0.01,
        advanced=True,
    )
    steps: int | None = setting(
        None,
        "Steps",
        "Stop after this many training steps, even before the time is up.",
        minimum=1,
        advanced=True,
    )
    steps_per_epoch: int = setting(
        20,
        "Steps per epoch",
        "Training steps in an epoch, after which progress is reported.",
        minimum=1,
        advanced=True,
    )
    patch: int = setting(
        0, "Patch", "In-plane patch side; 0 uses the model's.", unit="px", minimum=0, advanced=True
    )
    batch: int = setting(
        0, "Batch", "Patches per step; 0 uses the plan's.", minimum=0, advanced=True
    )
    seed: int = setting(0, "Seed", "Seed of all random choices.", minimum=0, advanced=True)
