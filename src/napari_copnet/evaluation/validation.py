"""Step 1 maps and ground truth at the size of the networks, for validation."""

from __future__ import annotations

import numpy as np

from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.params import ScoreParams
from napari_copnet.training import truth as truths


def at_network_size(
    contours: np.ndarray,
    truth: np.ndarray,
    size: int = 512,
    kind: str = "auto",
    zero: str = "region",
    params: ScoreParams | None = None,
    width: float = truths.WIDTH,
) -> tuple[np.ndarray, TrueStack]:
    """Bring Step 1 maps and their truth to the size networks see.

    Parameters
    ----------
    contours : ndarray, shape (Z, Y, X), float32
        Probability, 0 to 1.
    truth : ndarray, shape (Z, Y, X)
        Cells or contours.
    size : int
        Longer in-plane side; 0 keeps it.
    kind, zero : str
        What the truth holds, and what label 0 means: see `training.sources.Source`.
    params : ScoreParams, optional
    width : float
        Of contours drawn between labels, px.

    Returns
    -------
    contours : ndarray, shape (Z, Y', X'), float32
    truth : TrueStack
        What is not annotated is not scored.
    """
    scale = truths.scale_for(truth.shape, size)
    form = truths.truth_kind(truth) if kind == "auto" else kind
    classes = truths.resize_truth(truth, scale, form, width, zero)
    ignored = classes == truths.IGNORE
    true = TrueStack(
        (classes == truths.CONTOUR).astype(np.uint8),
        params,
        exclude_pixels=ignored if ignored.any() else None,
    )
    return np.clip(truths.resize_values(contours, scale), 0, 1), true
