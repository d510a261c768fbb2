"""`copnet evaluate --iterations` unites results with Step 1 as the run did."""

import json

import pytest

from napari_copnet.cli.evaluate_command import _record_beside
from napari_copnet.params import ClosingParams
from napari_copnet.runs.united import is_united


@pytest.mark.parametrize("unite", [True, False])
def test_the_record_beside_says_whether_results_are_united(tmp_path, unite):
    record = {"settings": {"closing": {"unite": unite}}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert is_united(_record_beside(tmp_path / "iterations.tif")) is unite


@pytest.mark.parametrize("text", [None, "{", "[]", '{"settings": null}'])
def test_without_a_record_it_is_the_default(tmp_path, text):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    assert is_united(_record_beside(tmp_path / "iterations.tif")) is ClosingParams().unite
