"""Networks for tests of the window: no weights, known results, and a pace one can set."""

import dataclasses
import time
from types import SimpleNamespace

import numpy as np
from scipy import ndimage

from napari_copnet.progress import Progress
from napari_copnet.types import SliceResult
from napari_copnet.verdict.judge import judge
from napari_copnet.verdict.types import GREEN


class FakeNetwork:
    """Stands in for `networks.nnunet.Network`: `transform` of each image is its probability."""

    plan = SimpleNamespace(dimensions=2)

    def __init__(self, transform, pause=0.0):
        self.transform = transform
        self.pause = pause
        self.passes = 0
        # The first pixel of each image, in the order in which they were computed.
        self.corners = []

    def predict(self, images, *, mirror=False, overlap=0.5, batch=0, order=None):
        self.passes += 1
        order = list(range(len(images)) if order is None else order)
        result = np.zeros((len(images), *images.shape[2:]), np.float32)
        for done, index in enumerate(order, start=1):
            result[index] = self.transform(images[index, 0])
            self.corners.append(float(images[index, 0, 0, 0]))
            time.sleep(self.pause)
            yield Progress(
                "predict", done, len(order), "slices", partial=SliceResult(index, result[index])
            )
        return result


def dark_lines(image):
    """Contour where the image is dark."""
    return (image < -1).astype(np.float32) * 0.9


def grow_once(image):
    """Close gaps of up to four pixels along x: changes something in the first pass only."""
    closed = ndimage.binary_closing(np.pad(image > 0.5, 3), np.ones((1, 5)))[3:-3, 3:-3]
    return np.maximum(image, closed * 0.8).astype(np.float32)


def fake_model(name, kind):
    return SimpleNamespace(
        name=name, kind=kind, sha256=f"{kind}-{name}", card={}, plan=FakeNetwork.plan
    )


class FakeModels:
    """A `load` for the dock, remembering the networks it handed out."""

    def __init__(self, contours=dark_lines, closing=grow_once, pause=0.0):
        self.networks = {
            "contours": FakeNetwork(contours, pause),
            "closing": FakeNetwork(closing, pause),
        }

    def __call__(self, package, params):
        self.params = params
        return self.networks[package.kind]

    @property
    def passes(self):
        return {kind: network.passes for kind, network in self.networks.items()}


def judged_good(*run):
    """Judge a run, and find it good: drawn lines of two grey levels are no tissue."""
    verdict = yield from judge(*run)
    return dataclasses.replace(verdict, light=GREEN, reasons=())


def made_image(depth=4, side=48):
    """Bright cells with dark walls: a cross, with a gap of two pixels in one arm."""
    image = np.full((depth, side, side), 200, np.uint8)
    middle = side // 2
    image[:, middle - 1 : middle + 1] = 20
    image[:, :, middle - 1 : middle + 1] = 20
    image[:, middle - 1 : middle + 1, 10:12] = 200
    return image
