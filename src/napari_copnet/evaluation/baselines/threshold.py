"""A lower threshold on the contour probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_copnet.evaluation.baselines.base import Tried


class Threshold(Tried):
    """Contour is where the probability exceeds a threshold, 0.5 or lower."""

    name, title = "threshold", "lower threshold"

    def candidates(self) -> Sequence[dict[str, Any]]:
        """Return thresholds from 0.5 down to 0.05."""
        return [{"threshold": round(0.5 - 0.05 * step, 2)} for step in range(10)]

    def close_slice(self, u: np.ndarray, **settings: Any) -> np.ndarray:
        """Return where the probability exceeds ``threshold``."""
        return u > settings["threshold"]
