"""How differently the same tissue may look: contrast, shading, noise and blur beyond nnU-Net's.

A contour network that has seen few stacks takes their staining and noise for the way tissue looks.
These changes leave membranes where they are and vary what a microscope and a stain vary.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from batchgeneratorsv2.transforms.base.basic_transform import ImageOnlyTransform

# Shares of the patches that get each change.
SHADED, FADED, NOISY, SHIFTED, STRIPED = 0.4, 0.35, 0.35, 0.35, 0.1


class VariedAppearance(ImageOnlyTransform):
    """Shade, fade, stripe, shift and make noisy, each for a share of the patches.

    Works on z-scored images (C, Y, X) or (C, Z, Y, X): grey values are in standard deviations.
    """

    def get_parameters(self, **_: Any) -> dict:
        """Draw which changes a patch gets."""
        drawn = torch.rand(5) < torch.tensor([SHADED, FADED, NOISY, SHIFTED, STRIPED])
        return dict(
            zip(("shaded", "faded", "noisy", "shifted", "striped"), drawn.tolist(), strict=True)
        )

    def _apply_to_image(self, img: torch.Tensor, **params: Any) -> torch.Tensor:
        if params["faded"]:
            img = fade(img)
        if params["shaded"]:
            gain = torch.exp(0.3 * smooth_field(img.shape))
            img = img * gain + 0.5 * smooth_field(img.shape)
        if params["shifted"]:
            img = img * float(torch.exp(0.35 * torch.randn(()))) + 0.4 * float(torch.randn(()))
        if params["striped"]:
            rows = torch.randn((*img.shape[:-1], 1), dtype=img.dtype)
            img = img + 0.3 * float(torch.rand(())) * rows
        if params["noisy"]:
            img = img + 0.9 * float(torch.rand(())) * torch.randn_like(img)
        return img


def fade(image: torch.Tensor) -> torch.Tensor:
    """Take most of the fine contrast away in places: membranes nearly vanish there.

    Parameters
    ----------
    image : tensor, shape (C, Y, X) or (C, Z, Y, X)

    Returns
    -------
    tensor of the same shape
    """
    flat = image.reshape(1, -1, *image.shape[-2:])
    blurred = F.avg_pool2d(F.pad(flat, (4, 4, 4, 4), mode="replicate"), 9, 1).reshape(image.shape)
    share = torch.sigmoid(4 * (smooth_field(image.shape, 4, 16) - 0.7)) * float(torch.rand(()))
    return image + share * (blurred - image)


def smooth_field(shape: torch.Size, fewest: int = 2, most: int = 7) -> torch.Tensor:
    """Return smooth noise of standard deviation about 1 with `fewest` to `most` blobs a side.

    Parameters
    ----------
    shape : (C, Y, X) or (C, Z, Y, X)

    Returns
    -------
    tensor, shape (1, Y, X) or (1, 1, Y, X)
    """
    side = int(torch.randint(fewest, most + 1, ()))
    lattice = torch.randn((1, 1, side + 2, side + 2))
    field = F.interpolate(lattice, size=tuple(shape[-2:]), mode="bicubic", align_corners=True)
    return field[0] if len(shape) == 3 else field
