"""What is installed: the package with all of its data, and nothing of what lies beside it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "napari_copnet"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel from a copy of the sources, and return what it holds."""
    folder = tmp_path_factory.mktemp("wheel")
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.pyc", "images")
    for name in ("src", "research", "benchmarks", "scripts", "tests", "docs"):
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source" / name)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", build, str(folder)],
        cwd=folder / "source",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def test_only_the_package_is_installed(installed):
    tops = {name.split("/")[0] for name in installed}
    (described,) = tops - {"napari_copnet"}
    assert described.endswith(".dist-info")
    assert f"{described}/licenses/LICENSE" in installed


def test_every_module_and_every_data_file_is_installed(installed):
    ours = {
        f"napari_copnet/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in installed if name.startswith("napari_copnet/")} == ours
    for kind in ("contours", "closing"):
        assert f"napari_copnet/networks/shipped/{kind}/weights.safetensors" in ours
    assert {"napari_copnet/napari.yaml", "napari_copnet/py.typed"} <= ours
