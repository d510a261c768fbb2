"""A file that can be read in several ways is opened with one more click."""

import numpy as np
import tifffile
from hand import press
from qtpy.QtWidgets import QFileDialog, QPushButton

NUMBERS = np.arange(6 * 20 * 24, dtype=np.uint8).reshape(6, 20, 24)


def answers(dock):
    message = dock.panels.workflow.run_controls.message
    return [b for b in message.findChildren(QPushButton, "answer") if b.isVisible()]


def begin(dock, path, monkeypatch, qtbot, shown):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(path), ""))
    press(dock.next_button)
    qtbot.waitUntil(lambda: bool(shown(dock)), timeout=60000)


def test_slices_that_look_like_channels(dock, qtbot, monkeypatch, tmp_path):
    tifffile.imwrite(tmp_path / "cord.tif", NUMBERS, imagej=True)
    begin(dock, tmp_path / "cord.tif", monkeypatch, qtbot, answers)
    assert [button.text() for button in answers(dock)] == ["They are 6 slices"]
    assert dock.panels.workflow.run_controls.message.text == "cord.tif has 6 channels."
    press(answers(dock)[0])
    stack = dock.panels.workflow.stack
    qtbot.waitUntil(lambda: stack.layer is not None, timeout=60000)
    assert np.array_equal(stack.layer.data, NUMBERS)
    assert not answers(dock) and not stack.isHidden()


def test_one_answer_leads_to_the_next(dock, qtbot, monkeypatch, tmp_path):
    np.save(tmp_path / "a.npy", NUMBERS.reshape(2, 3, 20, 24))
    begin(dock, tmp_path / "a.npy", monkeypatch, qtbot, answers)
    press(next(b for b in answers(dock) if "channels of slices" in b.text()))
    qtbot.waitUntil(lambda: len(answers(dock)) == 2, timeout=60000)
    press(answers(dock)[1])
    stack = dock.panels.workflow.stack
    qtbot.waitUntil(lambda: stack.layer is not None, timeout=60000)
    assert np.array_equal(stack.layer.data, NUMBERS[3:])


def test_where_there_are_too_many_answers_the_option_is_shown(dock, qtbot, monkeypatch, tmp_path):
    data = np.zeros((3, 6, 20, 24), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "ZCYX"})
    row = dock.panels.workflow.stack.reading.rows["channel"].native
    assert not row.isVisible()
    begin(dock, tmp_path / "a.tif", monkeypatch, qtbot, lambda _: row.isVisible())
    assert "has 6 channels" in dock.panels.workflow.run_controls.message.text
    assert not answers(dock)
