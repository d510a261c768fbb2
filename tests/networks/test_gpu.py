"""Both steps and a training on a CUDA GPU, against the CPU; skipped, and said, without one."""

import numpy as np
import pytest
import torch

from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import find_model
from napari_copnet.params import ClosingParams, DegradeParams, DeviceParams, TrainParams
from napari_copnet.progress import finish
from napari_copnet.steps.closing import close
from napari_copnet.steps.contours import predict_contours
from napari_copnet.synthetic import sample_stack
from napari_copnet.training.fit import train
from napari_copnet.training.sources import SyntheticTissue
from napari_copnet.types import is_contour

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="No CUDA GPU here: nothing was tested on one."
)
CPU = DeviceParams(device="cpu", precision="float32")
# As in every comparison of a fast path: the share of pixels that may come out differently.
SHARE = 0.001


@pytest.fixture(scope="module")
def image():
    grey = np.asarray(sample_stack().stack.data[:2], np.float32)
    return (grey - grey.mean()) / grey.std()


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_contours_and_closing_are_those_of_the_cpu(image, precision):
    masks = []
    for params in (CPU, DeviceParams(device="cuda", precision=precision)):
        first = Network.load(find_model("default", "contours"), params)
        second = Network.load(find_model("default", "closing"), params)
        contours = finish(predict_contours(image, first))
        closed = finish(close(contours, second, ClosingParams(max_iterations=2)))
        masks.append((is_contour(contours), closed.mask > 0))
    for one, other in zip(*masks, strict=True):
        assert np.mean(one != other) <= SHARE


def test_a_training_runs_on_it(tmp_path):
    package = finish(
        train(
            "contours",
            [SyntheticTissue(count=1, seed=1, slices=2)],
            tmp_path / "model",
            TrainParams(epochs=1, iterations_per_epoch=2, size="small", patch=128, batch=2),
            DegradeParams(),
            device=DeviceParams(device="cuda"),
        )
    )
    assert all(np.isfinite(values).all() for values in package.weights().values())
