"""Synthetic cortex: its slices with ground truth, and random settings."""

from __future__ import annotations

import numpy as np

from napari_copnet.params import TissueParams
from napari_copnet.synthetic.cortex_geometry import CortexLayout
from napari_copnet.synthetic.cortex_render import CortexRenderer
from napari_copnet.synthetic.slice_parts import SyntheticSlice


class Cortex:
    """One block of cortex.

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
        self.layout = CortexLayout(params, rng, margin)
        self._renderer = CortexRenderer(params, self.layout, rng)

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
        # Myelin is membrane throughout.
        contour = (geometry.distance < np.maximum(half, 0.6)) | (geometry.myelin > 0)
        image = self._renderer.image(z, y, x, geometry, rng)
        excluded = geometry.regions == self.layout.lumen
        return SyntheticSlice(image, contour, geometry.regions, excluded, np.zeros_like(excluded))


def random_cortex_params(rng: np.random.Generator) -> TissueParams:
    """Draw random settings that vary like real stacks of cortex; see `random_tissue_params`."""
    pixel_size = float(rng.uniform(0.006, 0.012))
    diameter = float(np.exp(rng.uniform(np.log(20), np.log(50))))
    return TissueParams(
        kind="cortex",
        pixel_size=pixel_size,
        slice_thickness=float(rng.uniform(0.025, 0.05)),
        cell_diameter=diameter * pixel_size,
        membrane=float(rng.uniform(2.6, 4.0)) * pixel_size,
        faded=float(rng.uniform(0, 0.2)),
        noise=float(np.exp(rng.uniform(np.log(0.03), np.log(0.35)))),
        drift=float(rng.uniform(0, 2)),
        vessel=bool(rng.random() < 0.08),
        padding=float(rng.uniform(0.02, 0.2)) if rng.random() < 0.15 else 0.0,
    )
