"""The list of edits as a table."""

import csv
from types import SimpleNamespace

from napari_copnet.gui.proofreading.history_export import export_history


class History(list):
    position = 1


def test_no_text_of_an_edit_is_run_by_a_spreadsheet(tmp_path):
    entry = SimpleNamespace(made=0.0, tool="=SUM(A1)", text="@a, 1 px")
    export_history(History([entry]), tmp_path / "edits.csv")
    with open(tmp_path / "edits.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["tool"], row["text"], row["number"]) == ("'=SUM(A1)", "'@a, 1 px", "1")
    assert row["applied"] == "True"
