"""Compare a new model with the old one on annotated slices that neither was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.score_names import SCORES
from napari_copnet.evaluation.scores import Evaluation, evaluate_all
from napari_copnet.evaluation.stats import mean_sd
from napari_copnet.networks.package import ModelPackage, find_model
from napari_copnet.params import DeviceParams, ScoreParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.teaching.annotated_dataset import learnt_slices
from napari_copnet.teaching.project import Project
from napari_copnet.teaching.slices_for_networks import SlicesForNetworks, load_network
from napari_copnet.training.cases import MARGIN

METHODS = ("old", "new")


@dataclass(frozen=True)
class Comparison:
    """Two models on the same slices.

    Attributes
    ----------
    slices : tuple of int
        Slices of the stack.
    old, new : Evaluation
        Scores at the size networks see; those of one are the baseline of the other.
    old_mask, new_mask : ndarray, shape (N, Y, X), uint8
        Closed contours in the frame of the session, 0 or 1.
    truth : ndarray, shape (N, Y, X), uint8
        0 cell, 1 contour, 2 not annotated, in the frame of the session.
    """

    slices: tuple[int, ...]
    old: Evaluation
    new: Evaluation
    old_mask: np.ndarray
    new_mask: np.ndarray
    truth: np.ndarray

    @property
    def gain(self) -> dict[str, float]:
        """New minus old, mean over slices, by score; for merged and split less is better."""
        return {name: self.new.mean(name) - self.old.mean(name) for name in SCORES}

    @property
    def is_better(self) -> bool:
        """Whether more cells are labelled, which is the purpose of training."""
        return self.gain["labelled"] > 0

    @property
    def text(self) -> str:
        """A sentence for people."""
        before, after = (100 * one.mean("labelled") for one in (self.old, self.new))
        word = "more" if after > before else "fewer" if after < before else "as many"
        count = f"{len(self.slices)} slice{'s' if len(self.slices) != 1 else ''}"
        return (
            f"{word.capitalize()} cells are correct with the new model: {after:.1f} % instead of "
            f"{before:.1f} %, on {count} that neither model was trained on."
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each score: ``name``, ``old``, ``new`` (means), ``old_sd``, ``new_sd``
        and ``gain``."""
        found = []
        for name in SCORES:
            (old, old_sd), (new, new_sd) = (
                mean_sd(one.values(name)) for one in (self.old, self.new)
            )
            found.append(
                {
                    "name": name,
                    "old": old,
                    "new": new,
                    "old_sd": old_sd,
                    "new_sd": new_sd,
                    "gain": new - old,
                }
            )
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return scores, gains and p values as plain values; the old model is ``baseline``."""
        both = replace(self.new, baseline=self.old).as_dict()
        return {"numbers": list(self.slices), "better": self.is_better, **both}


def comparable_slices(project: Project, *models: ModelPackage) -> list[int]:
    """Return done slices that lie `MARGIN` or farther from any that the models learnt from."""
    stack = project.stack_id
    learnt = {z for model in models for z in learnt_slices(model, stack)}
    return [z for z in project.done if all(abs(z - other) >= MARGIN for other in learnt)]


def compare(
    project: Project,
    old: ModelPackage,
    new: ModelPackage,
    *,
    slices: Sequence[int] | None = None,
    partner: ModelPackage | None = None,
    device: DeviceParams | None = None,
    params: ScoreParams | None = None,
) -> Steps[Comparison]:
    """Score two models of one kind on annotated slices, closing included.

    Parameters
    ----------
    project : Project
    old, new : ModelPackage
        Two contour models, or two closing models.
    slices : sequence of int, optional
        Done slices to score on; those of `comparable_slices` by default.
    partner : ModelPackage, optional
        The model of the other step, the same for both; the default one when not given.
    device : DeviceParams, optional
    params : ScoreParams, optional

    Yields
    ------
    Progress
        Steps ``"contours"``, ``"closing"`` and ``"evaluate"``, old before new.

    Returns
    -------
    Comparison

    Raises
    ------
    CopnetError
        Models of two kinds, or no annotated slice that neither has learnt from.
    """
    if old.kind != new.kind:
        raise InputError(
            f"{old.name} is a {old.kind} model, {new.name} a {new.kind} model.",
            "Compare two models of the same kind.",
        )
    chosen = comparable_slices(project, old, new) if slices is None else sorted(set(slices))
    missing = [z for z in chosen if z not in project.done]
    if missing:
        raise InputError(
            f"Slice {missing[0]} is not done.", "Annotate it and mark it as done first."
        )
    if not chosen:
        raise InputError(
            "There is no annotated slice that neither model was trained on.",
            f"Annotate one that is at least {MARGIN} slices away from those that trained.",
        )
    other = "closing" if old.kind == "contours" else "contours"
    partner = partner or find_model("default", other)
    seen = SlicesForNetworks(project, chosen)
    masks: dict[str, np.ndarray] = {}
    drawn: dict[str, np.ndarray] = {}
    step1: np.ndarray | None = None
    for name, model in zip(METHODS, (old, new), strict=True):
        first, second = (model, partner) if old.kind == "contours" else (partner, model)
        if step1 is None or old.kind == "contours":
            step1 = yield from seen.contours(load_network(first, device))
        masks[name], drawn[name] = yield from seen.closed(
            step1, load_network(second, device), model.name
        )
    true, truth = seen.true(params), seen.truth()
    scores = yield from evaluate_all(masks, true, chosen)
    yield Progress("evaluate", len(chosen), len(chosen), "slices")
    return Comparison(
        tuple(chosen), scores["old"], scores["new"], drawn["old"], drawn["new"], truth
    )
