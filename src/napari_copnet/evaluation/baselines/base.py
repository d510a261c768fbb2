"""The interface of a baseline: tuned on one block of slices, applied to another."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.evaluation.metrics import LABELLED
from napari_copnet.evaluation.stats import mean_sd
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.lazy_array import by_slice
from napari_copnet.progress import Progress, Steps
from napari_copnet.types import is_contour


@dataclass(frozen=True)
class SliceBlock:
    """Slices to tune on or to apply to; arrays may be lazy, and are read slice by slice.

    Attributes
    ----------
    contours : array, shape (Z, Y, X), float32
        Step 1 probability u.
    image : array, shape (Z, Y, X), or None
        The image Step 1 saw.
    true : TrueStack or None
        The truth, in a block to tune on.
    """

    contours: Any
    image: Any = None
    true: TrueStack | None = None

    @property
    def rounded(self) -> Any:
        """The contour of Step 1, round(u): shape (Z, Y, X), bool, lazy where u is."""
        return by_slice(self.contours, is_contour, bool)


class Baseline(ABC):
    """Another method of closing contours.

    Attributes
    ----------
    name, title : str
        For options and files, and for people.
    needs_image : bool
        Whether it works on the image, not on Step 1's map.
    """

    name: str
    title: str
    needs_image = False

    def check(self) -> None:  # noqa: B027  most baselines need nothing
        """Check that it can run, before any work.

        Raises
        ------
        CopnetError
            A package, a model or a setting is missing.
        """

    @abstractmethod
    def tune(self, block: SliceBlock, work: Path) -> Steps[dict[str, Any]]:
        """Find settings on a block with truth; files it makes go to the folder `work`."""

    @abstractmethod
    def apply(self, block: SliceBlock, settings: Mapping[str, Any], out: Any = None) -> Steps[Any]:
        """Close the contours of a block, slice by slice.

        Parameters
        ----------
        block : SliceBlock
        settings : mapping
            From `tune`.
        out : array, shape (Z, Y, X), uint8, optional
            Where each slice is put when it is ready, such as an array on disk; a new one in
            memory by default.

        Returns
        -------
        array
            `out`: the closed contour mask, 1 on contours.
        """


def mask_of(block: SliceBlock, out: Any = None) -> Any:
    """Return the array that `Baseline.apply` fills: `out`, or a new one in memory."""
    return np.zeros(block.contours.shape, np.uint8) if out is None else out


class Tried(Baseline):
    """A baseline of few settings: each of `candidates` is tried on the training block.

    The one with the highest labelled share, mean over slices, is taken; of equal ones the first,
    so `candidates` go from those that change least to those that change most.
    """

    @abstractmethod
    def candidates(self) -> Sequence[dict[str, Any]]:
        """Return the settings to try."""

    @abstractmethod
    def close_slice(self, u: np.ndarray, **settings: Any) -> np.ndarray:
        """Return the closed contour of one slice (Y, X) of the Step 1 probability: bool."""

    def tune(self, block: SliceBlock, work: Path) -> Steps[dict[str, Any]]:  # noqa: ARG002
        """Try all candidates on a block with truth; ``labelled`` is what the best one reached."""
        assert block.true is not None
        candidates = list(self.candidates())
        labelled: list[list[float]] = [[] for _ in candidates]
        total = len(block.true) * len(candidates)
        for z in range(len(block.true)):
            true, u = block.true.slice(z), np.asarray(block.contours[z])
            for number, settings in enumerate(candidates):
                mask = self.closed(u, settings)
                fates = true.fates(mask)
                if fates.ids.size:
                    labelled[number].append(fates.share(LABELLED))
                yield Progress(self.name, z * len(candidates) + number + 1, total, "trials")
        means = [mean_sd(values)[0] for values in labelled]
        best = int(np.argmax(means))
        return {**candidates[best], "labelled": means[best]}

    def apply(self, block: SliceBlock, settings: Mapping[str, Any], out: Any = None) -> Steps[Any]:
        """Return the closed contour mask, united with the rounded contour."""
        chosen = {name: settings[name] for name in self.candidates()[0]}
        masks, depth = mask_of(block, out), block.contours.shape[0]
        for z in range(depth):
            masks[z] = self.closed(np.asarray(block.contours[z]), chosen).astype(np.uint8)
            yield Progress(self.name, z + 1, depth, "slices")
        return masks

    def closed(self, u: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
        """Return the closed contour of a slice: what the baseline draws, and round(u)."""
        return self.close_slice(u, **settings) | is_contour(u)


def fingerprint(block: SliceBlock, **settings: Any) -> str:
    """Return a hash of a training block and settings, to check that a model fits them."""
    assert block.true is not None
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for array in (block.contours, block.image, block.true.contours):
        if array is not None:
            digest.update(repr(tuple(array.shape)).encode())
            for z in range(array.shape[0]):
                digest.update(np.ascontiguousarray(array[z]).tobytes())
    return digest.hexdigest()
