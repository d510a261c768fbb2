"""Who may import whom: the direction of the house, and no heavy import at start-up."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "napari_copnet"
# Each part may import the parts before it. Parts on one line do not import each other.
ORDER = [
    {"errors", "progress", "foreign_text"},
    # What writing a file or a folder whole leaves behind when it is killed, and locks.
    {"leftovers", "locks", "records", "inflate"},
    # Progress where people work.
    {"watching"},
    # How large networks see a slice: settings, steps and training agree on it.
    {"plane_size"},
    {"lazy_array", "zarr_folder"},
    {"types", "params", "files", "padding"},
    {"folders", "fingerprint"},
    {"io", "networks", "synthetic", "boundaries", "store"},
    {"steps", "training"},
    {"verdict"},
    {"run_steps"},
    {"pipeline"},
    {"restored"},
    {"runs"},
    {"evaluation", "distributed"},
    # A session is made of a run, and a proofreader is scored against the truth.
    {"proofreading"},
    # Annotated slices lie in a session, train networks, and compare them by their scores.
    {"teaching"},
    # What leaves the package: tables of a run's or a session's cells, and files for others.
    {"measures"},
    {"export"},
    {"demo", "sizes", "thresholds"},
    {"gui"},
    {"cli"},
    {"__main__"},
]
RANK = {part: rank for rank, parts in enumerate(ORDER) for part in parts}
FILES = sorted(PACKAGE.rglob("*.py"))


# What is not installed: the package knows nothing of it.
OUTSIDE = {"research", "benchmarks"}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path):
    """Yield (module, inside a function or type-checking block) of each import in a file."""
    tree = ast.parse(path.read_text())
    inside = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node in inside
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node in inside


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_direction(path):
    part = part_of(path)
    if part == "__init__":
        return
    assert part in RANK, f"{part} has no place in the order: give it one in this test"
    for module, _ in imports(path):
        pieces = module.split(".")
        assert pieces[0] not in OUTSIDE, f"{part} imports {module}"
        if pieces[0] != "napari_copnet" or len(pieces) < 2:
            continue
        other = pieces[1]
        assert other == part or RANK[other] < RANK[part], f"{part} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_packages_stay_where_they_belong(path):
    part, relative = part_of(path), path.relative_to(PACKAGE).as_posix()
    for module, lazy in imports(path):
        top = module.split(".")[0]
        if top in {"napari", "qtpy", "magicgui", "superqt"}:
            assert part == "gui", f"{relative} imports {top}"
        if top in {"torch", "nnunetv2", "dynamic_network_architectures"}:
            assert part in {"networks", "training"}, f"{relative} imports {top}"
            assert lazy or part == "training", f"{relative} imports {top} outside a function"


CORE = [
    ".".join(("napari_copnet", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    )
    for path in FILES
    if part_of(path) not in {"gui", "__init__"}
    and "nnunet_trainer" not in path.name
    and path.name != "__main__.py"
]
BLOCKED = (
    "import sys\n"
    "for name in ('napari', 'qtpy', 'PyQt6', 'PySide6', 'magicgui', 'torch', 'nnunetv2'):\n"
    "    sys.modules[name] = None\n"
    "import importlib\n"
    "for name in sys.argv[1:]:\n"
    "    importlib.import_module(name)\n"
)


def test_every_core_module_imports_without_gui_and_networks():
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, *CORE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, napari_copnet\n"
        "heavy = {'napari', 'qtpy', 'magicgui', 'torch', 'nnunetv2', 'scipy', 'skimage'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def private_names(path: Path):
    """Yield each private attribute that a file takes from another object than its own."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            # What sys names so is documented.
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "sys")
            if not own and not node.attr.startswith("__"):
                yield node.attr


GUI = sorted((PACKAGE / "gui").rglob("*.py"))
COMPAT = PACKAGE / "gui" / "napari_compat"


@pytest.mark.parametrize("path", GUI, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_private_parts_of_napari_are_used_in_one_folder(path):
    if path.parent == COMPAT:
        said = path.read_text()
        assert path.name == "__init__.py" or re.search(r"napari 0\.\d", said), "needed in which?"
        return
    assert not list(private_names(path)), "put it into gui/napari_compat"


@pytest.mark.parametrize("path", GUI, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_constructor_of_the_window_takes_a_list_of_callbacks(path):
    for made in ast.walk(ast.parse(path.read_text())):
        if not isinstance(made, ast.ClassDef):
            continue
        for method in made.body:
            if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                given = [*method.args.args, *method.args.kwonlyargs]
                called = [
                    a.arg for a in given if a.annotation and "Callable" in ast.dump(a.annotation)
                ]
                # What a table of rows asks for are values, not news.
                assert len(called) < 3 or made.name == "Rows", f"{made.name}: signals for {called}"
