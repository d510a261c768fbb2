"""The true cells and contours of a stack, prepared for scoring slice by slice."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.contour_input import as_contour, background
from napari_copnet.evaluation.metrics import Outline, Partition, outline, partition
from napari_copnet.io.contour_kinds import image_kind, image_values
from napari_copnet.lazy_array import chosen_slices
from napari_copnet.params import ScoreParams, checked
from napari_copnet.steps.cells import scoring_labels, true_cells


@dataclass(frozen=True)
class TrueSlice:
    """The ground truth of one slice, against which a contour is scored.

    Attributes
    ----------
    cells : ndarray, shape (Y, X), uint32
        True cells, 0 on contours and where excluded.
    contour : ndarray, shape (Y, X), uint8
        True contour, also where excluded.
    out : ndarray, shape (Y, X), bool, or None
        Excluded pixels.
    labels : ndarray, shape (Y, X), or None
        The label image the truth was given as.
    params : ScoreParams
    padding : ndarray, shape (Y, X), bool, or None
        Excluded pixels at which cells end.
    """

    cells: np.ndarray
    contour: np.ndarray
    out: np.ndarray | None
    labels: np.ndarray | None
    params: ScoreParams
    padding: np.ndarray | None = None

    @cached_property
    def outline(self) -> Outline:
        """The true contour made ready for surface and centre-line Dice."""
        return self.outline_of(self.contour)

    def outline_of(self, contour: np.ndarray) -> Outline:
        """Return a contour (Y, X), excluded pixels zeroed, ready for the contour scores."""
        kept = contour if self.out is None else (contour > 0) & ~self.out
        return outline(kept, self.params.tolerance, self.params.skeleton)

    def predicted_cells(self, contour: np.ndarray) -> np.ndarray:
        """Return the cells (Y, X) of a predicted contour, excluded pixels zeroed."""
        labels = scoring_labels(contour, self.params.dilation, self.params.grow, self.padding)
        if self.out is not None:
            labels[self.out] = 0
        return labels

    def fates(self, contour: np.ndarray) -> Partition:
        """Return the outcomes of the true cells for a predicted contour (Y, X)."""
        return partition(self.cells, self.predicted_cells(contour), self.params.overlap)


class TrueStack:
    """The truth of a stack; each `slice` is made when it is asked for.

    All arrays may be lazy: they are then read slice by slice, and nothing of the size of the stack
    is held.

    Parameters
    ----------
    truth : array, shape (Y, X) or (Z, Y, X)
        Contours as probability, mask or label image: see `contour_input.as_contour`. Of a label
        image only the labelled cells are scored.
    params : ScoreParams, optional
    exclude_pixels : array, shape (Y, X) or (Z, Y, X), optional
        Pixels above 0 are zeroed in truth and prediction after cells were labelled.
    exclude_cell : array, shape (Y, X) or (Z, Y, X), optional
        Marks structures (each value above 0 is one): the true cell that covers most of it is
        zeroed in truth and prediction, slice by slice.
    padding : array, shape (Y, X) or (Z, Y, X), optional
        Pixels above 0 are excluded before cells are labelled: there is no contour and no cell, and
        cells that padding cuts are cells of their own, not one through the padding.

    Raises
    ------
    InputError
        Shapes differ, or the truth does not show contours.
    """

    def __init__(
        self,
        truth: Any,
        params: ScoreParams | None = None,
        *,
        exclude_pixels: Any = None,
        exclude_cell: Any = None,
        padding: Any = None,
    ) -> None:
        if not hasattr(truth, "ndim"):
            truth = np.asarray(truth)
        self.params = checked(params or ScoreParams())
        values = image_values(truth)
        kind = image_kind(truth, values) if truth.ndim in (2, 3) else "auto"
        self.contours = as_stack(as_contour(truth, kind, values=values))
        self._pixels = _exclusion("excluded pixels", exclude_pixels, self.shape)
        self._structures = _exclusion("excluded structures", exclude_cell, self.shape)
        self._padding = _exclusion("padding", padding, self.shape)
        self._labels = as_stack(truth) if kind == "labels" else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (Z, Y, X)."""
        return tuple(int(n) for n in self.contours.shape)  # type: ignore[return-value]

    def __len__(self) -> int:
        return self.shape[0]

    def chosen(self, slices: Sequence[int]) -> TrueStack:
        """Return the truth of some slices; what its values mean, the whole of it has decided."""
        some = copy.copy(self)
        some.contours = chosen_slices(self.contours, slices)
        for name in ("_labels", "_pixels", "_structures", "_padding"):
            whole = getattr(self, name)
            setattr(some, name, None if whole is None else chosen_slices(whole, slices))
        return some

    def slice(self, z: int) -> TrueSlice:
        """Return the truth of slice `z`."""
        contour = np.asarray(self.contours[z])
        labels = None if self._labels is None else np.asarray(self._labels[z])
        padding = None if self._padding is None else np.asarray(self._padding[z]) > 0
        cells = true_cells(contour, self.params.closing_radius, padding)
        if labels is not None:
            cells = without_background(cells, background(labels))
        out = self._excluded(cells, z, padding)
        if out is not None:
            cells = np.where(out, np.uint32(0), cells)
        return TrueSlice(cells, contour, out, labels, self.params, padding)

    def prediction(self, name: str, predicted: Any) -> Any:
        """Return predicted contours as a mask (Z, Y, X) in the frame of this truth; may be lazy.

        Raises
        ------
        InputError
            Another shape, or no contours; `name` says of what.
        """
        contour = as_stack(as_contour(predicted))
        if tuple(contour.shape) != self.shape:
            raise InputError(
                f"The {name} has shape {contour.shape}, but the truth has {self.shape}.",
                "Both must be in the same frame, with the same slices and the same size.",
            )
        return contour

    def _excluded(self, cells: np.ndarray, z: int, padding: np.ndarray | None) -> np.ndarray | None:
        if self._pixels is None and self._structures is None and padding is None:
            return None
        out = np.zeros(cells.shape, bool)
        if self._structures is not None:
            structures = np.asarray(self._structures[z])
            for value in np.unique(structures):
                cell = covering_cell(cells, structures == value) if value > 0 else 0
                if cell:
                    out |= cells == cell
        if self._pixels is not None:
            out |= np.asarray(self._pixels[z]) > 0
        if padding is not None:
            out |= padding
        return out


