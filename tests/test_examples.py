"""The scripts and the notebook of the gallery run, with public names only."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_copnet.io.read import read_image

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
# What each is given for --out, and what it writes.
WRITTEN = {
    "stack_to_cells.py": ("results", "results/cells.tif"),
    "proofread_by_script.py": ("corrected", "corrected/export/cells.tif"),
    "closing_by_iteration.py": ("closing.png", "closing.png"),
}
NOTEBOOK = EXAMPLES / "stack_to_cells.ipynb"


def run(*command, folder):
    """Run Python in a folder, with the package of this checkout."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, *map(str, command)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def code_cells():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def modules(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_every_script_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(WRITTEN)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_script_runs(tmp_path, name):
    out, written = WRITTEN[name]
    run(EXAMPLES / name, "--out", out, folder=tmp_path)
    assert (tmp_path / written).stat().st_size > 0
    if written.endswith(".tif"):
        assert read_image(tmp_path / written).data.max() > 1


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_examples_use_public_names_only(path):
    code = "\n".join(code_cells()) if path == NOTEBOOK else path.read_text()
    ours = {name for name in modules(code) if name.split(".")[0] == "napari_copnet"}
    assert ours == {"napari_copnet"}


@pytest.mark.slow
def test_the_notebook_takes_ten_lines(tmp_path):
    code = "\n".join(code_cells())
    assert sum(bool(line.strip()) for line in code.splitlines()) == 10
    script = tmp_path / "notebook.py"
    shown = "print(cells.shape, cells.max() > 5, len(axes[1].images))"
    script.write_text(f"import matplotlib\nmatplotlib.use('Agg')\n{code}\n{shown}\n")
    done = run(script, folder=tmp_path)
    assert done.stdout.splitlines()[-1] == "(2, 192, 192) True 1"
    assert "closing" in done.stderr


def test_the_notebook_is_saved_without_results():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert not any(cell.get("outputs") for cell in cells)
