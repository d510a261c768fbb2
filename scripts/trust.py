"""Try to break every promise of docs/trust.md; print how often each was tried, survived and lost.

Each suite runs in a process of its own, two of them at a time. In the full form a suite has a time
of its own too: one that ran out of it before its count is called short. A suite that can't run, or
does not end, counts as lost.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# After its time a suite may end what it is at, and what it has to check in the end.
GRACE_SECONDS = 300.0
# For the short form, which has no times.
LONGEST_SECONDS = 1800.0
# These are about times and memory too.
ON_DISK = ("stops", "window", "session", "stacks", "trainings", "parents", "viewers", "disks")


@dataclass(frozen=True)
class Suite:
    """How a promise is tried.

    Attributes
    ----------
    promise : int
        Its number in docs/trust.md.
    text : str
        What is promised.
    work : str
        ``module.function``, called with a folder, how often to try, and a seed; it returns how
        often it tried, survived and lost.
    short, full : int
        How often `make trust` and `make trust-full` try.
    minutes : float
        How long the full form may take.
    """

    promise: int
    text: str
    work: str
    short: int
    full: int
    minutes: float


SUITES = {
    "edits": Suite(
        1, "kill -9 while editing loses nothing", "trust_edits.killed_edits", 25, 5000, 22
    ),
    "steps": Suite(
        1, "edits and undos equal plain arrays", "trust_edits.same_steps", 1000, 10000, 3
    ),
    "earlier": Suite(
        1, "what earlier versions wrote opens", "trust_hostile.earlier_versions", 1, 1, 1
    ),
    "folders": Suite(
        2, "no file of the user's is touched", "trust_folders.full_folders", 40, 400, 2
    ),
    "writers": Suite(
        3, "killed writers leave nothing mixed", "trust_writers.killed_writers", 144, 1600, 7
    ),
    "damage": Suite(
        1,
        "damage is noticed, and costs no more than it hit",
        "trust_damage.damaged_sessions",
        100,
        5000,
        5,
    ),
    "sessions": Suite(
        1,
        "killed while a session is not edited by hand",
        "trust_writers.killed_sessions",
        60,
        1200,
        2,
    ),
    "clusters": Suite(
        3, "killed runs on a cluster go on", "trust_clusters.killed_clusters", 2, 12, 6
    ),
    "trainings": Suite(3, "killed trainings resume", "trust_training.killed_trainings", 5, 10, 3),
    "parents": Suite(3, "no training outlives its parent", "trust_training.orphans", 4, 4, 2),
    "viewers": Suite(3, "nothing outlives a killed viewer", "trust_viewer.killed_viewers", 1, 3, 3),
    "faults": Suite(4, "a failing disk loses nothing", "trust_faults.failing_disk", 64, 1200, 11),
    "memory": Suite(
        4, "memory that is not there loses nothing", "trust_faults.failing_memory", 36, 500, 4
    ),
    "disks": Suite(4, "full and read-only disks", "trust_faults.small_disks", 36, 150, 7),
    "sqlite": Suite(
        4, "a failing journal keeps what it has", "trust_edits.failing_journal", 40, 200, 2
    ),
    "stops": Suite(5, "stopped work ends at once", "trust_long.stopped_work", 60, 1000, 2),
    "window": Suite(5, "runs in the window stop at once", "trust_window.stopped_runs", 20, 130, 8),
    "files": Suite(6, "bad files end in a sentence", "trust_files.bad_files", 1000, 100000, 5),
    "intact": Suite(6, "intact files are read", "trust_hostile.intact_files", 1, 1, 1),
    "hostile": Suite(7, "hostile files do no harm", "trust_hostile.hostile_files", 1, 1, 2),
    "network": Suite(7, "nobody else is listened to", "trust_hostile.only_this_machine", 1, 5, 1),
    "races": Suite(8, "of two writers one wins whole", "trust_races.races", 30, 1000, 8),
    "session": Suite(
        9, "8 hours of edits do not fill memory", "trust_long.long_sessions", 400, 4800, 1
    ),
    "stacks": Suite(9, "stacks are let go", "trust_long.opened_and_closed", 40, 200, 1),
    "row": Suite(
        9, "trainings in a row keep nothing", "trust_training.trainings_in_a_row", 2, 50, 6
    ),
    "measures": Suite(
        10, "tables and verdicts are as counted", "trust_measures.honest_measures", 100, 1000, 2
    ),
    "numbers": Suite(
        10, "scores are those of references", "trust_numbers.honest_numbers", 200, 1000, 1
    ),
    "supply": Suite(
        11, "what is used is known and looked through", "trust_hostile.supply", 1, 1, 2
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What came of a suite: how often it was to be tried, was tried, survived and lost."""

    name: str
    wanted: int
    tried: int
    survived: int
    lost: int
    seconds: float
    said: str = ""

    @property
    def short(self) -> bool:
        """Whether it ran out of its time; suites of one try count what they find in it."""
        return self.tried < self.wanted

    @property
    def failed(self) -> bool:
        """Whether something was lost, or nothing was tried: that shows nothing."""
        return self.lost > 0 or self.tried == 0

    def __str__(self) -> str:
        suite = SUITES[self.name]
        short = f", short of {self.wanted}" if self.short else ""
        return (
            f"{suite.promise}. {suite.text} ({self.name}): tried {self.tried}{short}, "
            f"survived {self.survived}, lost {self.lost}; {self.seconds:.0f} s"
        )


