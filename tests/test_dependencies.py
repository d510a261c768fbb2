"""What is imported is declared, what is declared is imported or has its reason, floors are run."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = "napari_copnet"
# Packages whose module has another name.
MODULES = {
    "bioimageio-spec": "bioimageio",
    "connected-components-3d": "cc3d",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "simpleitk": "SimpleITK",
}
# What only a part of the package needs: imported in functions, which say so when it is absent.
# IPython is there where a notebook is.
OPTIONAL = {
    "IPython",
    "bioimageio",
    "cellpose",
    "dask_jobqueue",
    "distributed",
    "sklearn",
    "tensorstore",
}
# Where a lowest version can't be had at the size of a small machine; pyproject.toml says why.
NOT_AT_ITS_FLOOR = {"torch"}

TEXT = (ROOT / "pyproject.toml").read_text()
PROJECT = tomllib.loads(TEXT)["project"]
EXTRAS = PROJECT["optional-dependencies"]

# CPython comes with the second, which lets allocations fail.
KNOWN = {*sys.stdlib_module_names, "_testcapi"}


def name_of(requirement):
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def module_of(requirement):
    name = name_of(requirement)
    return MODULES.get(name, name.replace("-", "_"))


def modules(*extras):
    lists = [PROJECT["dependencies"], *(EXTRAS[extra] for extra in extras)]
    return {module_of(requirement) for some in lists for requirement in some}


def imported(files, inside_functions=True):
    """Return the top-level modules that files import, less the standard library's and our own."""
    found = {}
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        late = {
            child
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
            for child in ast.walk(node)
        }
        for node in ast.walk(tree):
            if node in late and not inside_functions:
                continue
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for name in names:
                top = name.split(".")[0]
                if top not in KNOWN and top != OURS:
                    found.setdefault(top, path.relative_to(ROOT).as_posix())
    return found


def python_files(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


SOURCE = python_files("src")
GUI = [path for path in SOURCE if "gui" in path.relative_to(ROOT / "src" / OURS).parts]
CORE = [path for path in SOURCE if path not in GUI]
AROUND = python_files("tests", "scripts", "research", "benchmarks")
# Modules beside the files that import them.
BESIDE = {path.stem for path in AROUND} | {"research", "benchmarks"}


@pytest.mark.parametrize(
    ("files", "extras"),
    [
        (CORE, ()),
        (GUI, ("gui",)),
        (AROUND, ("gui", "zoo", "research", "cellpose", "distributed", "precomputed", "dev")),
    ],
    ids=["core", "gui", "tests and scripts"],
)
def test_what_is_imported_is_declared(files, extras):
    allowed = modules(*extras) | (BESIDE if files is AROUND else OPTIONAL)
    missing = {name: path for name, path in imported(files).items() if name not in allowed}
    assert not missing


def test_what_is_optional_is_imported_late():
    assert not OPTIONAL & set(imported(SOURCE, inside_functions=False))


def declared():
    """Yield (requirement, whether a comment stands beside it) in the order of pyproject.toml."""
    lines = TEXT.splitlines()
    for number, line in enumerate(lines):
        found = re.match(r'\s+"([\w.-]+[^"]*)",(\s*#.*)?$', line)
        if found and any(found[1] in some for some in [PROJECT["dependencies"], *EXTRAS.values()]):
            yield found[1], bool(found[2]) or lines[number - 1].lstrip().startswith("#")
    for extra in ("zoo", "precomputed", "cellpose", "research"):  # on one line
        yield from ((requirement, True) for requirement in EXTRAS[extra])


def test_what_is_declared_is_imported_or_has_its_reason():
    used = set(imported([*SOURCE, *AROUND]))
    found = list(declared())
    assert len(found) == len(PROJECT["dependencies"]) + sum(map(len, EXTRAS.values()))
    assert not [r for r, reason in found if not reason and module_of(r) not in used]
    core = set(imported(CORE))
    assert not [
        r
        for r, reason in found
        if r in PROJECT["dependencies"] and not reason and module_of(r) not in core
    ]


def test_an_upper_bound_has_its_reason():
    assert not [r for r, reason in declared() if "<" in r and not reason]


def test_each_floor_is_what_the_lowest_run_installs():
    pinned = {}
    for line in (ROOT / "constraints-lowest.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            pinned[name_of(name)] = version
    floors = {}
    for some in [PROJECT["dependencies"], *EXTRAS.values()]:
        for requirement in some:
            if found := re.search(r">=([\w.]+)", requirement):
                floors[name_of(requirement)] = found[1]
    floors.pop("cellpose")  # of an extra that the run leaves out
    different = {n: (v, pinned.get(n)) for n, v in floors.items() if pinned.get(n) != v}
    assert set(different) == NOT_AT_ITS_FLOOR
    # everything of the core and of the window has a floor
    for requirement in [*PROJECT["dependencies"], *EXTRAS["gui"]]:
        assert name_of(requirement) in floors, requirement
