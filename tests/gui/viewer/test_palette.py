"""The contour is told apart from every cell, by all eyes."""

import numpy as np
import pytest
from napari.utils.colormaps.standardize_color import transform_color
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_copnet.gui.viewer.palette import CELL_COLOURS
from napari_copnet.gui.viewer.placed_layers import CONTOUR_COLOUR

# Machado, Oliveira and Fernandes, IEEE Transactions on Visualization 15, 2009, at full severity;
# they act on linear light.
SEEN = {
    "all colours": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def seen(colours, matrix):
    srgb = np.concatenate([transform_color(colour)[:, :3] for colour in colours]).astype(float)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.asarray(matrix).T, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb2lab(srgb)


@pytest.mark.parametrize("eyes", SEEN)
def test_no_cell_looks_like_contour(eyes):
    contour, cells = (seen(colours, SEEN[eyes]) for colours in ([CONTOUR_COLOUR], CELL_COLOURS))
    assert deltaE_ciede2000(contour, cells).min() > 30
