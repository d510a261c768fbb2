"""Draw the memory of runs over time: docs/images/memory.png.

python -m benchmarks.memory_picture docs/images/memory.png --slices 10,40 --side 6000
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.bench_scale import SETTINGS
from benchmarks.child_runs import ChildRun, folder_bytes, run_copnet, write_stack
from benchmarks.figure import machine_name


def main() -> int:
    """Run stacks of several lengths, print their figures, and draw their memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--slices", default="10,40")
    parser.add_argument("--side", type=int, default=6000)
    chosen = parser.parse_args()
    runs: dict[int, ChildRun] = {}
    with tempfile.TemporaryDirectory() as made:
        for count in map(int, chosen.slices.split(",")):
            stack = write_stack(Path(made) / "stack.tif", count, chosen.side)
            out = Path(made) / f"out-{count}"
            runs[count] = run_copnet(["run", stack, "--out", out, *SETTINGS])
            figures = {
                "slices": count,
                "peak_bytes": runs[count].peak,
                "seconds": runs[count].seconds,
                "steps": runs[count].record["seconds"],
                "disk_over_input": folder_bytes(out) / stack.stat().st_size,
                "machine": machine_name(),
            }
            sys.stdout.write(json.dumps(figures) + "\n")
            sys.stdout.flush()
    draw(runs, chosen.side, chosen.picture)
    return 0


def draw(runs: dict[int, ChildRun], side: int, picture: Path) -> None:
    """Draw the memory of runs, by their number of slices, over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    for count, run in runs.items():
        seconds, memory = zip(*run.curve, strict=True)
        axes.plot(seconds, [value / 1e9 for value in memory], label=f"{count} slices")
    axes.set_xlabel("seconds since the command was given")
    axes.set_ylabel("memory, GB")
    axes.set_ylim(0)
    axes.set_title(f"copnet run, slices of {side}×{side} px")
    axes.legend(frameon=False)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
