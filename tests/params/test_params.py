"""Settings: each is described, refuses values out of range and survives a round trip."""

import dataclasses
import inspect

import pytest

from napari_copnet import params
from napari_copnet.errors import CopnetError

KINDS = [
    kind
    for _, kind in inspect.getmembers(params, inspect.isclass)
    if dataclasses.is_dataclass(kind) and kind not in (params.Setting, params.Settings)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_setting_is_described_and_its_default_allowed(kind):
    assert params.checked(kind()) == kind()
    for name, setting in params.settings(kind).items():
        assert setting.label, name
        assert params.field_type(kind, name) in (bool, int, float, str)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_settings_survive_a_round_trip(kind):
    assert params.from_dict(kind, params.as_dict(kind())) == kind()


def test_value_below_range_is_refused_by_label_and_unit():
    with pytest.raises(CopnetError, match=r"Size can't be -1 px\. The smallest is 0 px\."):
        params.checked(params.PreprocessParams(size=-1))


def test_value_above_range_and_nan_are_refused():
    with pytest.raises(CopnetError, match=r"The largest is 1\.0"):
        params.checked(params.ClosingParams(tolerance=2.0))
    with pytest.raises(CopnetError):
        params.checked(params.ClosingParams(tolerance=float("nan")))


def test_unknown_choice_and_unknown_name_are_refused():
    with pytest.raises(CopnetError, match="Choose one of auto, cpu, cuda, mps"):
        params.checked(params.DeviceParams(device="tpu"))
    with pytest.raises(CopnetError, match="no setting 'sise'"):
        params.from_dict(params.PreprocessParams, {"sise": 512})


def test_settings_are_read_by_the_names_they_had_before():
    stored = {"epochs": 7, "harder": False, "zoom": 1.2}
    read = params.from_dict(params.TrainParams, stored)
    assert read == params.TrainParams(epochs=7, artefacts=False, zoom=1.2)
    # Hashes of recipes hold the former names: folders that are there stay valid.
    assert params.with_former_names(params.as_dict(read))["harder"] is False
