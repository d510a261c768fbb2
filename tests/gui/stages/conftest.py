"""The one dock in a window, with networks that take no time."""

import pytest
from fake_networks import made_image

from napari_copnet.gui.commands import open_stage
from napari_copnet.gui.workflow.workflow_panel import WorkflowPanel
from napari_copnet.io.write import write_image
from napari_copnet.types import VoxelSize

SIZE = VoxelSize(0.05, 0.01, 0.01)


@pytest.fixture
def stack(tmp_path):
    """A stack on disk: cells in a cross, with a gap in one arm."""
    (tmp_path / "data").mkdir()
    return write_image(tmp_path / "data" / "cross", made_image(), voxel_size=SIZE)


@pytest.fixture
def dock(make_napari_viewer, models, monkeypatch, qtbot):
    """Open a window with the dock; runs take the simplest settings."""
    monkeypatch.setattr(
        "napari_copnet.gui.stages.panels.WorkflowPanel",
        lambda viewer: WorkflowPanel(viewer, load=models),
    )
    viewer = make_napari_viewer(show=True)
    made = open_stage("", viewer)
    forms = {name: section.form for name, section in made.panels.workflow.sections.items()}
    for name, value in (("size", 0), ("align", False), ("invert", "no")):
        forms["preprocess"].rows[name].value = value
    forms["cells"].rows["min_size"].value = 4
    qtbot.waitUntil(made.isVisible)
    yield made
    made.shut_down()


@pytest.fixture
def ran(dock, stack, qtbot):
    """The dock with a stack that was opened and run by the green button."""
    from hand import press

    dock.panels.workflow.open(stack)
    qtbot.waitUntil(lambda: dock.next_button.text() == "Run", timeout=30000)
    press(dock.next_button)
    qtbot.waitUntil(lambda: dock.panels.finished is not None, timeout=60000)
    dock.look()
    return dock
