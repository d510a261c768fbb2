"""Hostile files, and what listens on the network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import psutil

TESTS = Path(__file__).parents[1] / "tests"
# Files made to harm, and records of wrong types; pickles, plans and zips are among the models'.
HOSTILE = (
    "trust/test_hostile_files.py",
    "trust/test_damaged_records.py",
    "trust/test_hostile_projects.py",
    "trust/test_tables_and_exports.py",
    "networks/test_import_nnunet.py",
    "networks/test_plan.py",
    "io/test_bad_input.py",
)
# Images as other programs and libraries write them, plain, packed, tiled and in sets.
INTACT = ("io/test_read.py", "io/test_other_programs.py")


def hostile_files(folder: Path, _count: int, _seed: int) -> tuple[int, int, int]:
    """Run the tests of hostile files."""
    return _tested(folder, HOSTILE)


def earlier_versions(folder: Path, _count: int, _seed: int) -> tuple[int, int, int]:
    """Open runs, sessions and models that earlier versions wrote."""
    return _tested(folder, ("trust/test_earlier_versions.py",))


def intact_files(folder: Path, _count: int, _seed: int) -> tuple[int, int, int]:
    """Read images as other programs write them: none is refused."""
    return _tested(folder, INTACT)


def supply(folder: Path, _count: int, _seed: int) -> tuple[int, int, int]:
    """Check the code with the rules for security, and the list of all that is used."""
    return _tested(folder, ("test_supply.py", "test_dependencies.py"))


def _tested(folder: Path, names: tuple[str, ...]) -> tuple[int, int, int]:
    """Run tests, each once; one that is skipped is lost."""
    report = folder / "report.xml"
    paths = [str(TESTS / name) for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths]
    done = subprocess.run(
        [*command, f"--junitxml={report}"], cwd=TESTS.parent, capture_output=True, text=True
    )
    cases = [*ElementTree.parse(report).iter("testcase")]
    lost = [case for case in cases if [*case]]
    if lost:
        print(done.stdout[-2000:])
    return len(cases), len(cases) - len(lost), len(lost)


def only_this_machine(_: Path, count: int, _seed: int) -> tuple[int, int, int]:
    """Start dask's workers as `--cluster local` does; each socket is for this machine alone."""
    from napari_copnet.distributed import workers_of

    tried = lost = 0
    for _number in range(count):
        with workers_of("local", 2):
            for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
                for one in process.net_connections("inet"):
                    if one.status == psutil.CONN_LISTEN:
                        tried += 1
                        if one.laddr.ip not in ("127.0.0.1", "::1"):
                            lost += 1
                            print(f"    {process.name()} listens on {one.laddr}")
    return tried, tried - lost, lost
