"""What `napari_copnet` exports: loaded lazily, described, and all that docs and scripts use."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

import napari_copnet
from napari_copnet.progress import Progress

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "napari_copnet"
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Those that try to break what is inside look inside.
SCRIPTS = [p for p in sorted((ROOT / "scripts").glob("*.py")) if not p.stem.startswith("trust")]
NAMES = [name for name in napari_copnet.__all__ if name != "__version__"]

# Scripts that need more than the public names, what they need, and why.
EXCEPTIONS = {
    # Takes the sample through the steps that the window shows.
    "make_sample.py": {
        "napari_copnet.pipeline",
        "napari_copnet.progress",
        "napari_copnet.synthetic",
        "napari_copnet.types",
    },
    # Reads the curve that the window shows.
    "tour_loop.py": {"napari_copnet.teaching"},
    # Presses buttons of the dock.
    "tour_window.py": {
        "napari_copnet.gui.commands",
        "napari_copnet.gui.iterations.iterations_panel",
        "napari_copnet.gui.stages.first_tour",
        "napari_copnet.gui.stages.main_dock",
    },
}


def blocks(path):
    """Return the Python code blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def private(tree):
    """Yield the modules of the package that code imports beside its public names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.startswith("napari_copnet."):
                    yield name.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "napari_copnet":
                yield from (
                    f"napari_copnet.{name.name}"
                    for name in node.names
                    if name.name not in napari_copnet.__all__
                )
            elif node.module.startswith("napari_copnet."):
                yield node.module


@pytest.mark.parametrize("name", NAMES)
def test_each_name_exists_and_says_what_it_is(name):
    found = getattr(napari_copnet, name)
    assert found.__doc__ and len(found.__doc__.splitlines()[0]) > 10


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="read_stacks"):
        napari_copnet.read_stacks  # noqa: B018
    assert set(NAMES) <= set(dir(napari_copnet))


def test_no_name_hides_a_module_of_the_package():
    modules = {path.stem for path in PACKAGE.iterdir()}
    # Once such a module is imported, the name would mean the module.
    assert modules & set(NAMES) == {"params"}


def test_type_checkers_see_the_same_names_in_the_same_places():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    imports_ = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {name.asname: (node.module, name.name) for node in imports_ for name in node.names}
    assert sorted(seen) == sorted(NAMES) == sorted(napari_copnet._PUBLIC)
    for public, (module, name) in seen.items():
        found = importlib.import_module(module)
        shown = getattr(found, name, None) or importlib.import_module(f"{module}.{name}")
        assert getattr(napari_copnet, public) is shown


def test_each_name_loads_without_qt_and_torch():
    code = (
        "import sys\n"
        "for name in ('napari', 'qtpy', 'PyQt6', 'PySide6', 'magicgui', 'torch', 'nnunetv2'):\n"
        "    sys.modules[name] = None\n"
        "import napari_copnet\n"
        "for name in napari_copnet.__all__:\n"
        "    getattr(napari_copnet, name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_page_describes_each_name_in_a_line():
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", (ROOT / "docs/python.md").read_text(), re.M)
    assert sorted(name for name, _ in rows) == sorted(NAMES)
    assert all(text[0].isupper() and text.endswith(".") for _, text in rows)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_docs_use_public_names_only(path):
    for block in blocks(path):
        assert not list(private(ast.parse(block)))
    # The page of the API names the places that its text comes from.
    text = re.sub(r"^::: .+$", "", path.read_text(), flags=re.MULTILINE)
    named = re.findall(r"(?<![/\w])napari_copnet\.(\w+)", text)
    assert set(named) <= set(NAMES)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_use_public_names_only(path):
    assert set(private(ast.parse(path.read_text()))) == EXCEPTIONS.get(path.name, set())


class PlainNetwork:
    """Step 1 takes dark pixels for contour, and Step 2 finds nothing to close."""

    def __init__(self, package, device=None):
        self.kind, self.plan = package.kind, package.plan

    @classmethod
    def load(cls, package, params=None):
        return cls(package)

    def predict(self, images, **options):
        images = np.asarray(images)[:, 0]
        yield Progress("predict", len(images), len(images), "slices")
        return (images < -1).astype(np.float32) if self.kind == "contours" else images.copy()


def test_the_examples_of_the_page_run(tmp_path, monkeypatch, capsys):
    from napari_copnet import make_tissue, params, run
    from napari_copnet.networks import nnunet

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(nnunet, "Network", PlainNetwork)
    monkeypatch.setitem(run.__kwdefaults__, "load", PlainNetwork)
    tissue = make_tissue(params.TissueParams(slices=4, size=128), seed=2)
    tifffile.imwrite("stack.tif", tissue.stack.data, photometric="minisblack")
    values: dict = {}
    for number, block in enumerate(blocks(ROOT / "docs" / "python.md")):
        # What stands alone is evaluated too, so a name that does not exist fails.
        exec(compile(block, f"python.md, block {number + 1}", "exec"), values)
    assert "closing 1" in capsys.readouterr().out
    assert values["restored"].cells.shape == tissue.cells.shape
    assert values["restored"].cells.max() > 4
    assert Path(values["record"]["files"]["cells"]).is_file()
    assert values["closing"].iterations is not None
    assert len(values["evaluation"].as_dict()["slices"]) == 4
    assert (tmp_path / "corrected" / "run.json").is_file()
