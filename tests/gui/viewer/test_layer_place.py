"""What is made of a layer lies where the layer lies, also from a session and its exports."""

import numpy as np
import pytest
from napari.layers import Image

from napari_copnet.errors import InputError
from napari_copnet.gui.proofreading.session_layers import _frame
from napari_copnet.gui.viewer.layer_source import (
    Placement,
    placed,
    set_voxel_size,
    stack_from_layer,
    voxel_size_of,
)
from napari_copnet.io.read import read_image
from napari_copnet.progress import finish
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_export import export
from napari_copnet.proofreading.session_start import Start
from napari_copnet.types import VoxelSize

GREY = np.zeros((3, 20, 30), np.uint8)


def session_of(layer, folder):
    stack = stack_from_layer(layer)
    closed = np.zeros(stack.shape, np.uint8)
    closed[:, 10] = 1
    return finish(session_files.make(folder, Start(closed, closed.astype(np.float32), stack)))


def frames_of(layer, folder):
    with Session.open(session_of(layer, folder)) as session:
        return _frame(session)


@pytest.mark.parametrize("format", ["tiff", "ome-zarr", "nifti"])
@pytest.mark.parametrize(
    "frame",
    [
        {"scale": (0.05, 0.01, 0.02), "translate": (1, -2, 3), "units": ["um"] * 3},
        {"scale": (50, 10, 20), "translate": (1000, -2000, 3000), "units": ["nm"] * 3},
        {"affine": [[0.05, 0, 0, 1], [0, 0.01, 0, -2], [0, 0, 0.02, 3], [0, 0, 0, 1]],
         "units": ["um"] * 3},
    ],
    ids=["micrometres", "nanometres", "affine"],
)  # fmt: skip
def test_an_export_lies_where_the_layer_does(tmp_path, frame, format):
    layer = Image(GREY, name="tissue", **frame)
    folder = session_of(layer, tmp_path / "s")
    with Session.open(folder, read_only=True) as session:
        record = finish(export(session, tmp_path / "out", format))
        shown = _frame(session)
    cells = read_image(record["files"]["cells"])
    assert cells.voxel_size == pytest.approx(VoxelSize(0.05, 0.01, 0.02))
    assert cells.translate == pytest.approx((1, -2, 3))
    assert shown["scale"] == pytest.approx((0.05, 0.01, 0.02))
    assert shown["translate"] == pytest.approx((1, -2, 3))


@pytest.mark.parametrize(
    "frame",
    [
        {"translate": (10, 20, 30)},
        {"scale": (5, 1, 1), "translate": (10, 20, 30)},
        {"scale": (1, 2, 2), "units": ["pixel"] * 3},
    ],
)
def test_a_session_without_sizes_lies_over_its_layer(tmp_path, frame):
    layer = Image(GREY, name="tissue", **frame)
    shown = frames_of(layer, tmp_path / "s")
    np.testing.assert_allclose(shown["scale"], layer.scale)
    np.testing.assert_allclose(shown["translate"], layer.translate)


def test_a_single_image_lies_over_its_layer(tmp_path):
    layer = Image(GREY[0], name="tissue", scale=(2, 2), translate=(20, 30))
    shown = frames_of(layer, tmp_path / "s")
    np.testing.assert_allclose(shown["scale"], (1, 2, 2))
    np.testing.assert_allclose(shown["translate"], (0, 20, 30))


@pytest.mark.parametrize("frame", [{"rotate": (0, 0, 30)}, {"shear": (0, 0, 0.5)}])
def test_a_rotated_layer_is_refused(frame):
    layer = Image(GREY, name="tissue", **frame)
    with pytest.raises(InputError, match="rotated or sheared"):
        stack_from_layer(layer)
    # It can still be shown and moved.
    assert Placement.of(layer).translate.shape == (3,)


@pytest.mark.parametrize("frame", [
    {"scale": (5, 2, 2)},
    {"affine": np.diag([3.0, 2, 2, 1])},
    {"scale": (5, -2, 2), "affine": np.diag([3.0, 2, 2, 1])},
], ids=["scale", "affine", "mirrored"])  # fmt: skip
def test_a_layer_takes_the_voxel_size_that_was_typed(frame):
    layer = Image(GREY, translate=(0, 4, 6), **frame)
    before = placed(layer)
    size = VoxelSize(0.05, 0.01, 0.02)
    set_voxel_size(layer, size)
    assert voxel_size_of(layer) == pytest.approx(size)
    after = placed(layer)
    # It lies over the same pixels, and is no more mirrored than it was.
    np.testing.assert_allclose(after[1] / after[0], before[1] / before[0])
    np.testing.assert_array_equal(np.sign(after[0]), np.sign(before[0]))
