"""A file that can be read in several ways is opened with one more click."""

import numpy as np
import tifffile
from hand import press
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QInputDialog, QPushButton, QSpinBox

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


def answer_number(number):
    """Type a number into the dialog once it is there, and press OK."""

    def look():
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, QInputDialog):
            QTimer.singleShot(50, look)
            return
        box = dialog.findChild(QSpinBox)
        box.selectAll()
        QTest.keyClicks(box, str(number))
        QTest.keyClick(dialog, Qt.Key.Key_Return)

    QTimer.singleShot(50, look)


def test_of_many_channels_the_number_is_asked(dock, qtbot, monkeypatch, tmp_path):
    data = np.arange(3 * 6 * 20 * 24, dtype=np.uint16).reshape(3, 6, 20, 24)
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "ZCYX"})
    answer_number(4)
    stack = dock.panels.workflow.stack
    begin(dock, tmp_path / "a.tif", monkeypatch, qtbot, lambda _: stack.layer is not None)
    assert np.array_equal(stack.layer.data, data[:, 4])
    said = dock.panels.workflow.run_controls.message.text
    assert said == "Channel 4 was used; there are 6, counted from 0."


def test_where_no_answer_is_likely_the_option_is_shown(dock, qtbot, monkeypatch, tmp_path):
    np.save(
        tmp_path / "a.npy", np.arange(2 * 2 * 3 * 20 * 24, dtype=np.uint16).reshape(2, 2, 3, 20, 24)
    )
    stack = dock.panels.workflow.stack
    row = stack.reading.rows["axes"].native
    assert not row.isVisible()
    begin(dock, tmp_path / "a.npy", monkeypatch, qtbot, lambda _: row.isVisible())
    # The welcome gives it the room.
    assert not dock.findChild(QPushButton, "welcome_sample").isVisible()
    assert "order of the axes" in dock.panels.workflow.run_controls.message.text
    assert not answers(dock)
    stack.reading.rows["axes"].value = "TCZYX"
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *_, **__: (str(tmp_path / "a.npy"), "")
    )
    press(stack.open_file)
    qtbot.waitUntil(lambda: bool(answers(dock)), timeout=60000)
