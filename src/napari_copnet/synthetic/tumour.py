"""Synthetic tumour tissue: its slices with ground truth, and random settings."""

from __future__ import annotations

import numpy as np

from napari_copnet.params import TissueParams
from napari_copnet.synthetic.slice_parts import SyntheticSlice
from napari_copnet.synthetic.tumour_geometry import TumourLayout
from napari_copnet.synthetic.tumour_render import TumourRenderer


class Tumour:
    """One block of tumour.

    Parameters
    ----------
    params : TissueParams
        Settings of the tissue.
    rng : numpy.random.Generator
        Source of randomness.
    margin : float
        How far beyond the block drift may reach, px.
    """

    def __init__(self, params: TissueParams, rng: np.random.Generator, margin: float) -> None:
        self._pixels = params.slice_thickness / params.pixel_size
        self.layout = TumourLayout(params, rng, margin)
        self._renderer = TumourRenderer(params, self.layout, rng)

    def slice(
        self, number: float, y: np.ndarray, x: np.ndarray, rng: np.random.Generator
    ) -> SyntheticSlice:
        """Return a slice.

        Parameters
        ----------
        number : float
            Where it lies, in slices from the top of the block.
        y, x : ndarray
            Rows and columns, px.
        rng : numpy.random.Generator
            Source of the slice's noise.
        """
        z = number * self._pixels
        geometry = self.layout.slice(z, y, x)
        half = self._renderer.half_width(z, y, x)
        contour = geometry.distance < np.maximum(half, 0.6)
        image = self._renderer.image(z, y, x, geometry, rng)
        excluded = geometry.regions >= self.layout.lumen
        # Cells within blood can be annotated in many ways: no line is right or wrong there.
        ignored = geometry.regions == self.layout.blood
        return SyntheticSlice(image, contour, geometry.regions, excluded, ignored)


def random_tumour_params(rng: np.random.Generator) -> TissueParams:
    """Draw random settings that vary like real stacks of tumours; see `random_tissue_params`."""
    pixel_size = float(rng.uniform(0.1, 0.2))
    diameter = float(np.exp(rng.uniform(np.log(32), np.log(120))))
    return TissueParams(
        kind="tumour",
        pixel_size=pixel_size,
        slice_thickness=float(rng.uniform(0.05, 0.2)),
        cell_diameter=diameter * pixel_size,
        membrane=float(rng.uniform(2.6, 3.4)) * pixel_size,
        faded=float(rng.uniform(0.05, 0.55)),
        noise=float(np.exp(rng.uniform(np.log(0.02), np.log(0.3)))),
        drift=float(rng.uniform(0, 2)),
        vessel=bool(rng.random() < 0.35),
        padding=float(rng.uniform(0.02, 0.25)) if rng.random() < 0.25 else 0.0,
    )
