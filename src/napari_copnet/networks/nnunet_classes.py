"""Which class of a network of nnU-Net is the contour, by the names in its ``dataset.json``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_copnet.errors import ModelError

# Words in names of classes that mean contours, and those that mean what contours enclose.
_CONTOURS = {
    "contour", "contours", "membrane", "membranes", "border", "borders", "boundary", "boundaries",
    "edge", "edges", "outline", "outlines", "wall", "walls",
}  # fmt: skip
_INSIDES = {
    "cell", "cells", "neuron", "neurons", "neurite", "neurites", "nucleus", "nuclei", "soma",
    "cytoplasm", "interior", "inside", "body", "bodies", "mitochondrion", "mitochondria",
    "vesicle", "vesicles", "axon", "axons", "dendrite", "dendrites", "myelin",
}  # fmt: skip


def contour_class(dataset: Mapping[str, Any], wanted: str | None = None) -> int:
    """Return the number of the class that is the contour.

    Parameters
    ----------
    dataset : mapping
        The parsed ``dataset.json``; it came with the weights and is not trusted.
    wanted : str, optional
        Name or number of the class. By default the one class whose name means a contour, such as
        ``membrane`` or ``cell_border``, or the only class, where its name means nothing else.

    Raises
    ------
    ModelError
        It can't be told, or `wanted` is no class.
    """
    labels = dataset.get("labels")
    if not isinstance(labels, Mapping):
        raise ModelError("The dataset.json of this model names no classes.", "Copy it again.")
    classes = {
        str(name)[:60]: number
        for name, number in labels.items()
        if name != "ignore" and isinstance(number, int) and number >= 0
    }
    named = ", ".join(f"{name} ({number})" for name, number in list(classes.items())[:12])
    if wanted is not None:
        for name, number in classes.items():
            if wanted.strip().lower() in (name.lower(), str(number)):
                return number
        raise ModelError(f"This model has no class {wanted!r}.", f"Its classes are {named}.")
    possible = {name: number for name, number in classes.items() if number > 0}
    contours = [number for name, number in possible.items() if _words(name) & _CONTOURS]
    if len(contours) == 1:
        return contours[0]
    if len(possible) == 1 and not _words(*possible) & _INSIDES:
        return next(iter(possible.values()))
    raise ModelError(
        f"It is not clear which class of this model is the contour: it has {named}.",
        "Give its name: copnet model import FOLDER --contour NAME.",
    )


def contour_first(weights: dict[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    """Return weights whose class 1 is the contour: it changes places with class `number`.

    Parameters
    ----------
    weights : dict of ndarray
        Parameters by name; those of the last layers have one row for each class.
    number : int
    """
    if number == 1:
        return weights
    changed = dict(weights)
    for name, value in weights.items():
        if name.startswith("decoder.seg_layers."):
            order = np.arange(len(value))
            order[[1, number]] = order[[number, 1]]
            changed[name] = np.ascontiguousarray(value[order])
    return changed


def _words(*names: str) -> set[str]:
    return {word for name in names for word in re.split(r"[^a-z]+", name.lower())}
