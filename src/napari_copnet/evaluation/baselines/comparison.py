"""Step 1 alone, baselines and closed contours on the same slices, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.baselines.base import Baseline, SliceBlock
from napari_copnet.evaluation.scores import Evaluation, evaluate_all
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.lazy_array import by_slice
from napari_copnet.progress import Steps
from napari_copnet.training.cases import MARGIN, split_slices
from napari_copnet.training.sources import parse_slices
from napari_copnet.types import is_contour

STEP1, CEILING = "step1", "truth"
TITLES = {STEP1: "Step 1 alone", CEILING: "the truth scored as a prediction"}
# Share of a stack to tune on when nothing is said.
TRAIN_SHARE = 1 / 3


@dataclass(frozen=True)
class Compared:
    """One method of a comparison.

    Attributes
    ----------
    title : str
        For people.
    mask : array, shape (Z, Y, X), uint8
        Its closed contour on the slices that were scored; may be lazy.
    scores : Evaluation
        With Step 1 alone for baseline, but for Step 1 itself. Without single cells.
    settings : dict
        What tuning chose; empty for what was not tuned here.
    seconds : dict
        Time of ``"tune"`` and ``"apply"``.
    """

    title: str
    mask: Any
    scores: Evaluation
    settings: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the mask and the baseline's own scores as plain values."""
        scores = self.scores.as_dict()
        scores.pop("baseline", None)
        return {
            "title": self.title,
            "settings": self.settings,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            **scores,
        }


def split_for_tuning(total: int, train: str = "", scored: str = "") -> tuple[list[int], list[int]]:
    """Return slices to tune on and slices to score, at least `MARGIN` apart.

    Parameters
    ----------
    total : int
        Slices in the stack.
    train, scored : str
        As `parse_slices` reads them. What is left out is all that lies far enough from the other;
        without both the first third is tuned on.

    Raises
    ------
    InputError
        They overlap or lie too near, or nothing is left.
    """
    if train.strip() and scored.strip():
        return split_slices(parse_slices(train, total), parse_slices(scored, total))
    if scored.strip():
        held = parse_slices(scored, total)
        return _away(total, held), held
    first = max(1, round(total * TRAIN_SHARE))
    chosen = parse_slices(train, total) if train.strip() else list(range(first))
    return chosen, _away(total, chosen)


def _away(total: int, chosen: Sequence[int]) -> list[int]:
    kept = [z for z in range(total) if min(abs(z - other) for other in chosen) >= MARGIN]
    if not kept:
        raise InputError(
            f"No slice is at least {MARGIN} slices away from those chosen.",
            "Choose fewer slices, or use a larger stack: neighbouring slices look alike.",
        )
    return kept


def compare(
    baselines: Sequence[Baseline],
    training: SliceBlock,
    test: SliceBlock,
    true: TrueStack,
    work: Path,
    *,
    closed: Mapping[str, Any] | None = None,
    numbers: Sequence[int] | None = None,
    masks: Callable[[str], Any] | None = None,
) -> Steps[dict[str, Compared]]:
    """Tune baselines on one block, apply them to another, and score them beside Step 1.

    With lazy blocks and `masks` on disk nothing of the size of the stack is in memory, but for
    baselines that say so.

    Parameters
    ----------
    baselines : sequence of Baseline
        See `registry.make_baselines`.
    training : SliceBlock
        With truth.
    test : SliceBlock
        No baseline sees its truth.
    true : TrueStack
        The truth of `test`.
    work : Path
        Folder for what tuning makes, such as models.
    closed : mapping, optional
        Name to closed contours of `test`, (Z, Y, X), to score beside.
    numbers : sequence of int, optional
        What the slices of `test` are called.
    masks : callable, optional
        Returns the array, (Z, Y, X), uint8, that takes the contours of the baseline named, such as
        `disk_masks.DiskMasks.new`; in memory by default.

    Yields
    ------
    Progress
        Under each baseline's name, then ``"evaluate"``.

    Returns
    -------
    dict
        Name to `Compared`: ``"step1"``, the baselines, those of `closed`, and ``"truth"``, the
        ceiling that these scores leave.

    Raises
    ------
    InputError
        `closed` has another shape, or there is no image for a baseline that needs one.
    """
    found: dict[str, Any] = {STEP1: by_slice(test.contours, is_contour, np.uint8)}
    titles = dict(TITLES)
    settings: dict[str, dict[str, Any]] = {}
    seconds: dict[str, dict[str, float]] = {}
    given = {name: true.prediction(name, mask) for name, mask in (closed or {}).items()}
    taken = {STEP1, CEILING, *(baseline.name for baseline in baselines)} & set(given)
    if taken:
        raise InputError(
            f"{taken.pop()!r} is the name of a method in this comparison.",
            "Give the closed contours another name, as NAME=FILE.",
        )
    for baseline in baselines:
        if baseline.needs_image and (training.image is None or test.image is None):
            raise InputError(f"{baseline.title} needs the image.", "Give the image as well.")
    for baseline in baselines:
        started = time.monotonic()
        settings[baseline.name] = yield from baseline.tune(training, work)
        tuned = time.monotonic()
        chosen, mask = settings[baseline.name], None if masks is None else masks(baseline.name)
        found[baseline.name] = yield from baseline.apply(test, chosen, mask)
        seconds[baseline.name] = {"tune": tuned - started, "apply": time.monotonic() - tuned}
        titles[baseline.name] = baseline.title
    found |= given
    found[CEILING] = true.contours
    scores = yield from evaluate_all(found, true, numbers, by_cell=False)
    return {
        name: Compared(
            titles.get(name, name),
            mask,
            scores[name] if name == STEP1 else replace(scores[name], baseline=scores[STEP1]),
            settings.get(name, {}),
            seconds.get(name, {}),
        )
        for name, mask in found.items()
    }
