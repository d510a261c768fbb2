"""One dock: its stages, the green button, and a session that begins by itself."""

import dataclasses

import numpy as np
import pytest
import roifile
from hand import LEFT, press
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_copnet.errors import OutputError
from napari_copnet.gui.commands import main_dock, open_stage
from napari_copnet.gui.viewer.dock_places import docked
from napari_copnet.gui.workflow.workflow_panel import WorkflowPanel
from napari_copnet.io.read import read_image
from napari_copnet.progress import Progress
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.session_files import is_session
from napari_copnet.proofreading.session_start import from_run_folder
from napari_copnet.types import VoxelSize

ENTRIES = {
    "COp-Net workflow": "open",
    "COp-Net iterations": "segment",
    "COp-Net proofreading": "correct",
    "COp-Net training": "teach",
    "COp-Net gap simulation": "teach",
}


def lines(dock):
    return {name: stage.line.text.text() for name, stage in dock.stages.items()}


def unfolded(dock):
    return [name for name, stage in dock.stages.items() if stage.is_unfolded]


def test_every_entry_of_the_menu_opens_the_same_dock_at_its_stage(dock, qtbot):
    viewer = dock.viewer
    for title, stage in ENTRIES.items():
        viewer.window.add_plugin_dock_widget("napari-copnet", title)
        qtbot.waitUntil(lambda: len(viewer.window.dock_widgets) == 1, timeout=10000)
        assert main_dock(viewer) is dock and unfolded(dock) == [stage]
    viewer.window.add_plugin_dock_widget("napari-copnet", "COp-Net")
    qtbot.waitUntil(lambda: len(viewer.window.dock_widgets) == 1, timeout=10000)
    assert open_stage("segment", viewer) is dock
    assert sum(isinstance(widget, WorkflowPanel) for widget in docked(viewer)) == 1


def test_a_click_on_a_line_unfolds_one_stage_only(dock):
    for name in ("export", "teach", "segment", "open"):
        QTest.mouseClick(dock.stages[name].line, LEFT)
        assert unfolded(dock) == [name]
    dock.stages["correct"].line.setFocus()
    QTest.keyClick(dock.stages["correct"].line, Qt.Key.Key_Return)
    assert unfolded(dock) == ["correct"]


def test_the_green_button_leads_from_a_stack_to_files(
    dock, stack, qtbot, monkeypatch, tmp_path, account
):
    button = dock.next_button
    assert button.text() == "Open a stack"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(stack), ""))
    press(button)
    qtbot.waitUntil(lambda: button.text() == "Run", timeout=30000)
    # The voxel size is in the file: nothing is to be asked at Open.
    assert unfolded(dock) == ["segment"] and "4 × 48 × 48" in lines(dock)["open"]
    press(button)
    assert not button.isEnabled() and button.text() == "Running …"
    assert dock.panels.workflow.run_controls.cancel_button.isVisible()
    qtbot.waitUntil(lambda: button.text() == "Correct the cells", timeout=60000)
    assert lines(dock)["segment"].startswith("4 cells · converged in 2")
    assert not dock.panels.workflow.run_controls.cancel_button.isVisible()

    # No dialog asks for a folder: the session lies beside the stack.
    press(button)
    qtbot.waitUntil(lambda: dock.panels.session is not None, timeout=30000)
    assert dock.panels.session.folder == stack.parent / "cross-session"
    assert unfolded(dock) == ["correct"]
    # Likely errors are the next step until something is answered or corrected.
    qtbot.waitUntil(lambda: button.text().startswith("Review the"), timeout=10000)
    dot = Edit("dot", (Flip("contour", Patch.of(0, np.ones((1, 1), bool), (9, 9))),))
    dock.panels.session.apply(dot)
    qtbot.waitUntil(lambda: lines(dock)["correct"] == "1 edit", timeout=10000)
    assert button.text() == "Measure the cells"

    press(button)
    assert unfolded(dock) == ["measure"]
    qtbot.waitUntil(lambda: lines(dock)["measure"] == "measured", timeout=60000)
    qtbot.waitUntil(lambda: button.text() == "Export …", timeout=10000)
    press(button)
    assert unfolded(dock) == ["export"] and button.text() == "Export to a folder …"
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(out))
    press(button)
    qtbot.waitUntil(lambda: lines(dock)["export"] == "in out", timeout=30000)
    assert {"cells.tif", "closed.tif", "edits.json"} <= {path.name for path in out.iterdir()}
    assert from_run_folder(out).contour[0][9, 9]
    # Files of others are left alone.
    press(button)
    qtbot.waitUntil(lambda: lines(dock)["export"] == "in cross export", timeout=30000)


