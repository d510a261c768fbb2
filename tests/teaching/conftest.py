"""Small drawn projects: squares of cells between lines, in slices that can be drawn by hand."""

import numpy as np
import pytest

from napari_copnet.params import CellParams
from napari_copnet.proofreading.session_start import Start
from napari_copnet.teaching.project import Project
from napari_copnet.types import Stack, VoxelSize

SIDE, STEP = 48, 12


def grid(slices, side=SIDE, step=STEP):
    """Lines every `step` pixels: closed squares, up to the border."""
    contour = np.zeros((slices, side, side), np.uint8)
    contour[:, ::step] = contour[:, :, ::step] = 1
    contour[:, -1] = contour[:, :, -1] = 1
    return contour


def begin(contour, size=0, **more):
    """What a session begins with: dark lines, a probability that is sure of them."""
    rng = np.random.default_rng(0)
    image = 150 - 90.0 * contour + rng.normal(0, 8, contour.shape)
    stack = Stack(image.clip(0, 255).astype(np.uint8), VoxelSize(0.05, 0.01, 0.01), name="drawn")
    record = {"settings": {"preprocess": {"size": size}}, **more.pop("record", {})}
    return Start(
        contour,
        more.pop("step1", contour * np.float32(0.9)),
        stack,
        cells=CellParams(min_size=0),
        record=record,
        **more,
    )


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "project", begin(grid(31))) as opened:
        yield opened


@pytest.fixture
def models(tmp_path, monkeypatch):
    """An empty models folder of the test's own."""
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"
