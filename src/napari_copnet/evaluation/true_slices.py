"""The true cells and contours of a stack, prepared for scoring slice by slice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.contour_input import as_contour, background
from napari_copnet.evaluation.metrics import Outline, Partition, outline, partition
from napari_copnet.io.contour_kinds import image_kind
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
    """The truth of a stack; `slices` are made when asked for.

    Parameters
    ----------
    truth : ndarray, shape (Y, X) or (Z, Y, X)
        Contours as probability, mask or label image: see `contour_input.as_contour`. Of a label
        image only the labelled cells are scored.
    params : ScoreParams, optional
    exclude_pixels : ndarray, shape (Y, X) or (Z, Y, X), optional
        Pixels above 0 are zeroed in truth and prediction after cells were labelled.
    exclude_cell : ndarray, shape (Y, X) or (Z, Y, X), optional
        Marks structures (each value above 0 is one): the true cell that covers most of it is
        zeroed in truth and prediction, slice by slice.
    padding : ndarray, shape (Y, X) or (Z, Y, X), optional
        Pixels above 0 are excluded before cells are labelled: there is no contour and no cell, and
        cells that padding cuts are cells of their own, not one through the padding.

    Raises
    ------
    InputError
        Shapes differ, or the truth does not show contours.
    """

    def __init__(
        self,
        truth: np.ndarray,
        params: ScoreParams | None = None,
        *,
        exclude_pixels: np.ndarray | None = None,
        exclude_cell: np.ndarray | None = None,
        padding: np.ndarray | None = None,
    ) -> None:
        truth = np.asarray(truth)
        self.params = checked(params or ScoreParams())
        self.contours = as_stack(as_contour(truth))
        self._pixels = _exclusion("excluded pixels", exclude_pixels, self.shape)
        self._structures = _exclusion("excluded structures", exclude_cell, self.shape)
        self._padding = _exclusion("padding", padding, self.shape)
        self._labels = as_stack(truth) if image_kind(truth) == "labels" else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (Z, Y, X)."""
        return self.contours.shape

    def __len__(self) -> int:
        return len(self.contours)

    def slice(self, z: int) -> TrueSlice:
        """Return the truth of slice `z`."""
        contour = self.contours[z]
        labels = None if self._labels is None else self._labels[z]
        padding = None if self._padding is None else self._padding[z] > 0
        cells = true_cells(contour, self.params.closing_radius, padding)
        if labels is not None:
            cells = without_background(cells, background(labels))
        out = self._excluded(cells, z)
        if out is not None:
            cells = np.where(out, np.uint32(0), cells)
        return TrueSlice(cells, contour, out, labels, self.params, padding)

    def prediction(self, name: str, predicted: np.ndarray) -> np.ndarray:
        """Return predicted contours as a mask (Z, Y, X) in the frame of this truth.

        Raises
        ------
        InputError
            Another shape, or no contours; `name` says of what.
        """
        contour = as_stack(as_contour(predicted))
        if contour.shape != self.shape:
            raise InputError(
                f"The {name} has shape {contour.shape}, but the truth has {self.shape}.",
                "Both must be in the same frame, with the same slices and the same size.",
            )
        return contour

    def _excluded(self, cells: np.ndarray, z: int) -> np.ndarray | None:
        if self._pixels is None and self._structures is None and self._padding is None:
            return None
        out = np.zeros(cells.shape, bool)
        if self._structures is not None:
            for value in np.unique(self._structures[z]):
                cell = covering_cell(cells, self._structures[z] == value) if value > 0 else 0
                if cell:
                    out |= cells == cell
        if self._pixels is not None:
            out |= self._pixels[z] > 0
        if self._padding is not None:
            out |= self._padding[z] > 0
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


def as_stack(image: np.ndarray) -> np.ndarray:
    """Return a slice (Y, X) as a stack of one, a stack as it is."""
    return image[None] if image.ndim == 2 else image


def _exclusion(name: str, image: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    if image is None:
        return None
    image = np.asarray(image)
    if image.shape not in (shape, shape[1:]):
        raise InputError(
            f"The mask of {name} has shape {image.shape}, but the truth has {shape}.",
            "Give a mask of the same size.",
        )
    return np.broadcast_to(image, shape)
