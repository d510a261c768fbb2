"""Synthetic neuropil: its slices with ground truth, and random settings."""

from __future__ import annotations

import numpy as np

from napari_copnet.params import TissueParams
from napari_copnet.synthetic.geometry import Layout
from napari_copnet.synthetic.render import Renderer
from napari_copnet.synthetic.slice_parts import SyntheticSlice


class Neuropil:
    """One block of neuropil.

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
        self.params = params
        self._layout = Layout(params, rng, margin=margin * params.pixel_size)
        self._renderer = Renderer(params, self._layout, rng)

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
        z = number * self.params.slice_thickness
        y, x = y * self.params.pixel_size, x * self.params.pixel_size
        geometry = self._layout.slice(z, y, x)
        half = self._renderer.half_width(z, y, x)
        contour = geometry.distance < np.maximum(half, 0.6)
        wall, excluded = None, np.zeros(contour.shape, bool)
        if geometry.vessel is not None:
            wall = 4 * half
            excluded = geometry.vessel > 0
            contour |= excluded & (geometry.vessel < wall)
        image = self._renderer.image(z, y, x, geometry, half, wall, rng)
        return SyntheticSlice(
            image, contour, geometry.cells, excluded, np.zeros(contour.shape, bool)
        )


def random_neuropil_params(rng: np.random.Generator) -> TissueParams:
    """Draw random settings that vary like real stacks; see `random_tissue_params`."""
    pixel_size = TissueParams.pixel_size
    return TissueParams(
        slice_thickness=float(rng.uniform(0.4, 3)) * pixel_size,
        cell_diameter=float(np.exp(rng.uniform(np.log(24), np.log(130)))) * pixel_size,
        membrane=float(rng.uniform(2.5, 5.0)) * pixel_size,
        faded=float(rng.uniform(0, 0.3)),
        noise=float(rng.uniform(0.05, 0.5)),
        drift=float(rng.uniform(0, 2)),
        vessel=bool(rng.random() < 0.3),
    )