def test_without_corrections_the_run_is_exported(ran, qtbot, tmp_path):
    ran.unfold("export")
    ran.stages["export"].panel.export(tmp_path / "plain")
    qtbot.waitUntil(lambda: lines(ran)["export"] == "in plain", timeout=30000)
    assert (tmp_path / "plain" / "cells.tif").exists()


def test_cells_are_exported_for_other_programs(ran, qtbot, tmp_path, monkeypatch):
    ran.unfold("export")
    panel = ran.stages["export"].panel
    press(panel.fold.button)
    for name in ("rois", "stl"):
        box = panel.others[name]
        QTest.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))
        assert box.isChecked()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path / "o"))
    press(ran.next_button)
    qtbot.waitUntil(lambda: lines(ran)["export"] == "in o", timeout=60000)
    assert "rois.zip" in panel.message.text and "meshes-stl" in panel.message.text
    cells = read_image(tmp_path / "o" / "cells.tif").data
    rois = roifile.roiread(tmp_path / "o" / "rois.zip")
    assert {int(roi.name.split("-")[0]) for roi in rois} == set(np.unique(cells)) - {0}
    assert len(list((tmp_path / "o" / "meshes-stl").iterdir())) == 4
    # What needs a size is not offered without one.
    assert panel.others["ply"].isEnabled()
    source = ran.panels.finished
    unknown = dataclasses.replace(source.result.stack, voxel_size=VoxelSize())
    source.result = dataclasses.replace(source.result, stack=unknown)
    panel.renew()
    assert not panel.others["ply"].isEnabled() and "voxel size" in panel.others["ply"].toolTip()
    assert panel.others["rois"].isEnabled()


def test_a_session_is_offered_again_and_never_overwritten(ran, stack, qtbot, make_napari_viewer):
    press(ran.next_button)
    qtbot.waitUntil(lambda: ran.panels.session is not None, timeout=30000)
    first = ran.panels.session.folder
    ran.panels.proofreading.close_session()
    ran.look()
    assert ran.next_button.text() == "Correct the cells"
    press(ran.next_button)
    qtbot.waitUntil(lambda: ran.panels.session is not None, timeout=30000)
    assert ran.panels.session.folder == first.with_name("cross-session-2") and is_session(first)
    ran.shut_down()
    later = open_stage("", make_napari_viewer(show=True))
    offered = later.stages["open"].findChildren(type(later.next_button), "welcome_recent")
    assert [one.toolTip() for one in offered] == [
        str(first.with_name("cross-session-2")),
        str(first),
    ]
    press(offered[1])
    qtbot.waitUntil(lambda: later.panels.session is not None, timeout=30000)
    assert later.panels.session.folder == first and unfolded(later) == ["correct"]
    later.shut_down()


def test_a_newer_run_is_offered_to_the_session(ran, qtbot):
    press(ran.next_button)
    qtbot.waitUntil(lambda: ran.panels.session is not None, timeout=30000)
    ran.panels.workflow.sections["cells"].form.rows["min_size"].value = 9
    ran.unfold("segment")
    qtbot.waitUntil(lambda: ran.next_button.text() == "Run again", timeout=10000)
    press(ran.next_button)
    take = ran.panels.proofreading.take_run_button
    assert not take.isVisibleTo(ran.panels.proofreading.table)
    qtbot.waitUntil(lambda: ran.panels.has_newer_run, timeout=30000)
    QTest.mouseClick(ran.stages["correct"].line, LEFT)
    assert take.isVisible()
    assert ran.next_button.text() == "Use the new run"
    press(ran.next_button)
    qtbot.waitUntil(
        lambda: ran.panels.session is not None and not ran.panels.has_newer_run, timeout=30000
    )
    assert len(ran.panels.session.facts.runs) == 2


