"""A measured figure beside what it is compared with, and the machine it was measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One line of a benchmark.

    Attributes
    ----------
    name : str
        What was measured.
    value : float
        Most often a ratio of theirs to ours.
    unit : str
        Unit of `value`; ``"x"`` for a ratio.
    goal : str
        What it shall reach, such as ``">= 8"``.
    holds : bool
        Whether it did.
    ours, theirs : str
        What was run on either side, with its own figure.
    machine : str
        See `machine_name`.
    """

    name: str
    value: float
    unit: str
    goal: str
    holds: bool
    ours: str
    theirs: str
    machine: str


def machine_name() -> str:
    """Return processor, cores and system in a line."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
                break
    return f"{processor}, {os.cpu_count()} cores, {platform.system()}"
