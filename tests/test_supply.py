"""The code passes the rules for security, and what it is installed with is listed whole."""

import importlib.metadata
import re
import subprocess
import sys
import time
import tomllib
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tifffile
from packaging.requirements import Requirement

from napari_copnet.errors import CopnetError
from napari_copnet.io.read import read_stack

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import sbom  # noqa: E402

CONFIGURED = tomllib.loads((ROOT / "pyproject.toml").read_text())
LINT = CONFIGURED["tool"]["ruff"]["lint"]


def test_the_rules_for_security_are_on():
    assert "S" in LINT["select"]
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "src"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_each_exception_has_its_reason_and_is_needed():
    """A rule that is off in all files of src would hide more than it should."""
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    named = [n for n, line in enumerate(lines) if re.match(r'"src/.*= \["S\d+"\]', line)]
    assert len(named) == 3 and all(lines[n - 1].startswith("# ") for n in named)
    assert [rule for rule in LINT["ignore"] if re.fullmatch(r"S\d+", rule)] == ["S101"]
    for path, rules in LINT["per-file-ignores"].items():
        if path.startswith("src/"):
            files = sorted(ROOT.glob(path))
            command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--isolated", "-q"]
            done = subprocess.run(
                [*command, "--select", rules[0], *files], capture_output=True, text=True
            )
            assert rules[0] in done.stdout


def test_the_bill_of_materials_lists_all_that_is_installed():
    made = sbom.bill()
    assert made["bomFormat"] == "CycloneDX" and made["metadata"]["component"]["name"] == sbom.NAME
    libraries = {c["name"]: c for c in made["components"] if c["type"] == "library"}
    project = CONFIGURED["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["gui"]]
    for requirement in map(Requirement, wanted):
        name = sbom.canonical(requirement.name)
        assert libraries[name]["version"] == importlib.metadata.version(name)
    # What those need in turn.
    assert {"numcodecs", "markupsafe", "pyqt6"} <= set(libraries)
    assert not {"pytest", "ruff", "mypy"} & set(libraries)
    refs = [c["bom-ref"] for c in (made["metadata"]["component"], *made["components"])]
    assert len(refs) == len(set(refs))
    for one in made["dependencies"]:
        assert one["ref"] in refs and set(one["dependsOn"]) <= set(refs)


def test_the_bill_of_materials_knows_the_weights_that_are_shipped():
    models = [c for c in sbom.bill()["components"] if c["type"] == "machine-learning-model"]
    assert {m["name"].split("/")[-2] for m in models} == {"contours", "closing"}
    assert all(len(m["hashes"][0]["content"]) == 64 for m in models)


@pytest.mark.parametrize("entities", [9, 30])
def test_entities_that_multiply_are_refused(tmp_path, entities):
    """The reason why OME metadata may be read with the standard library."""
    names = [f"e{n}" for n in range(entities)]
    rules = [f'<!ENTITY e0 "{"x" * 1000}">']
    rules += [f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise(names)]
    text = f'<?xml version="1.0"?><!DOCTYPE OME [{"".join(rules)}]>'
    text += f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">&{names[-1]};</OME>'
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((2, 8, 8), np.uint8), description=text, metadata=None)
    began = time.monotonic()
    with suppress(CopnetError):
        assert read_stack(path).shape == (2, 8, 8)
    assert time.monotonic() - began < 5