@pytest.mark.slow
def test_a_newer_run_that_was_refused_is_offered_again(ran, qtbot, monkeypatch):
    press(ran.next_button)
    qtbot.waitUntil(lambda: ran.panels.session is not None, timeout=30000)
    ran.panels.workflow.sections["cells"].form.rows["min_size"].value = 9
    ran.panels.workflow.run()
    qtbot.waitUntil(lambda: ran.panels.has_newer_run, timeout=30000)

    def full(*_):
        yield Progress("session", 0, 2, "steps")
        raise OutputError("The disk is full.", "Free some.")

    panel = ran.panels.proofreading
    with monkeypatch.context() as patch:
        patch.setattr("napari_copnet.gui.proofreading.proofreading_panel.add_run", full)
        ran.panels.take_new_run()
        qtbot.waitUntil(lambda: "disk is full" in panel.message.text, timeout=30000)
    assert len(ran.panels.session.facts.runs) == 1 and ran.panels.has_newer_run
    # Now it goes well, by the button of the session.
    ran.unfold("correct")
    press(panel.take_run_button)
    qtbot.waitUntil(
        lambda: ran.panels.session is not None and len(ran.panels.session.facts.runs) == 2,
        timeout=30000,
    )
    qtbot.waitUntil(lambda: not ran.panels.may_take_run, timeout=10000)
    ran.panels.workflow.sections["cells"].form.rows["min_size"].value = 10
    ran.panels.workflow.run()
    qtbot.waitUntil(lambda: ran.panels.has_newer_run, timeout=30000)


@pytest.mark.slow
def test_simulated_gaps_go_with_their_tab_and_stay_away_when_deleted(ran, qtbot):
    viewer = ran.viewer
    press(ran.next_button)
    qtbot.waitUntil(lambda: ran.panels.session is not None, timeout=30000)

    def layer():
        return next((x for x in viewer.layers if x.name == "Simulated gaps"), None)

    ran.open_at("simulation")
    qtbot.waitUntil(lambda: layer() is not None, timeout=30000)
    ran.unfold("correct")
    assert layer() is None
    viewer.dims.set_current_step(viewer.dims.ndim - 3, 2)
    qtbot.wait(300)
    assert layer() is None
    ran.unfold("teach")
    qtbot.waitUntil(lambda: layer() is not None, timeout=30000)
    viewer.layers.remove(layer())
    panel = ran.stages["teach"].simulation
    with qtbot.waitSignal(panel.shown, timeout=30000):
        viewer.dims.set_current_step(viewer.dims.ndim - 3, 1)
    assert layer() is None
    press(panel.again_button)
    qtbot.waitUntil(lambda: layer() is not None, timeout=30000)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_words_stand_out_from_their_background_on_both_themes(dock, theme):
    from napari.utils.theme import get_theme

    from napari_copnet.gui.widgets.colours import colour, follow_theme

    def light(value):
        parts = [part / 255 for part in value]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dock.viewer.theme = theme
    back = light(get_theme(theme).background.as_rgb_tuple()[:3])
    label = dock.stages["open"].line.text
    shown = label.palette().color(label.foregroundRole()).getRgb()[:3]
    follow_theme(theme)
    for tone in ("quiet", "wrong", "ask", "now", "done", "waiting"):
        text = colour(tone).lstrip("#")
        front = light([int(text[at : at + 2], 16) for at in (0, 2, 4)])
        ratio = (max(front, back) + 0.05) / (min(front, back) + 0.05)
        assert ratio >= 4.5, (tone, ratio)
    quiet = colour("quiet").lstrip("#")
    assert shown == tuple(int(quiet[at : at + 2], 16) for at in (0, 2, 4))


def test_the_window_stays_on_a_small_screen(ran, qtbot):
    window = ran.window()
    window.setGeometry(0, 0, 1366, 768)
    for name in ran.stages:
        ran.unfold(name)
        qtbot.wait(30)
        hint = window.minimumSizeHint()
        assert hint.width() <= 1366 and hint.height() <= 768, (name, hint)
        assert (window.width(), window.height()) == (1366, 768)
        bottom = ran.next_button.mapTo(window, ran.next_button.rect().bottomLeft()).y()
        assert bottom <= 768
        line = ran.stages[name].line
        title = line.findChildren(type(line.text))[2]
        assert title.width() >= title.sizeHint().width()
