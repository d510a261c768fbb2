"""Commands built from settings: every setting is an option, values arrive as settings."""

import json
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from napari_copnet import params
from napari_copnet.cli.console import Json, plain, show
from napari_copnet.cli.options import Options, add_command
from napari_copnet.errors import CopnetError
from napari_copnet.params import ClosingParams, ContourParams, PreprocessParams, ReadParams


@pytest.fixture
def received():
    return []


@pytest.fixture
def app(received):
    made = typer.Typer()

    def work(
        name: str,
        *,
        preprocess: PreprocessParams,
        contours: ContourParams,
        closing: ClosingParams,
        read: ReadParams,
        as_json: Json = False,
    ) -> None:
        """Work."""
        received.append((name, preprocess, contours, closing, read))
        if name == "broken":
            raise CopnetError("It broke.", "Mend it.")
        if name == "unknown":
            raise ZeroDivisionError("division by zero")
        show({"name": name}, as_json, [f"worked on {name}"])

    add_command(made, "work", work)
    add_command(made, "idle", lambda: None)
    return made


def call(app, *arguments):
    return CliRunner().invoke(app, ["work", *arguments])


def test_without_options_the_defaults_arrive(app, received):
    assert call(app, "x").exit_code == 0
    assert received == [
        ("x", PreprocessParams(), ContourParams(), ClosingParams(), ReadParams()),
    ]


def test_options_reach_their_own_settings_and_shared_names_carry_their_class(app, received):
    call(app, "x", "--size", "0", "--no-align", "--mirror", "--closing-batch", "3")
    _, preprocess, contours, closing, _ = received[0]
    assert preprocess == PreprocessParams(size=0, align=False)
    assert contours == ContourParams(mirror=True)
    assert closing == ClosingParams(batch=3)


def test_a_number_may_be_left_to_the_run(app, received):
    assert call(app, "x", "--size", "auto").exit_code == 0
    assert call(app, "x", "--size", "300").exit_code == 0
    assert [one[1].size for one in received] == [None, 300]
    wrong = call(app, "x", "--size", "large")
    assert wrong.exit_code == 2
    assert "neither a whole number nor auto" in " ".join(wrong.output.split())


def test_every_setting_is_an_option_with_its_help(app):
    text = "".join(CliRunner(env={"COLUMNS": "400"}).invoke(app, ["work", "--help"]).output)
    for kind in (PreprocessParams, ContourParams, ClosingParams, ReadParams):
        for name, setting in params.settings(kind).items():
            assert "--" + name.replace("_", "-") in text
            assert setting.help.split(".")[0][:40] in text


def test_a_value_out_of_range_ends_with_a_sentence_and_code_1(app, received):
    done = call(app, "x", "--tolerance", "7")
    assert done.exit_code == 1
    assert received == []


def test_errors_are_one_json_object_when_json_is_asked(app):
    done = call(app, "broken", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"error": "It broke.", "hint": "Mend it."}


def test_an_unknown_problem_is_a_sentence_without_a_traceback(app):
    done = call(app, "unknown", "--json")
    assert done.exit_code == 1
    assert "ZeroDivisionError: division by zero" in json.loads(done.stdout)["error"]


def test_result_is_one_json_object_or_lines(app):
    assert json.loads(call(app, "x", "--json").stdout) == {"name": "x"}
    assert call(app, "x").stdout == "worked on x\n"


@dataclass(frozen=True)
class Drawn(Options):
    size: Annotated[int, typer.Option("--size", min=1, help="Side of a drawing.")]
    colour: Annotated[str, typer.Option("--colour")] = "red"
    as_json: Json = False


def test_options_of_several_commands_arrive_together_beside_settings():
    made, seen = typer.Typer(), []

    def work(drawn: Drawn, *, preprocess: PreprocessParams) -> None:
        """Work."""
        seen.append((drawn, preprocess))
        if drawn.colour == "none":
            raise CopnetError("No colour.", "Name one.")

    add_command(made, "work", work)
    add_command(made, "idle", lambda: None)
    # A setting of the same name carries its class.
    assert call(made, "--size", "3", "--preprocess-size", "0").exit_code == 0
    assert seen == [(Drawn(3), PreprocessParams(size=0))]
    assert call(made).exit_code == 2 and call(made, "--size", "0").exit_code == 2
    done = call(made, "--size", "1", "--colour", "none", "--json")
    assert json.loads(done.stdout)["error"] == "No colour."


def test_json_has_no_nan():
    assert plain({"a": float("nan"), "b": (1, 2.5)}) == {"a": None, "b": [1, 2.5]}
