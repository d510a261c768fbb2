"""Command options built from the settings of `params`, and options that commands share."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer

from napari_copnet import params as all_params
from napari_copnet.cli.console import explained

Function = typing.TypeVar("Function", bound=Callable[..., Any])


class Options:
    """Options that several commands share, as one argument. Subclasses are frozen dataclasses.

    Each of its fields is annotated as an argument of a command would be.
    """


def add_command(app: typer.Typer, name: str, function: Callable[..., Any]) -> None:
    """Add a function to an app as a command with options from its settings and plain errors."""
    app.command(name)(explained(with_settings(function)))


def with_settings(function: Function) -> Callable[..., Any]:
    """Turn each argument that is a settings class into options, one for each setting.

    A function ``run(stack: Path, *, closing: ClosingParams)`` becomes a command with the options
    ``--tolerance``, ``--max-iterations`` and so on, and still receives ``closing``. When two
    classes share a name, the later option carries its class: ``--closing-mirror``. An argument
    that is a kind of `Options` becomes its options in the same way, as they are declared.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    signature = inspect.signature(function)
    plain: list[inspect.Parameter] = []
    options: list[inspect.Parameter] = []
    origin: dict[str, dict[str, str]] = {}
    groups = {name for name in signature.parameters if _is_settings(hints.get(name))}
    taken = set(signature.parameters) - groups
    for name, parameter in signature.parameters.items():
        kind: Any = hints.get(name)
        if name not in groups:
            plain.append(parameter.replace(annotation=hints.get(name, parameter.annotation)))
            continue
        origin[name] = {}
        if issubclass(kind, Options):
            for part in _declared(kind):
                taken.add(part.name)
                origin[name][part.name] = part.name
                plain.append(part)
            continue
        for field in dataclasses.fields(kind):
            option = field.name if field.name not in taken else f"{name}_{field.name}"
            taken.add(option)
            origin[name][field.name] = option
            options.append(_option(kind, field, option, name))

    @functools.wraps(function)
    def command(**values: Any) -> Any:
        for name, fields in origin.items():
            kind = hints[name]
            given = {field: values.pop(option) for field, option in fields.items()}
            made = kind(**given)
            values[name] = made if issubclass(kind, Options) else all_params.checked(made)
        return function(**values)

    plain = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in plain]
    command.__signature__ = signature.replace(parameters=plain + options)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in plain + options}
    return command


def _number_or_none(word: str, text: str) -> int | None:
    """Return a whole number, or None for the word that stands for it."""
    if text.strip().lower() == word:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is neither a whole number nor {word}.") from error


def _is_settings(hint: Any) -> bool:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def _declared(kind: type[Options]) -> list[inspect.Parameter]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return [p.replace(annotation=hints[n]) for n, p in inspect.signature(kind).parameters.items()]


def _option(
    kind: type, field: dataclasses.Field[Any], option: str, group: str
) -> inspect.Parameter:
    setting = all_params.settings(kind)[field.name]
    value_type: Any = all_params.field_type(kind, field.name)
    flag = "--" + option.replace("_", "-")
    flags = [f"{flag}/--no-{flag[2:]}"] if value_type is bool else [flag]
    text = f"{setting.label}. {setting.help}".strip()
    if setting.unit:
        text += f" In {setting.unit}."
    if setting.minimum is not None and setting.maximum is not None:
        text += f" {setting.minimum:g} to {setting.maximum:g}."
    panel = "Advanced" if setting.advanced else f"{group.capitalize()} settings"
    extra: dict[str, Any] = {"help": text, "rich_help_panel": panel}
    if setting.choices:
        value_type = typing.Literal[setting.choices]
    if setting.none:
        extra |= {
            "parser": functools.partial(_number_or_none, setting.none),
            "metavar": f"INTEGER|{setting.none}",
            "show_default": setting.none,
        }
    annotation = value_type | None if field.default is None else value_type
    return inspect.Parameter(
        option,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.default,
        annotation=Annotated[annotation, typer.Option(*flags, **extra)],
    )
