"""What a setting is: a dataclass field with a label, help, unit, range and choices."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from napari_copnet.errors import CopnetError

Params = TypeVar("Params")

# Former names of settings, as files on disk still use them.
FORMER_NAMES = {"harder": "artefacts"}


@dataclass(frozen=True)
class Setting:
    """What a form or a command line needs to know about a field besides its type and default.

    `none` is the word that stands for None in a whole number that the run may choose, such as
    ``auto``.
    """

    label: str
    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    advanced: bool = False
    none: str = ""


def setting(default: Any, label: str, help: str, **rest: Any) -> Any:
    """Return a dataclass field that carries a `Setting`."""
    return dataclasses.field(
        default=default, metadata={"setting": Setting(label=label, help=help, **rest)}
    )


def settings(params: type | Any) -> dict[str, Setting]:
    """Return the `Setting` of each field of a parameter class or instance, in order."""
    return {f.name: f.metadata["setting"] for f in dataclasses.fields(params)}


def field_type(params: type, name: str) -> type:
    """Return the plain type of a field: bool, int, float or str, without ``| None``."""
    hint = typing.get_type_hints(params)[name]
    plain = [part for part in typing.get_args(hint) if part is not type(None)]
    return plain[0] if plain else hint


def checked(params: Params) -> Params:
    """Return `params` unchanged if every value is in its range.

    Raises
    ------
    CopnetError
        Names the setting, its value and the range.
    """
    for name, setting in settings(params).items():
        value = getattr(params, name)
        if value is None:
            continue
        unit = f" {setting.unit}" if setting.unit else ""
        if setting.choices and value not in setting.choices:
            raise CopnetError(
                f"{setting.label} can't be {value!r}.",
                f"Choose one of {', '.join(setting.choices)}.",
            )
        if isinstance(value, int | float) and not isinstance(value, bool):
            low, high = setting.minimum, setting.maximum
            if value != value or (low is not None and value < low):
                raise CopnetError(
                    f"{setting.label} can't be {value}{unit}.", f"The smallest is {low}{unit}."
                )
            if high is not None and value > high:
                raise CopnetError(
                    f"{setting.label} can't be {value}{unit}.", f"The largest is {high}{unit}."
                )
    return params


def as_dict(params: Any) -> dict[str, Any]:
    """Return the settings as plain values, for a run record."""
    return dataclasses.asdict(params)


def with_present_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain values with renamed settings under their present names."""
    return {FORMER_NAMES.get(name, name): value for name, value in values.items()}


def with_former_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain values under the former names of settings, for hashes stored in files."""
    former = {present: name for name, present in FORMER_NAMES.items()}
    return {former.get(name, name): value for name, value in values.items()}


def from_dict(kind: type[Params], values: dict[str, Any]) -> Params:
    """Build settings from plain values, also under former names; unknown names are refused.

    Raises
    ------
    CopnetError
        No values by name, an unknown name, or a value of another type or out of range.
    """
    if not isinstance(values, Mapping):
        raise CopnetError(f"Settings can't be {str(values)[:80]!r}.", "")
    values = with_present_names(values)
    known = set(settings(kind))
    unknown = sorted(set(values) - known)
    if unknown:
        raise CopnetError(
            f"There is no setting {unknown[0]!r}.", f"Known settings: {', '.join(sorted(known))}."
        )
    kinds = typing.get_type_hints(kind)
    for name, value in values.items():
        if not _is_of_type(value, kinds[name]):
            raise CopnetError(f"The setting {name} can't be {str(value)[:80]!r}.", "")
    return checked(kind(**values))


def _is_of_type(value: Any, kind: Any) -> bool:
    """Whether a value from a file has the type that a setting is declared with."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return any(_is_of_type(value, one) for one in typing.get_args(kind))
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in (bool, str, types.NoneType):
        return isinstance(value, kind)
    # Choices are checked against their list.
    return typing.get_origin(kind) is not typing.Literal or isinstance(value, str | int)
