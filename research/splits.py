"""The slices of each data set for training, tuning and scoring; all ranges are defined here only.

Neighbouring slices look alike, so scored slices are at least `training.cases.MARGIN` slices from
those used for training or tuning, or in another stack.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSplit:
    """How a data set is divided.

    Attributes
    ----------
    train : range
        Slices for training; empty where the terms do not allow weights to be distributed.
    validation : range
        What is scored, and what trainings validate on. Nothing is fitted to it.
    tuning : range
        What the settings of baselines, and the size at which networks see a data set, are chosen
        on. It may lie in `train`.
    axis : str
        ``"z"``, or ``"y"`` where a single image is divided into rows.
    stacks : tuple of str
        The stack of `train` and that of `validation`, where these are two.
    """

    train: range
    validation: range
    tuning: range = range(0)
    axis: str = "z"
    stacks: tuple[str, str] | None = None


FIB25 = DataSplit(train=range(115), validation=range(125, 160), tuning=range(0, 115, 10))
# A model of the first half makes maps of the second, which is new to it.
FIB25_FIRST_HALF, FIB25_SECOND_HALF = range(55), range(60, 115)
SNEMI3D = DataSplit(train=range(55), validation=range(60, 70))
GALA = DataSplit(
    train=range(50), validation=range(50), tuning=range(0, 50, 5), stacks=("train", "test")
)
CHM_SBFSEM = DataSplit(train=range(350), validation=range(355, 700), axis="y")
PLATELETS = DataSplit(
    train=range(1),
    validation=range(1),
    stacks=("platelet_sbfsem_24_z0", "platelet_sbfsem_50_z0"),
)
ISBI2012 = DataSplit(train=range(0), validation=range(10, 20), tuning=range(5))
# For measuring fine-tuning: slices to annotate, and slices to score.
ISBI2012_FINE_TUNING = DataSplit(train=range(10), validation=range(15, 20))
# Step 1 is trained on the data set itself, for its own table only.
HELA = DataSplit(train=range(40), validation=range(46, 56), tuning=range(0, 40, 8))

DATA_SPLITS = {
    "fib25": FIB25,
    "snemi3d": SNEMI3D,
    "gala": GALA,
    "chm-sbfsem": CHM_SBFSEM,
    "platelets": PLATELETS,
    "isbi2012": ISBI2012,
    "isbi2012, fine-tuning": ISBI2012_FINE_TUNING,
    "hela": HELA,
}

# Blocks for fitting the classifier of likely gaps: first slices of blocks of `GAP_DEPTH`, and for
# snemi3d the corner (y, x) of the part that is used at its own pixel size.
GAP_DEPTH = 2
FIB25_GAPS = (4, 30, 60, 95)
SNEMI3D_GAPS = ((5, 100, 100), (20, 500, 60), (40, 400, 450))
SNEMI3D_WHOLE_GAPS = (15, 35)
# Of fib25, what the weights of the proofreading queue are fitted to: one block that the contour
# model has learnt from, and one half of which it has not.
QUEUE = (range(80, 100), range(110, 120))


def as_option(slices: range) -> str:
    """Return a range as command options and `Source` accept it: ``"0-114"``, ``"0,10,20"``."""
    if slices.step == 1 and len(slices) > 1:
        return f"{slices[0]}-{slices[-1]}"
    return ",".join(map(str, slices))


def in_words(slices: range) -> str:
    """Return a range, whatever its step, in readable form: ``"0–114"``."""
    return f"{slices[0]}–{slices[-1]}"