def without_background(cells: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Remove true cells that lie mostly where the label image has none.

    Parameters
    ----------
    cells : ndarray, shape (Y, X), unsigned int
    empty : ndarray, shape (Y, X), bool
        See `contour_input.background`.
    """
    size = np.bincount(cells.ravel())
    drop = 2 * np.bincount(cells[empty], minlength=size.size) > size
    return np.where(drop[cells], np.uint32(0), cells)


def covering_cell(cells: np.ndarray, structure: np.ndarray) -> int:
    """Return the true cell that covers most of a structure, 0 if none does.

    Parameters
    ----------
    cells : ndarray, shape (Y, X), unsigned int
    structure : ndarray, shape (Y, X), bool
    """
    counts = np.bincount(cells[structure], minlength=1)
    counts[0] = 0
    return int(counts.argmax())


def as_stack(image: Any) -> Any:
    """Return a slice (Y, X) as a stack of one, a stack as it is."""
    return np.asarray(image[:])[None] if image.ndim == 2 else image


def _exclusion(name: str, image: Any, shape: tuple[int, ...]) -> Any:
    """Return a mask of the shape of a stack, lazy if the one given is; None for none."""
    if image is None:
        return None
    if not hasattr(image, "ndim"):
        image = np.asarray(image)
    given = tuple(int(n) for n in image.shape)
    if given not in (shape, shape[1:]):
        raise InputError(
            f"The mask of {name} has shape {given}, but the truth has {shape}.",
            "Give a mask of the same size.",
        )
    return image if given == shape else np.broadcast_to(np.asarray(image[:]), shape)
