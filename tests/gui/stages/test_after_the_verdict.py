"""Lines, dots and the green button follow the verdict on a run."""

import numpy as np
import pytest
from hand import press
from qtpy.QtWidgets import QDialog, QLabel

from napari_copnet.gui.widgets.dock_section import Mark
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import find_model
from napari_copnet.verdict.judge import judge
from napari_copnet.verdict.types import AMBER, GREEN, INVERT, RED, SIZES, TEACH, Reason, Verdict

SIGNS = {GREEN: ("●", "done"), AMBER: ("!", "ask"), RED: ("✕", "wrong")}


def judged(dock, light, *ways):
    """Put a verdict on the run that there is, and let the window see it."""
    source = dock.panels.workflow.source
    found = tuple(Reason("largest", light, "As it is.", way) for way in ways)
    verdict = Verdict(light, "In a sentence.", found, size=128)
    source.result = source.result.__class__(**{**vars(source.result), "verdict": verdict})
    dock.panels.workflow._refresh()
    dock.panels.workflow.ended.emit(source, "finished")


def signs(stage):
    """Return the dots with their tones: of the stage's line and of all sections in it."""
    labels = [label for label in stage.findChildren(QLabel) if label.text() in "○◐●◍✕!"]
    return {(label.text(), label.property("tone")) for label in labels if label.text()}


@pytest.mark.parametrize("light", [GREEN, AMBER, RED])
def test_sign_and_words_of_segment_are_those_of_the_verdict(ran, light):
    judged(ran, light, SIZES)
    line = ran.stages["segment"].line
    assert (line._sign.text(), line._sign.property("tone")) == SIGNS[light]
    words = {GREEN: "", AMBER: " · doubtful: look at the cells first", RED: " · looks wrong: try"}
    assert line.text.text().startswith(f"4 cells · converged in 2{words[light]}")
    ran.unfold("segment")
    has_green = any(tone == "done" for _, tone in signs(ran.stages["segment"]))
    assert has_green == (light == GREEN)
    said = ran.panels.workflow.sections["cells"].text
    assert ("looks wrong" in said, "is doubtful" in said) == (light == RED, light == AMBER)


def test_after_red_the_green_button_goes_one_way_after_the_other(ran, qtbot):
    judged(ran, RED, INVERT, SIZES)
    button = ran.next_button
    for name in ("segment", "correct", "export"):
        ran.unfold(name)
        assert button.text() == "Invert and run again", name
    assert "not yet" in ran.stages["correct"].line.text.text()
    press(button)
    qtbot.waitUntil(lambda: not ran.panels.is_running, timeout=60000)
    ran.unfold("segment")
    judged(ran, RED, INVERT, SIZES)
    ran.look()
    assert button.text() == "Try sizes …"
    press(button)

    def dialog():
        return next(iter(ran.findChildren(QDialog, "size_choice")), None)

    qtbot.waitUntil(lambda: not ran.panels.is_running, timeout=60000)
    assert dialog() is not None, ran.panels.workflow.run_controls.message.text
    dialog().close()
    ran.look()
    assert button.text() == "Teach the networks …"
    press(button)
    assert ran.current.name == "teach" and button.text() == "Annotate"
    press(button)
    qtbot.waitUntil(lambda: ran.panels.session is not None, timeout=30000)
    ran.look()
    assert ran.current.name == "teach" and not button.isEnabled()


def test_a_newer_run_that_looks_wrong_is_not_pressed_on_a_session(ran, qtbot):
    press(ran.next_button)
    qtbot.waitUntil(lambda: ran.panels.session is not None, timeout=30000)
    ran.panels.workflow.sections["cells"].form.rows["min_size"].value = 9
    ran.unfold("segment")
    qtbot.waitUntil(lambda: ran.next_button.text() == "Run again", timeout=10000)
    press(ran.next_button)
    qtbot.waitUntil(lambda: ran.panels.has_newer_run, timeout=30000)
    judged(ran, RED, TEACH)
    ran.unfold("correct")
    assert "the newer run looks wrong" in ran.stages["correct"].line.text.text()
    assert ran.next_button.text() != "Use the new run"


def test_networks_that_fail_lead_to_another_way(dock, qtbot, monkeypatch):
    """The networks that come with the package, on noise: no tissue, and no cells."""
    monkeypatch.setattr("napari_copnet.pipeline.find_model", find_model)
    monkeypatch.setattr("napari_copnet.run_steps.judge", judge)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (2, 96, 96), np.uint8)
    dock.panels.workflow._load = Network.load
    dock.viewer.add_image(image, name="noise", scale=(50, 10, 10), units="nm")
    dock.unfold("segment")
    qtbot.waitUntil(lambda: dock.next_button.text() == "Run", timeout=10000)
    press(dock.next_button)
    qtbot.waitUntil(lambda: dock.panels.finished is not None, timeout=120000)
    dock.look()
    assert dock.panels.workflow.source.result.verdict.light == RED
    segment = dock.stages["segment"]
    assert "looks wrong" in segment.line.text.text()
    assert not any(tone == "done" for _, tone in signs(segment))
    assert dock.panels.workflow.sections["cells"].mark is Mark.FAILED
    assert dock.next_button.text() in ("Try sizes …", "Teach the networks …")
