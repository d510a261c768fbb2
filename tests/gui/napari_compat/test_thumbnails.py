"""Thumbnails wait until the user pauses."""

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Image

from napari_copnet.gui.napari_compat.thumbnails import Thumbnails


def test_a_thumbnail_follows_the_last_slice_after_a_pause_only(make_napari_viewer, qtbot):
    viewer, thumbnails = make_napari_viewer(), Thumbnails()
    # Each slice has a grey of its own.
    stack = np.stack([np.full((8, 8), grey, np.float32) for grey in (0.0, 0.5, 1.0)])
    layer = viewer.add_layer(thumbnails.take(Image(stack, contrast_limits=(0, 1))))
    plain = viewer.add_layer(Image(stack, contrast_limits=(0, 1)))
    for z in (0, 1, 2):
        viewer.dims.set_point(0, z)
    drawn = []
    layer.events.thumbnail.connect(lambda: drawn.append(layer.thumbnail.copy()))
    for z in (1, 0, 1):
        viewer.dims.set_point(0, z)
    assert not drawn
    qtbot.waitUntil(lambda: bool(drawn), timeout=5000)
    qtbot.wait(50)
    # Once, and as napari draws it.
    assert len(drawn) == 1
    np.testing.assert_array_equal(drawn[0], plain.thumbnail)


def test_nothing_is_drawn_after_stop(make_napari_viewer, qtbot, monkeypatch):
    monkeypatch.setattr("napari_copnet.gui.napari_compat.thumbnails.PAUSE_MS", 20)
    viewer, thumbnails = make_napari_viewer(), Thumbnails()
    layer = viewer.add_layer(thumbnails.take(Image(np.zeros((3, 8, 8), np.float32))))
    drawn = []
    layer.events.thumbnail.connect(lambda: drawn.append(1))
    viewer.dims.set_point(0, 2)
    thumbnails.stop()
    qtbot.wait(100)
    assert not drawn
    viewer.dims.set_point(0, 1)
    qtbot.waitUntil(lambda: bool(drawn), timeout=2000)
