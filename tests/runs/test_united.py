"""What records say of uniting, in every form in which they were and are written."""

import pytest

from napari_copnet.params import ClosingParams, Settings, as_dict
from napari_copnet.runs.united import is_united


@pytest.mark.parametrize("unite", [True, False])
def test_what_a_record_names_holds_for_whole_runs_and_for_the_closing_step(unite):
    closing = ClosingParams(unite=unite)
    assert is_united({"settings": Settings(closing=closing).as_dict()}) is unite
    assert is_united({"settings": {"device": "cpu", **as_dict(closing)}}) is unite


def test_closing_settings_without_it_are_of_the_time_when_uniting_was_the_default():
    assert is_united({"settings": {"closing": {"tolerance": 0.001}}}) is True


@pytest.mark.parametrize(
    "record", [None, {}, {"settings": None}, {"settings": {"preprocess": {"size": 512}}}]
)
def test_where_nothing_is_known_of_closing_the_present_default_counts(record):
    assert is_united(record) is ClosingParams().unite
