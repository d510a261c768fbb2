"""What is installed: the package with all of its data, and nothing of what lies beside it."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "napari_copnet"
# What the tag says; without setuptools-scm, a wheel has no version.
VERSION = "1.2.3" if importlib.util.find_spec("setuptools_scm") else "0.0.0"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build wheel and source archive from a copy of the sources; return the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.pyc", "images")
    for name in ("src", "research", "benchmarks", "scripts", "tests", "docs"):
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / "source" / name)
    build = (
        "import sys; out = sys.argv[1]; import setuptools.build_meta as build; "
        "build.build_wheel(out); build.build_sdist(out)"
    )
    done = subprocess.run(
        [sys.executable, "-c", build, str(folder)],
        cwd=folder / "source",
        env={**os.environ, "SETUPTOOLS_SCM_PRETEND_VERSION": "1.2.3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel):
    """Return the files of the wheel."""
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


def test_both_archives_are_small_and_carry_the_version(wheel):
    (source,) = wheel.parent.glob("*.tar.gz")
    assert wheel.name == f"napari_copnet-{VERSION}-py3-none-any.whl"
    assert source.name == f"napari_copnet-{VERSION}.tar.gz"
    assert max(wheel.stat().st_size, source.stat().st_size) < 20e6
    with tarfile.open(source) as archive:
        tops = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    # What builds the package, and what says what it is.
    assert {"src", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"} <= tops
    assert not {"docs", "tests", "research", "benchmarks", "scripts"} & tops


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory):
    """Install the wheel into a new environment; its packages are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    places = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", places))
    # Behind the wheel's own folder, so that a package installed here for work on it is not seen.
    (packages / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    command = [*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return python, packages


def run(python, *arguments, folder):
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_wheel_installs_and_knows_its_version_models_and_command(elsewhere, tmp_path):
    python, packages = elsewhere
    code = "import napari_copnet as n; print(n.__file__, n.__version__, len(n.list_models()))"
    file, version, models = run(python, "-c", code, folder=tmp_path).split()
    assert Path(file).is_relative_to(packages)
    assert version == VERSION and int(models) >= 2
    command = python.with_name("copnet.exe" if os.name == "nt" else "copnet")
    assert "proofreading" in run(python, str(command), "--help", folder=tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_demo_runs_from_the_wheel(elsewhere, tmp_path):
    python, _ = elsewhere
    run(python, "-m", "napari_copnet", "demo", "--out", "demo", "--no-gui", folder=tmp_path)
    assert (tmp_path / "demo" / "index.html").exists()
