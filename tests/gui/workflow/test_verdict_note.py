"""The verdict on a run, in the window: its words, and its buttons as ways on."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialog, QLabel, QPushButton

from napari_copnet.gui.workflow.size_choice import sizes_for
from napari_copnet.verdict.types import (
    AMBER,
    GREEN,
    INVERT,
    RED,
    SIZES,
    TEACH,
    Reason,
    Verdict,
)

REASONS = (
    Reason("dark", RED, "Membranes look light.", INVERT),
    Reason("largest", AMBER, "One cell takes half of a slice.", SIZES),
    Reason("certainty", AMBER, "The network is not sure.", TEACH),
)


def press(widget, name):
    button = widget.findChild(QPushButton, name)
    for _ in range(100):
        if button.isVisible():
            break
        QTest.qWait(20)
    assert button.isEnabled() and button.isVisible(), name
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def shown(panel, name):
    return panel.findChild(QPushButton, name).isVisible()


def contrast(one, other):
    def light(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_a_run_ends_with_its_verdict(make_panel, click, ended):
    viewer, panel = make_panel(show=True)
    assert not panel.verdict.isVisible()
    click(panel.run_controls.run_button)
    ended(panel)
    judged = panel.source.result.verdict
    assert panel.verdict.verdict is judged
    assert panel.verdict.isVisible()
    assert judged.says in panel.findChild(QLabel, "verdict_head").text()
    # Another image was not run: there is nothing to say of it.
    other = viewer.add_image(viewer.layers[0].data.copy(), name="other")
    panel.stack.choose(other)
    assert not panel.verdict.isVisible()
    panel.stack.choose(panel.sources[0].layer)
    assert panel.verdict.isVisible()


@pytest.mark.parametrize(("light", "sign"), [(GREEN, "✔"), (AMBER, "!"), (RED, "✕")])
def test_its_light_is_in_sign_and_words_too(make_panel, light, sign):
    from napari_copnet.gui.workflow.verdict_note import _LOOKS

    _, panel = make_panel(show=True)
    panel.verdict.show_verdict(Verdict(light, "As it is."))
    assert panel.verdict.head.text() == f"{sign}  As it is."
    assert not panel.verdict.why.isVisible()
    assert contrast(*_LOOKS[light][1:]) >= 7


def test_reasons_are_said_a_few_at_a_time_and_name_the_ways_on(make_panel):
    _, panel = make_panel(show=True)
    panel.verdict.show_verdict(Verdict(RED, "Wrong.", REASONS))
    assert panel.verdict.why.text() == f"• {REASONS[0].says}\n• {REASONS[1].says}"
    press(panel, "verdict_more")
    assert panel.verdict.why.text().endswith(REASONS[2].says)
    press(panel, "verdict_more")
    assert REASONS[2].says not in panel.verdict.why.text()
    assert all(shown(panel, f"verdict_{way}") for way in (SIZES, INVERT, TEACH))
    panel.verdict.show_verdict(Verdict(AMBER, "Doubtful.", REASONS[1:2]))
    assert shown(panel, "verdict_sizes")
    assert not shown(panel, "verdict_invert") and not shown(panel, "verdict_teach")


def test_invert_runs_the_other_way_round(make_panel, click, ended, models):
    _, panel = make_panel(show=True)
    click(panel.run_controls.run_button)
    ended(panel)
    before = panel.source.result
    assert not before.preprocessed.inverted
    panel.verdict.show_verdict(Verdict(RED, "Wrong.", REASONS))
    press(panel, "verdict_invert")
    ended(panel)
    assert panel.sections["preprocess"].form.rows["invert"].value == "yes"
    assert panel.source.result is not before
    assert panel.source.result.preprocessed.inverted


def test_sizes_are_tried_beyond_that_of_the_run(make_panel, click, ended, qtbot):
    assert sizes_for((250, 250), 384, 384) == [192, 288, 384, 576, 768]
    assert sizes_for((50, 50), 0, 50) == [50, 96]
    _, panel = make_panel(show=True)
    click(panel.run_controls.run_button)
    ended(panel)
    panel.verdict.show_verdict(Verdict(RED, "Wrong.", REASONS, size=128))
    press(panel, "verdict_sizes")
    dialogs = lambda: panel.findChildren(QDialog, "size_choice")  # noqa: E731
    qtbot.waitUntil(lambda: any(dialog.isVisible() for dialog in dialogs()), timeout=60000)
    texts = [button.text() for button in dialogs()[0].findChildren(QPushButton)]
    assert texts == ["Use 96 px", "Use 128 px", "Use 192 px", "Use 256 px"]


def test_teach_opens_the_dock_for_training(make_panel, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "napari_copnet.gui.workflow.verdict_note.open_training", lambda: opened.append(1)
    )
    _, panel = make_panel(show=True)
    panel.verdict.show_verdict(Verdict(RED, "Wrong.", REASONS))
    press(panel, "verdict_teach")
    assert opened == [1]
