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
from napari_copnet.progress import Progress, Steps
from napari_copnet.types import is_contour


@dataclass(frozen=True)
class SliceBlock:
    """Slices to tune on or to apply to.

    Attributes
    ----------
    contours : ndarray, shape (Z, Y, X), float32
        Step 1 probability u.
    image : ndarray, shape (Z, Y, X), or None
        The image Step 1 saw.
    true : TrueStack or None
        The truth, in a block to tune on.
    """

    contours: np.ndarray
    image: np.ndarray | None = None
    true: TrueStack | None = None

    @property
    def rounded(self) -> np.ndarray:
        """The contour of Step 1, round(u): shape (Z, Y, X), bool."""
        return is_contour(self.contours)


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
    def apply(self, block: SliceBlock, settings: Mapping[str, Any]) -> Steps[np.ndarray]:
        """Return the closed contour mask, shape (Z, Y, X), uint8, 1 on contours."""


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
            true = block.true.slice(z)
            for number, settings in enumerate(candidates):
                mask = self.closed(block.contours[z], settings)
                fates = true.fates(mask)
                if fates.ids.size:
                    labelled[number].append(fates.share(LABELLED))
                yield Progress(self.name, z * len(candidates) + number + 1, total, "trials")
        means = [mean_sd(values)[0] for values in labelled]
        best = int(np.argmax(means))
        return {**candidates[best], "labelled": means[best]}

    def apply(self, block: SliceBlock, settings: Mapping[str, Any]) -> Steps[np.ndarray]:
        """Return the closed contour mask, united with the rounded contour."""
        chosen = {name: settings[name] for name in self.candidates()[0]}
        masks = np.zeros(block.contours.shape, np.uint8)
        for z, u in enumerate(block.contours):
            masks[z] = self.closed(u, chosen)
            yield Progress(self.name, z + 1, len(masks), "slices")
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
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
