"""A network as TorchScript, which other programs run without this package."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from napari_copnet.networks.architecture import network_with_weights
from napari_copnet.networks.package import ModelPackage


def write_torchscript(package: ModelPackage, path: Path, example: np.ndarray) -> np.ndarray:
    """Write a network that maps normalised images to the contour probability.

    Parameters
    ----------
    package : ModelPackage
    path : Path
        File to write.
    example : ndarray, shape (1, C, Y, X) or (1, C, Z, Y, X), float32
        Normalised; sides are multiples of `plan.total_stride`. The network takes other sizes too.

    Returns
    -------
    ndarray, shape (1, 1, ...), float32
        The probability of the example, as the written file computes it.

    Raises
    ------
    ModelError
        The weights are damaged or do not fit the plan.
    """
    import torch

    network = network_with_weights(package.plan, package.weights())

    class Probability(torch.nn.Module):
        """The network with the softmax that it was trained under."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.softmax(self.network(image), 1)[:, 1:2]

    values = torch.from_numpy(np.ascontiguousarray(example, np.float32))
    with torch.no_grad(), warnings.catch_warnings():
        # That checks of sizes are not traced, and that newer formats exist, which no reader takes.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(Probability().eval(), values)
        torch.jit.save(traced, str(path))
        return torch.jit.load(str(path))(values).numpy()


def torch_version() -> str:
    """Return the version of PyTorch that writes it, such as ``"2.13.0"``."""
    import torch

    return torch.__version__.partition("+")[0]
