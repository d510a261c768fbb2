"""`copnet evaluate --iterations` unites results with Step 1 as the run did."""

import json

import pytest

from napari_copnet.cli.evaluate_command import _united
from napari_copnet.params import ClosingParams


@pytest.mark.parametrize("unite", [True, False])
def test_the_record_beside_says_whether_results_are_united(tmp_path, unite):
    record = {"settings": {"closing": {"unite": unite}}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert _united(tmp_path / "iterations.tif") is unite


@pytest.mark.parametrize("text", [None, "{", "[]", '{"settings": null}'])
def test_without_a_record_it_is_the_default(tmp_path, text):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    assert _united(tmp_path / "iterations.tif") is ClosingParams().unite
