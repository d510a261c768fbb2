"""What the docs name exists: options of commands, pages that they link to, and folders."""

import re
import shlex
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from napari_copnet import cli

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PACKAGE = ROOT / "src" / "napari_copnet"
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*)(?: +([\w,.-]+))?")
# Commands of other programs whose options the docs show.
FOREIGN = re.compile(r"nnUNetv2_\w+|\bpip\b|python -[mc]|pytest|\bxvfb-run\b|\bmake\b|setup\.sh")


def commands() -> dict[str, Any]:
    """Return every command by its words, such as ``model show``."""
    app = typer.Typer()
    for module in cli.modules():
        module.add_to(app)
    found: dict[str, Any] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        inner = getattr(command, "commands", None)
        if inner is None:
            found[" ".join(words)] = command
            return
        for name, one in inner.items():
            walk(one, (*words, name))

    walk(typer.main.get_command(app), ())
    return found


COMMANDS = commands()


def options_of(command: Any) -> dict[str, Any]:
    """Return the options of a command, without their dashes, both forms of a switch."""
    return {
        name.lstrip("-"): option
        for option in command.params
        for name in (*option.opts, *option.secondary_opts)
        if name.startswith("--")
    }


def choices_of(option: Any) -> tuple[Any, ...]:
    """Return the values that an option may take; none where any will do."""
    if hasattr(option, "type_descriptor"):
        kind = option.type_descriptor.annotation
        return typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
    return tuple(getattr(option.type, "choices", ()))


def benchmark_options() -> set[str]:
    """Return the options that ``make bench`` passes on in ARGS."""
    texts = [path.read_text() for path in (ROOT / "benchmarks").glob("*.py")]
    return set(re.findall(r'"--([a-z-]+)"', "\n".join(texts)))


def command_lines(text: str) -> Iterator[str]:
    """Yield what a page shows of `copnet`: lines of code blocks, and code in sentences."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        block = line.startswith("    ") or re.match(r"[\w./]*copnet ", line)
        if block and re.search(r"\bcopnet [a-z]", line):
            yield line.strip()
    for code in re.findall(r"`([^`]+)`", joined):
        if re.match(r"copnet [a-z]", code):
            yield " ".join(code.split())


def shown_lines(text: str) -> Iterator[str]:
    """Yield the lines of code blocks that begin with `copnet`: to be typed as they stand."""
    for line in text.replace("\\\n", " ").splitlines():
        if re.match(r" {4}copnet [a-z]|(?:\.venv/bin/)?copnet [a-z].* --", line):
            yield line.strip()


def named_command(line: str) -> str | None:
    """Return which command a line shows: the one with the most words."""
    words = line[re.search(r"\bcopnet ", line).end() :].split()  # type: ignore[union-attr]
    for count in (2, 1):
        if " ".join(words[:count]) in COMMANDS:
            return " ".join(words[:count])
    return None


def check(options: str, known: dict[str, list[Any]]) -> list[str]:
    """Return what is wrong with the options in a text: no such option, or no such choice."""
    wrong = []
    for name, value in OPTION.findall(options):
        if name not in known:
            wrong.append(f"--{name}")
            continue
        choices = [choices_of(option) for option in known[name]]
        if value and choices and all(choices) and not any(value in allowed for allowed in choices):
            wrong.append(f"--{name} {value}")
    return wrong


def known_to(names: list[str]) -> dict[str, list[Any]]:
    known: dict[str, list[Any]] = {"help": []}
    for name in names:
        for option, parameter in options_of(COMMANDS[name]).items():
            known.setdefault(option, []).append(parameter)
    return known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_command_lines_can_be_typed_as_they_stand(page):
    """All arguments that a command needs are there, and none that it does not take."""
    wrong = []
    for line in shown_lines(page.read_text()):
        name = named_command(line)
        assert name is not None, line
        words = shlex.split(line[re.search(r"\bcopnet ", line).end() :])
        try:
            COMMANDS[name].make_context(name, words[len(name.split()) :])
        except Exception as error:
            wrong.append(f"{line}: {error or type(error).__name__}")
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_the_docs_show_have_these_options(page):
    wrong = []
    for line in command_lines(page.read_text()):
        name = named_command(line)
        # `copnet annotate` and `copnet COMMAND` stand for several commands.
        names = [name] if name else list(COMMANDS)
        wrong += [f"copnet {name}: {one}" for one in check(line, known_to(names))]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_the_docs_mention_exist(page):
    # Beside those of `copnet`, a page may mention those of the benchmarks.
    known = {**known_to(list(COMMANDS)), **{name: [] for name in benchmark_options()}}
    assert "cells" not in known
    wrong = []
    for code in re.findall(r"`([^`]+)`", page.read_text().replace("```", "")):
        if "--" in code and not FOREIGN.search(code):
            wrong += check(" ".join(code.split()), known)
    assert wrong == []


def test_a_made_up_option_and_a_made_up_choice_are_found():
    known = known_to(["run"])
    assert check("copnet run a.tif --cells linked --mode linked", known) == ["--cells"]
    assert check("copnet run a.tif --mode joined", known) == ["--mode joined"]
    assert named_command(".venv/bin/copnet model show default") == "model show"
    assert list(command_lines("    copnet run a \\\n  --size 3\n\nsee `copnet demo`")) == [
        "copnet run a    --size 3",
        "copnet demo",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_headings_that_the_docs_link_to_exist(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http:", "https:")):
            continue
        name, _, heading = target.partition("#")
        file = page if not name else page.parent / name
        assert file.exists(), target
        if heading:
            assert heading in headings(file), target


def headings(page: Path) -> set[str]:
    """Return the anchors of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_architecture_names_every_folder():
    text = (ROOT / "docs" / "how-it-works.md").read_text()
    named = set(re.findall(r"`(\w+)/`", text))
    folders = {
        file.parent.name for file in PACKAGE.rglob("*.py") if file.parent not in (PACKAGE,)
    } | {name for name in ("research", "benchmarks", "tests", "scripts", "docs")}
    assert folders - named == set()
    names = {path.name for path in ROOT.iterdir()} | {path.name for path in PACKAGE.rglob("*")}
    assert named - names == set()
