"""Fixtures of the tests that open a window; without a display they are skipped."""

import functools
import gc
import itertools
import os
import threading

import pytest

from napari_copnet.gui.display import has_display

HERE = os.path.dirname(__file__)
# A machine that has other work may take so long to come to a state that is waited for.
PATIENCE_MS = 120_000
# Tests between two collections of all that has gathered.
WHOLE_EVERY = 50


def pytest_collection_modifyitems(items):
    skip = pytest.mark.skip(reason="needs napari and a display")
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.gui)
            if not has_display():
                item.add_marker(skip)


if not has_display():
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(autouse=True, scope="session")
def light_collections():
    """Leave what a run imports out of all collections of garbage.

    napari's fixtures collect after each test, which takes half a second with PyTorch loaded.
    """
    from napari_copnet.gui.background import preload

    # In a thread: it lowers its own priority, and would that of all tests.
    loading = threading.Thread(target=preload._load)
    loading.start()
    loading.join()
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


_begun = itertools.count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Leave what the windows before have left out of the collections to come, but for some."""
    if str(item.path).startswith(HERE):
        if next(_begun) % WHOLE_EVERY == 0:
            gc.unfreeze()
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def account(monkeypatch, tmp_path_factory):
    """An account of its own, whose owner has seen the tour."""
    folder = tmp_path_factory.mktemp("account")
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(folder / "models"))
    (folder / "tour-seen").touch()
    return folder


def _patiently(wait, *args, timeout=0, **more):
    return wait(*args, timeout=max(timeout, PATIENCE_MS), **more)


@pytest.fixture
def qtbot(qtbot, monkeypatch):
    """Wait for a state however slow the machine is: no test depends on how long it takes."""
    for name in ("waitUntil", "waitSignal", "waitSignals"):
        wait = functools.partial(_patiently, getattr(qtbot, name))
        monkeypatch.setattr(qtbot, name, wait)
    return qtbot


@pytest.fixture
def models(monkeypatch):
    """Fake networks of a run, in place of models on disk."""
    from fake_networks import FakeModels, fake_model, judged_good

    monkeypatch.setattr("napari_copnet.pipeline.find_model", fake_model)
    monkeypatch.setattr("napari_copnet.run_steps.judge", judged_good)
    return FakeModels()


@pytest.fixture
def make_panel(make_napari_viewer_proxy, models, qtbot):
    """Open a window with the dock, quick settings and an image layer."""
    from fake_networks import made_image

    from napari_copnet.gui.workflow.workflow_panel import WorkflowPanel

    made = []

    def make(show=False, **image):
        viewer = make_napari_viewer_proxy(show=show)
        panel = WorkflowPanel(viewer, load=models)
        viewer.window.add_dock_widget(panel, name="COp-Net")
        panel.sections["preprocess"].form.rows["size"].value = 0
        panel.sections["preprocess"].form.rows["align"].value = False
        panel.sections["preprocess"].form.rows["invert"].value = "no"
        panel.sections["cells"].form.rows["min_size"].value = 4
        given = {"name": "cells in a cross", **image}
        data = given.pop("data", None)
        viewer.add_image(made_image() if data is None else data, **given)
        made.append(panel)
        return viewer, panel

    yield make
    for panel in made:
        panel.shut_down()


@pytest.fixture
def ended(qtbot):
    """Wait until a panel has nothing to do."""

    def wait(panel, timeout=60000):
        qtbot.waitUntil(lambda: panel.job is None, timeout=timeout)

    return wait


@pytest.fixture
def click(qtbot):
    """Press a button with the mouse."""
    from qtpy.QtCore import Qt

    def press(button):
        assert button.isEnabled(), button.objectName()
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    return press
