"""What is published beside the wheel says the same as pyproject.toml."""

import re
import tomllib
from pathlib import Path

import npe2
import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Packages with another name on conda-forge.
ON_CONDA = {"torch": "pytorch", "blosc2": "python-blosc2", "matplotlib": "matplotlib-base"}


def parts(requirement):
    """Return the name of a requirement as conda has it, and its versions."""
    name, versions = re.fullmatch(r"([\w.-]+)(?:\[[^\]]*\])?(.*)", requirement).groups()
    return ON_CONDA.get(name.lower(), name.lower()), versions.replace(" ", "")


def recipe():
    text = (ROOT / "recipe" / "meta.yaml").read_text()
    text = re.sub(r"\{%.*?%\}", "", text)
    return yaml.safe_load(re.sub(r"\{\{.*?\}\}", "filled", text))


def test_the_conda_recipe_needs_what_the_package_needs():
    needed = recipe()["requirements"]
    run = dict(parts(one.replace(" ", "")) for one in needed["run"])
    assert run.pop("python") == PROJECT["requires-python"]
    assert run == dict(map(parts, PROJECT["dependencies"]))
    window = dict(parts(one.replace(" ", "")) for one in needed["run_constrained"])
    assert window == dict(map(parts, PROJECT["optional-dependencies"]["gui"]))


def test_the_conda_package_has_the_command():
    assert recipe()["build"]["entry_points"] == [
        f"{name} = {place}" for name, place in PROJECT["scripts"].items()
    ]
    assert all((ROOT / name).exists() for name in recipe()["about"]["license_file"])


def test_the_napari_hub_finds_what_it_shows():
    manifest = npe2.PluginManifest.from_file(ROOT / "src" / "napari_copnet" / "napari.yaml")
    assert "Segmentation" in manifest.categories
    assert "Framework :: napari" in PROJECT["classifiers"]
    shown = yaml.safe_load((ROOT / ".napari-hub" / "config.yml").read_text())
    assert set(shown["project_urls"]) <= set(PROJECT["urls"])
    assert all(PROJECT["urls"][name] == url for name, url in shown["project_urls"].items())


def test_the_container_runs_the_command_without_a_window():
    text = (ROOT / "Containerfile").read_text()
    assert 'ENTRYPOINT ["copnet"]' in text
    assert "gui" not in re.findall(r'"\.\[([\w,]+)\]"', text)[0]
    copied = re.findall(r"-c (\S+)", text)
    assert all((ROOT / name).exists() for name in copied)
