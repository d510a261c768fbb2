"""Slices of a project as networks see them: closed contours of a model in them, and their truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError
from napari_copnet.evaluation.contour_input import MOST_CONTOUR
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.networks.package import ModelPackage
from napari_copnet.params import ClosingParams, DeviceParams, ScoreParams
from napari_copnet.progress import Steps
from napari_copnet.steps.closing import close
from napari_copnet.steps.contours import predict_contours
from napari_copnet.steps.frame import soft_contour, to_original
from napari_copnet.steps.threshold import at_threshold
from napari_copnet.teaching.project_view import ProjectView
from napari_copnet.training.truth import (
    CONTOUR,
    IGNORE,
    ignore_padding,
    resize_image,
    resize_truth,
    scale_for,
)
from napari_copnet.types import CONTOUR_ABOVE, Frame


def load_network(model: ModelPackage, device: DeviceParams | None) -> Any:
    """Return the network of a model, on the device that is chosen for None."""
    from napari_copnet.networks.nnunet import Network

    return Network.load(model, device or DeviceParams())


class SlicesForNetworks:
    """Some slices of a project at the size that networks see.

    Parameters
    ----------
    project : ProjectView
    slices : sequence of int

    Attributes
    ----------
    slices : tuple of int
    image : ndarray, shape (N, Y, X), float32
        Of the size that networks see.

    Raises
    ------
    InputError
        The image is not to be found.
    """

    def __init__(self, project: ProjectView, slices: Sequence[int]) -> None:
        self.slices = tuple(slices)
        self._project = project
        self._scale = scale_for(project.shape, project.network_size)
        stack = project.image
        self._grey = np.stack([np.asarray(stack[z]) for z in slices])
        self.image = resize_image(self._grey, self._scale)
        self._frame = Frame(self._grey.shape, self.image.shape, np.zeros((len(self.slices), 2)))

    def truth(self) -> np.ndarray:
        """Return what is known of the slices, shape (N, Y, X), in the frame of the session."""
        return np.stack([self._project.truth(z) for z in self.slices])

    def true(self, params: ScoreParams | None = None) -> TrueStack:
        """Return the truth to score against, at the size that networks see."""
        classes = resize_truth(self.truth(), self._scale, "contours", 1.0, "region")
        ignore_padding(classes, self._grey)
        ignored = classes == IGNORE
        return TrueStack(
            (classes == CONTOUR).astype(np.uint8),
            params,
            exclude_pixels=ignored if ignored.any() else None,
        )

    def contours(self, network: Any) -> Steps[np.ndarray]:
        """Return Step 1 of a contour network, shape (N, Y, X), float32."""
        return (yield from predict_contours(self.image, network))

    def probability(self, step1: np.ndarray) -> np.ndarray:
        """Return Step 1 in the frame of the session, shape (N, Y, X), float32."""
        return to_original(step1, self._frame, "probability")

    def closed(
        self, step1: np.ndarray, network: Any, name: str, threshold: float = CONTOUR_ABOVE
    ) -> Steps[tuple[np.ndarray, np.ndarray]]:
        """Close contours.

        Parameters
        ----------
        step1 : ndarray, shape (N, Y, X), float32
            From `contours`.
        network : networks.nnunet.Network
            That closes.
        name : str
            Of the model that is judged by the result.
        threshold : float
            Above which `step1` is contour.

        Returns
        -------
        mask : ndarray, shape (N, Y, X), uint8
            At the size that networks see, 0 or 1.
        drawn : ndarray, shape (N, Y, X), uint8
            In the frame of the session.

        Raises
        ------
        CopnetError
            Most of the slices would be contour.
        """
        step1 = at_threshold(step1, threshold)
        closed = yield from close(step1, network, ClosingParams(), threshold=threshold)
        share = float(closed.mask.mean())
        if share > MOST_CONTOUR:
            raise CopnetError(
                f"Model {name!r} takes {share:.0%} of the slices as contour.",
                "It has not learnt the task. Train it longer, or discard it.",
            )
        soft = soft_contour(closed.mask, closed.probability, step1)
        return closed.mask, to_original(closed.mask, self._frame, "mask", soft)
