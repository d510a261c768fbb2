"""The dock for simulated gaps, by its real sliders and buttons."""

import numpy as np
import pytest
from hand import press
from panels import dock_panel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_copnet.gui.background.jobs import threads_alive
from napari_copnet.gui.simulation.previews import LIVE_SIDE, live_box, true_contour
from napari_copnet.params import DegradeParams
from napari_copnet.training.degrade import degrade, for_area

SCALE, UNITS = (0.1, 0.05, 0.05), ("um",) * 3
SIDE = 160


def lattice():
    truth = np.zeros((3, SIDE, SIDE), np.uint8)
    for at in range(16, SIDE, 32):
        truth[:, at - 1 : at + 2] = truth[:, :, at - 1 : at + 2] = 1
    return truth


@pytest.fixture
def window(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def dock(window, qtbot):
    """The dock beside true contours and a map of them with round gaps."""
    truth = lattice()
    gappy = truth.astype(np.float32)
    for z in range(3):
        for y in range(16, SIDE, 32):
            gappy[z, y - 6 : y + 7, 26:38] = 0
    window.add_image(gappy, name="Step 1", scale=SCALE, units=UNITS)
    window.add_labels(truth, name="truth", scale=SCALE, units=UNITS)
    _, panel = dock_panel(window, "COp-Net gap simulation")
    shown(panel, qtbot)
    qtbot.waitUntil(lambda: panel.real is not None, timeout=20000)
    yield panel
    panel.shut_down()


def shown(panel, qtbot):
    qtbot.waitUntil(
        lambda: panel.simulated is not None and panel._previews.job is None, timeout=60000
    )


def test_a_slider_changes_the_map_which_lies_over_the_truth(dock, window, qtbot):
    layer = window.layers["Simulated gaps"]
    assert dock.truth is window.layers["truth"]
    np.testing.assert_allclose(layer.scale, SCALE[1:])
    before = np.array(layer.data)
    # The same as the core makes of the slice in view.
    here = for_area(DegradeParams(), (SIDE, SIDE))
    plain = degrade(lattice()[0], here, np.random.default_rng([0, 0, 0]))
    np.testing.assert_allclose(before, plain, atol=1e-6)
    slider = dock.sliders.rows["absorption_disks"]
    with qtbot.waitSignal(dock.shown, timeout=20000):
        QTest.keyClick(slider._slider, Qt.Key.Key_Home)
        QTest.keyClick(slider._slider, Qt.Key.Key_Right)
    assert dock.params().absorption_disks == 1
    assert not np.array_equal(layer.data, before)
    with qtbot.waitSignal(dock.shown, timeout=20000):
        QTest.keyClick(slider._slider, Qt.Key.Key_End)
    # Gaps without end: less contour is left than with one disk in 512².
    assert layer.data.sum() < 0.8 * lattice()[0].sum()
    assert dock.histogram.simulated is dock.simulated
    assert dock.histogram.heights(dock.simulated).sum() == pytest.approx(dock.simulated.rate)


def test_real_gaps_are_those_of_the_map_beside_the_truth(dock):
    # Five round gaps in each of three slices, 12 px wide: as many pieces, crossings included.
    assert len(dock.real.lengths) == 15
    assert dock.reals.currentText() == "Step 1 against the truth"


def test_the_same_settings_in_micrometres(dock, window, qtbot):
    pixels = dock.params()
    before = np.array(window.layers["Simulated gaps"].data)
    with qtbot.waitSignal(dock.shown, timeout=20000):
        dock.unit.setCurrentIndex(1)
    params = dock.params()
    assert params.unit == "um"
    assert params.radius_max == pytest.approx(pixels.radius_max * 0.05, rel=0.02)
    assert params.diffusion_max == pytest.approx(pixels.diffusion_max * 0.0025, rel=0.02)
    difference = np.abs(window.layers["Simulated gaps"].data - before).mean()
    assert difference < 0.01
    press(dock.use_button)
    # 160 px become 512: lengths 3.2 times as long, and as many disks in the slice as before.
    assert dock.chosen.unit == "px"
    assert dock.chosen.radius_max == pytest.approx(3.2 * pixels.radius_max, rel=0.02)
    assert dock.chosen.absorption_disks == round(pixels.absorption_disks / 3.2**2)


def test_the_fit_moves_the_sliders_and_can_be_stopped(dock, qtbot, monkeypatch):
    monkeypatch.setattr("napari_copnet.evaluation.fit_gaps.GENERATIONS", 3)
    start = dock.params()
    press(dock.fit_button)
    assert dock.fit_button.text() == "Stop" and not dock.sliders.isEnabled()
    qtbot.waitUntil(lambda: dock.params() != start, timeout=60000)
    press(dock.fit_button)
    qtbot.waitUntil(lambda: dock.job is None, timeout=20000)
    assert "Stopped" in dock.message.text and dock.sliders.isEnabled()
    assert dock.fit_button.text() == "Fit to real gaps"


def test_without_contours_it_says_what_it_needs(make_napari_viewer, qtbot):
    window = make_napari_viewer()
    _, panel = dock_panel(window, "COp-Net gap simulation")
    assert "Needs true contours" in panel.hint.text()
    assert not panel.fit_button.isEnabled() and not panel.use_button.isEnabled()
    layer = window.add_labels(lattice())
    shown(panel, qtbot)
    # Without a pixel size there are no µm.
    assert not panel.unit.model().item(1).isEnabled()
    window.layers.remove(layer)
    assert panel.truth is None and not panel.sliders.isEnabled()
    window.window.remove_dock_widget(panel)
    assert threads_alive() == []


def test_cells_are_degraded_at_their_borders_and_large_slices_in_part():
    cells = np.repeat(np.repeat([[1, 2], [3, 4]], 20, 0), 20, 1)
    contour = true_contour(cells)
    assert contour[:, 19:21].all() and contour[19:21].all() and not contour[5, 5]
    assert not true_contour(np.zeros((4, 4), int)).any()
    box = live_box((5000, 100), (4990, 50))
    assert box == (slice(5000 - LIVE_SIDE, 5000), slice(0, 100))
