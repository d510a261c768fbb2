"""Try to break every promise of docs/trust.md; print how often each was tried, survived and lost.

A suite that can't run counts as lost.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import trust_edits
import trust_files
import trust_folders
import trust_hostile
import trust_long
import trust_numbers
import trust_races
import trust_training
import trust_viewer

Counts = tuple[int, int, int]
# The number of the promise, what is promised, how it is tried, and how often: short and full.
SUITES: dict[str, tuple[int, str, Callable[[Path, int, int], Counts], int, int]] = {
    "edits": (1, "kill -9 while editing loses nothing", trust_edits.killed_edits, 25, 500),
    "steps": (
        1,
        "edits and undos equal plain arrays",
        trust_edits.same_steps,
        1000,
        10000,
    ),
    "earlier": (1, "what earlier versions wrote opens", trust_hostile.earlier_versions, 1, 1),
    "folders": (2, "no file of the user's is touched", trust_folders.full_folders, 40, 400),
    "writers": (3, "killed writers leave nothing mixed", trust_folders.killed_writers, 144, 1200),
    "trainings": (3, "killed trainings resume", trust_training.killed_trainings, 5, 10),
    "parents": (3, "no training outlives its parent", trust_training.orphans, 4, 4),
    "viewers": (3, "nothing outlives a killed viewer", trust_viewer.killed_viewers, 1, 3),
    "faults": (4, "a failing disk loses nothing", trust_folders.failing_disk, 64, 640),
    "sqlite": (4, "a failing journal keeps what it has", trust_edits.failing_journal, 40, 200),
    "stops": (5, "stopped work ends at once", trust_long.stopped_work, 60, 1000),
    "files": (6, "bad files end in a sentence", trust_files.bad_files, 1000, 30000),
    "hostile": (7, "hostile files do no harm", trust_hostile.hostile_files, 1, 1),
    "network": (7, "nobody else is listened to", trust_hostile.only_this_machine, 1, 5),
    "races": (8, "of two writers one wins whole", trust_races.races, 30, 1000),
    "session": (9, "8 hours of edits do not fill memory", trust_long.long_sessions, 400, 4800),
    "stacks": (9, "stacks are let go", trust_long.opened_and_closed, 40, 200),
    "numbers": (10, "scores are those of references", trust_numbers.honest_numbers, 200, 1000),
    "supply": (11, "what is used is known and looked through", trust_hostile.supply, 1, 1),
}


def main() -> int:
    """Run the suites and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="try each as often as it takes an hour")
    parser.add_argument("--only", nargs="*", choices=[*SUITES], help="these suites alone")
    parser.add_argument("--count", type=int, help="how often each is tried")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    failed = 0
    for name in options.only or SUITES:
        number, promise, suite, short, full = SUITES[name]
        count = options.count or (full if options.full else short)
        folder = Path(tempfile.mkdtemp(prefix=f"trust-{name}-"))
        began = time.monotonic()
        try:
            tried, survived, lost = suite(folder, count, options.seed)
        except Exception:
            traceback.print_exc()
            tried, survived, lost = count, 0, count
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        # One that did nothing shows nothing.
        failed += lost + (tried == 0)
        print(
            f"{number}. {promise} ({name}): tried {tried}, survived {survived}, lost {lost}; "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
