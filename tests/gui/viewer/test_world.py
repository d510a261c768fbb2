"""Places in a viewer whose layers have other units and other axes than the one in hand."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.viewer.camera import View, fly_to, held_view, is_in_view
from napari_copnet.gui.viewer.layer_source import set_voxel_size, slice_in_view
from napari_copnet.gui.viewer.world import pixel_sizes, to_data, to_world
from napari_copnet.types import VoxelSize

AXES = ("z", "y", "x")


@pytest.fixture
def viewer():
    """A stack in µm, and one of the same size in nm: the viewer then is in nm."""
    made = ViewerModel()
    for name, scale, unit in (("um", 1, "micrometer"), ("nm", 1000, "nanometer")):
        made.add_image(
            np.zeros((10, 40, 60), np.uint8),
            name=name,
            scale=np.multiply((0.03, 0.01, 0.02), scale),
            translate=np.multiply((0.3, 0.1, 0.2), scale),
            units=(unit,) * 3,
            axis_labels=AXES,
        )
    return made


@pytest.mark.parametrize("name", ["um", "nm"])
def test_the_slice_in_view_is_that_of_the_sliders(viewer, name):
    layer = viewer.layers[name]
    for z in (0, 4, 9):
        viewer.dims.set_current_step(0, z)
        assert slice_in_view(viewer, layer) == z


@pytest.mark.parametrize("name", ["um", "nm"])
def test_a_place_is_flown_to_and_found_again(viewer, name):
    layer = viewer.layers[name]
    fly_to(viewer, layer, 7, (11.0, 23.0), 4.0, None)
    assert viewer.dims.current_step[0] == 7
    camera = camera_of(viewer)
    other = viewer.layers["nm"]
    np.testing.assert_allclose(other.world_to_data((0, *camera.center[-2:]))[-2:], (11, 23))
    np.testing.assert_allclose(to_data(viewer, layer, (0, *camera.center[-2:]))[-2:], (11, 23))
    np.testing.assert_allclose(to_world(viewer, layer, (7, 11, 23))[-2:], camera.center[-2:])
    np.testing.assert_allclose(pixel_sizes(viewer, layer), (30, 10, 20))
    # 140 px of 20 nm in 600 px of the screen.
    assert camera.zoom == pytest.approx(600 / (140 * 20))


def test_what_lies_in_the_middle_of_the_canvas_is_in_view(viewer):
    class Canvas:
        def width(self):
            return 400

        height = width

    layer = viewer.layers["um"]
    fly_to(viewer, layer, 7, (11.0, 23.0), 0, Canvas())
    assert is_in_view(viewer, layer, (12.0, 24.0), Canvas())
    assert not is_in_view(viewer, layer, (1100.0, 23.0), Canvas())


def test_the_view_stays_where_a_layer_gets_its_size(viewer):
    del viewer.layers["um"]
    layer = viewer.add_image(np.zeros((10, 40, 60), np.uint8), name="new", axis_labels=AXES)
    del viewer.layers["nm"]
    viewer.add_image(
        np.zeros((10, 4, 6)), scale=(30, 100, 200), units=("nanometer",) * 3, axis_labels=AXES
    )
    set_voxel_size(layer, VoxelSize(0.03, 0.01, 0.02))
    viewer.dims.set_current_step(0, 6)
    with held_view(viewer, layer):
        set_voxel_size(layer, VoxelSize(0.06, 0.02, 0.04))
    assert slice_in_view(viewer, layer) == 6


def test_a_view_is_restored_where_a_stack_of_more_axes_came_meanwhile():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((10, 40, 60), np.uint8), axis_labels=AXES)
    viewer.dims.set_current_step(0, 7)
    view = View.of(viewer)
    times = viewer.add_image(np.zeros((5, 10, 40, 60), np.uint8), axis_labels=("t", *AXES))
    viewer.dims.set_current_step((0, 1), (3, 2))
    view.restore(viewer)
    assert viewer.dims.current_step[:2] == (3, 7)
    # And the other way round.
    view = View.of(viewer)
    viewer.layers.remove(times)
    viewer.dims.set_current_step(0, 1)
    view.restore(viewer)
    assert viewer.dims.current_step[0] == 7
