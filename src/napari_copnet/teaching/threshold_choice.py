"""The threshold of Step 1 at which most cells of a project's finished slices come out right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.evaluation.threshold_scores import (
    THRESHOLDS,
    ThresholdTried,
    best_threshold,
    refuse_neighbours,
    scores_by_threshold,
)
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.networks.package import ModelPackage, find_model
from napari_copnet.params import DeviceParams
from napari_copnet.progress import Steps
from napari_copnet.teaching.annotated_dataset import learnt_slices
from napari_copnet.teaching.project_view import ProjectView
from napari_copnet.teaching.slices_for_networks import SlicesForNetworks, load_network
from napari_copnet.training.truth import CONTOUR, IGNORE
from napari_copnet.types import CONTOUR_ABOVE

# Each slice takes seconds, and a few tell as much as many.
MOST_SLICES = 6


@dataclass(frozen=True)
class ThresholdChoice:
    """What thresholds do to slices that are done.

    Attributes
    ----------
    slices : tuple of int
        That were scored.
    tried : tuple of ThresholdTried
    model : str
        Hash of the contour model.
    """

    slices: tuple[int, ...]
    tried: tuple[ThresholdTried, ...]
    model: str

    @property
    def best(self) -> float:
        """The threshold to take; see `best_threshold`."""
        return best_threshold(self.tried)

    @property
    def text(self) -> str:
        """A sentence for people."""
        count = f"{len(self.slices)} finished slice{'s' if len(self.slices) != 1 else ''}"
        labelled = {one.threshold: 100 * one.scores["labelled"] for one in self.tried}
        at = f"Contours above {self.best:g} get {labelled[self.best]:.0f} % of the cells of {count}"
        if self.best == CONTOUR_ABOVE:
            return f"{at} right; no other threshold does clearly better."
        usual = labelled.get(CONTOUR_ABOVE)
        return f"{at} right" + ("." if usual is None else f", above 0.5 {usual:.0f} %.")


def scorable_slices(project: ProjectView, model: ModelPackage) -> list[int]:
    """Return slices that are done and that a contour model has not learnt from."""
    learnt = learnt_slices(model, project.stack_id)
    return [z for z in project.done if z not in learnt]


def choose_threshold(
    project: ProjectView,
    model: ModelPackage | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    *,
    device: DeviceParams | None = None,
) -> Steps[ThresholdChoice]:
    """Close slices that are done at several thresholds of Step 1, and score them.

    Scores are those of `copnet evaluate`, in the frame of the session: there lines are as wide as
    they were drawn, and it is there that cells are wanted.

    Parameters
    ----------
    project : ProjectView
    model : ModelPackage, optional
        Contour model; the default one by default. The default closing model closes.
    thresholds : sequence of float
    device : DeviceParams, optional

    Yields
    ------
    Progress

    Returns
    -------
    ThresholdChoice
        Of up to six slices, spread over those that are done.

    Raises
    ------
    CopnetError
        No slice is done that the model has not learnt from, the image is not to be found, or most
        of the slices would be contour at each threshold.
    """
    model, closer = model or find_model("default", "contours"), find_model("default", "closing")
    for package in (model, closer):
        refuse_neighbours(package)
    done = scorable_slices(project, model)
    if not done:
        raise InputError(
            "There is no finished slice that the contour model has not learnt from.",
            "Outline the cells of a slice, and press Done.",
        )
    spread = np.linspace(0, len(done) - 1, min(MOST_SLICES, len(done))).round().astype(int)
    slices = [done[at] for at in spread]
    seen = SlicesForNetworks(project, slices)
    step1 = yield from seen.contours(load_network(model, device))
    closing = load_network(closer, device)
    masks: dict[float, np.ndarray] = {}
    refused: CopnetError | None = None
    for one in sorted({*thresholds, CONTOUR_ABOVE}):
        try:
            _, masks[one] = yield from seen.closed(step1, closing, model.name, one)
        except CopnetError as error:
            refused = error
    if not masks and refused is not None:
        raise refused
    truth = seen.truth()
    unknown = truth == IGNORE
    true = TrueStack(
        (truth == CONTOUR).astype(np.uint8), exclude_pixels=unknown if unknown.any() else None
    )
    tried = yield from scores_by_threshold(masks, true)
    return ThresholdChoice(tuple(slices), tuple(tried), model.sha256)
