"""The documentation site: every page is in it, and what its pages show can be done."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import napari_copnet
from napari_copnet import _PUBLIC

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def test_every_page_has_its_place_in_the_site():
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2].partition("\nvalidation:")[0]
    listed = re.findall(r"([\w-]+\.md)", nav)
    assert len(listed) == len(set(listed))
    assert set(listed) == {path.name for path in DOCS.glob("*.md")}


def test_the_page_of_the_api_describes_every_public_name():
    described = set(
        re.findall(r"^::: napari_copnet\.([\w.]+)$", (DOCS / "api.md").read_text(), re.M)
    )
    assert described == {place.replace(":", ".") for place in _PUBLIC.values()}
    assert set(_PUBLIC) | {"__version__"} == set(napari_copnet.__all__)


def test_files_that_the_comparison_names_exist():
    named = re.findall(r"`(tests/[\w/.]+)`", (DOCS / "comparison.md").read_text())
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_each_claim_of_the_comparison_has_a_link_or_a_test():
    text = (DOCS / "comparison.md").read_text()
    claims = re.findall(r"^\| (?!---|tool |here ).+$|^- (?:.+\n?(?:  .+\n)*)", text, re.M)
    assert len(claims) > 20
    assert [claim for claim in claims if not re.search(r"\]\(|`tests/", claim)] == []


def test_the_site_needs_nothing_from_elsewhere():
    text = (ROOT / "mkdocs.yml").read_text()
    assert "font: false" in text and "strict: true" in text
    assert "inventories: []" in text


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("mkdocstrings") is None, reason="the extra docs is not installed"
)
def test_the_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    page = (tmp_path / "site" / "api" / "index.html").read_text()
    assert "NeedsChoiceError" in page and "VoxelSize" in page


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_ten_minutes_can_be_done(tmp_path):
    text = (DOCS / "tutorial.md").read_text().partition("## 5")[0]
    lines = re.findall(r"^    copnet (.+)$", text, re.M)
    assert len(lines) == 6
    for line in lines:
        # At a given size, as the search for one takes most of the time.
        more = ["--size", "256"] if line.startswith("run ") else []
        command = [sys.executable, "-m", "napari_copnet", *shlex.split(line), *more]
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (line, done.stderr[-2000:])
    for name in ("results/cells.tif", "corrected/cells.tif", "corrected/edits.json"):
        assert (tmp_path / name).exists()
