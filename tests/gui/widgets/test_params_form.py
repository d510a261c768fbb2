"""Forms: every setting there and back, and what is wrong told as it is typed."""

import dataclasses
import inspect

import pytest

from napari_copnet import params
from napari_copnet.gui.widgets.params_form import ParamsForm
from napari_copnet.params import field_type, settings

KINDS = [
    kind
    for _, kind in inspect.getmembers(params, inspect.isclass)
    if dataclasses.is_dataclass(kind) and kind.__name__.endswith("Params")
]


def another_value(kind, name):
    """A value of a setting that is allowed and not its default."""
    setting, default = settings(kind)[name], getattr(kind(), name)
    if setting.choices:
        return next(choice for choice in setting.choices if choice != default)
    plain = field_type(kind, name)
    if plain is bool:
        return not default
    if plain is str:
        return "0.05,0.015,0.015"
    low = setting.minimum if setting.minimum is not None else 0
    high = setting.maximum if setting.maximum is not None else low + 10
    value = (low + high) / 3 + low * 0.66
    if plain is int:
        return int(value) if int(value) != default else int(value) + 1
    return value


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_settings_come_back_as_they_went_in(qtbot, kind):
    form = ParamsForm(kind)
    qtbot.addWidget(form.widget)
    assert form.get() == kind()
    other = kind(**{name: another_value(kind, name) for name in settings(kind)})
    form.set(other)
    assert form.get() == other
    assert form.problem is None
    assert all(getattr(other, n) != getattr(kind(), n) for n in settings(kind))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_setting_has_a_row_with_help_and_range(qtbot, kind):
    form = ParamsForm(kind)
    qtbot.addWidget(form.widget)
    for name, setting in settings(kind).items():
        assert setting.help in form.rows[name].tooltip
        is_number = field_type(kind, name) is int and getattr(kind(), name) is not None
        if is_number and setting.minimum is not None:
            assert form.rows[name].min == setting.minimum


def test_advanced_settings_are_folded_away(qtbot):
    form = ParamsForm(params.PreprocessParams)
    qtbot.addWidget(form.widget)
    form.widget.show()
    assert form.rows["size"].native.isVisible()
    assert not form.rows["max_shift"].native.isVisible()
    form.advanced.unfold()
    assert form.rows["max_shift"].native.isVisible()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1.5", "Stop below can't be 1.5. The largest is 1.0."),
        ("much", "Stop below can't be 'much'. Type a number, such as 0.5."),
        ("", "Stop below is empty. Type a number."),
        ("nan", "Stop below can't be nan. The smallest is 0.0."),
    ],
)
def test_what_is_wrong_is_told_as_it_is_typed(qtbot, text, sentence):
    form = ParamsForm(params.ClosingParams)
    qtbot.addWidget(form.widget)
    label = form.widget.findChild(type(form._wrong), "wrong")
    assert label.isHidden()
    form.rows["tolerance"].value = text
    assert label.text() == sentence
    assert not label.isHidden()
    form.rows["tolerance"].value = "0.01"
    assert label.isHidden()
    assert form.get().tolerance == 0.01


@pytest.mark.parametrize(
    ("text", "value"), [("auto", None), (" Auto ", None), ("", None), ("0", 0), ("384", 384)]
)
def test_a_number_may_be_left_to_the_run(qtbot, text, value):
    form = ParamsForm(params.PreprocessParams)
    qtbot.addWidget(form.widget)
    assert form.rows["size"].value == "auto"
    form.rows["size"].value = "512"
    assert form.get().size == 512
    form.rows["size"].value = text
    assert form.get().size == value
    form.set(params.PreprocessParams())
    assert form.rows["size"].value == "auto"
    form.rows["size"].value = "large"
    assert "a whole number, such as 3, or auto" in str(form.problem)


def test_a_hidden_setting_keeps_its_value(qtbot):
    form = ParamsForm(params.ClosingParams, hidden=("closing_model",))
    qtbot.addWidget(form.widget)
    form.set(params.ClosingParams(closing_model="mine", max_iterations=3))
    assert "closing_model" not in form.rows
    assert form.get() == params.ClosingParams(closing_model="mine", max_iterations=3)
