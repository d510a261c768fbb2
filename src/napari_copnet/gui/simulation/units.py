"""Settings of simulated gaps in pixels or in µm, and how far their sliders reach."""

from __future__ import annotations

import dataclasses

import numpy as np

from napari_copnet.gui.widgets.sliders import Span
from napari_copnet.params import DegradeParams

# In pixels.
SPANS = {
    "diffusion_disks": Span(0, 60),
    "absorption_disks": Span(0, 60),
    "radius_min": Span(0.0, 60.0, 0.1),
    "radius_max": Span(0.0, 100.0, 0.1),
    "diffusion_max": Span(0.0, 10.0, 0.1),
    "duration": Span(0.0, 15.0, 0.1),
}
# Powers of a length.
_LENGTHS = {"radius_min": 1, "radius_max": 1, "diffusion_max": 2}


def converted(params: DegradeParams, unit: str, pixel_size: float) -> DegradeParams:
    """Return settings in the other unit.

    Parameters
    ----------
    params : DegradeParams
        In pixels for ``"um"``, in µm for ``"px"``.
    unit : str
    pixel_size : float
        µm.
    """
    factor = pixel_size if unit == "um" else 1 / pixel_size
    powers = {**_LENGTHS, "diffusion_min": 2}
    values = {name: getattr(params, name) * factor**power for name, power in powers.items()}
    return dataclasses.replace(params, unit=unit, **values)


def spans_in(size: float) -> dict[str, Span]:
    """Return spans of as many pixels in a unit of which a pixel is `size`: 1 for pixels."""
    spans = {}
    for name, power in _LENGTHS.items():
        span, unit = SPANS[name], size**power
        step = 10.0 ** np.floor(np.log10(span.step * unit)) if unit != 1 else span.step
        spans[name] = Span(span.low * unit, span.high * unit, float(step))
    return spans