def main() -> int:
    """Run the suites and print a line for each; 1 when something was lost, 2 when one was short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="try each as often as it takes an hour")
    parser.add_argument("--only", nargs="*", choices=[*SUITES], help="these suites alone")
    parser.add_argument("--count", type=int, help="how often each is tried")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, help="the longest that a suite may take")
    parser.add_argument("--jobs", type=int, default=2, help="suites at a time")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        return _here(options.here, options.count, options.seed, options.minutes)
    names = options.only or [*SUITES]
    # The long ones first: then both processes are done at about the same time.
    names = sorted(names, key=lambda name: -SUITES[name].minutes)
    began = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(lambda name: _shown(_apart(name, options)), names))
    return _summed(outcomes, time.monotonic() - began)


def _summed(outcomes: Iterable[Outcome], seconds: float) -> int:
    """Print all outcomes in the order of the promises; return the exit status."""
    order = [*SUITES]
    outcomes = sorted(outcomes, key=lambda one: order.index(one.name))
    print(f"\nIn {seconds / 60:.0f} min:")
    for one in outcomes:
        print(one)
    failed = [one.name for one in outcomes if one.failed]
    short = [one.name for one in outcomes if one.short and not one.failed]
    if short:
        print(f"Short of their count: {', '.join(short)}")
    if failed:
        print(f"FAILED: {', '.join(failed)}")
    return 1 if failed else 2 if short else 0


def _shown(outcome: Outcome) -> Outcome:
    print(f"{outcome.said}{outcome}", flush=True)
    return outcome


def _apart(name: str, options: argparse.Namespace) -> Outcome:
    """Run a suite in a process of its own."""
    suite, count = SUITES[name], _count_of(name, options)
    minutes = options.minutes or (suite.minutes if options.full else 0)
    command = [sys.executable, __file__, "--here", name]
    command += ["--count", str(count), "--seed", str(options.seed)]
    command += ["--minutes", str(minutes)] if minutes else []
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(
            timeout=60 * minutes + GRACE_SECONDS if minutes else LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said = f"{process.communicate()[0]}\n    {name} did not end\n"
    seconds = time.monotonic() - began
    lines = [line for line in said.splitlines() if line.strip()]
    try:
        tried, survived, lost = json.loads(lines.pop() if lines else "")
    except (ValueError, TypeError):
        lines, (tried, survived, lost) = said.splitlines(), (count, 0, count)
    said = "".join(f"{line}\n" for line in lines)
    return Outcome(name, count, tried, survived, lost, seconds, said)


def _here(name: str, count: int, seed: int, minutes: float | None) -> int:
    """Run a suite in this process; the last line that it prints is what came of it."""
    import trust_inputs

    if minutes:
        trust_inputs.end_after(60 * minutes)
    found = _counts(name, count, seed)
    print(f"\n{json.dumps([int(number) for number in found])}", flush=True)
    # Threads of libraries that are still at work shall not keep it.
    os._exit(0)


def in_process(name: str, options: argparse.Namespace) -> Outcome:
    """Run a suite in this process, without a time."""
    count, began = _count_of(name, options), time.monotonic()
    return Outcome(name, count, *_counts(name, count, options.seed), time.monotonic() - began)


def _counts(name: str, count: int, seed: int) -> tuple[int, int, int]:
    folder = Path(tempfile.mkdtemp(prefix=f"trust-{name}-", dir=_quick_folder(name)))
    try:
        return found_by(SUITES[name])(folder, count, seed)
    except BaseException:
        traceback.print_exc()
        return count, 0, count
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def found_by(suite: Suite) -> Callable[[Path, int, int], tuple[int, int, int]]:
    """Return the function that tries a promise."""
    module, function = suite.work.split(".")
    return getattr(importlib.import_module(module), function)


def _count_of(name: str, options: argparse.Namespace) -> int:
    suite = SUITES[name]
    return options.count or (suite.full if options.full else suite.short)


def _quick_folder(name: str) -> Path | None:
    """Return a folder in memory, for what is not about times: killed processes leave the same."""
    memory = Path("/dev/shm")
    with contextlib.suppress(OSError):
        if name not in ON_DISK and shutil.disk_usage(memory).free > 4 << 30:
            return memory if os.access(memory, os.W_OK) else None
    return None


if __name__ == "__main__":
    sys.exit(main())
