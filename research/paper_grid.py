"""The paper's grid of degradations, N1 x N2, and how each closing network does on other tissue.

    python -m research.paper_grid --data ../shared/data --out docs --work work-grid

At each point a closing network is trained from scratch on contours of fib25 and of synthetic
neuropil, and scored on fib25; then it closes the other stacks of the travel table. Finished parts
are kept in the work folder: run it again to go on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError
from napari_copnet.evaluation.figures import heat_map
from napari_copnet.evaluation.grid_search import PAPER, Search, grid_search
from napari_copnet.evaluation.scores import evaluate_all
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.files import whole_file
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import find_model
from napari_copnet.params import DeviceParams, Settings, TrainParams
from napari_copnet.pipeline import run
from napari_copnet.progress import finish
from napari_copnet.restored import restore
from napari_copnet.runs.run_record import surroundings
from napari_copnet.steps.contours import predict_contours
from napari_copnet.store.memory import MemoryStore
from napari_copnet.training.sources import SyntheticTissue
from napari_copnet.types import Stack, VoxelSize, is_contour
from research.datasets import DATASETS
from research.default_sources import SEED, fib25_sources
from research.travel import SHOWN, Scored, scored_sets

# Every third scored slice of fib25, and the first of each stack of the travel table.
STEP, FIRST = 3, 3


def search_of(data: Path, steps: int, device: DeviceParams) -> Search:
    """Return the data and settings that all points share."""
    scored = next(entry for entry in DATASETS if entry.name == "fib25").read(data)[1].every(STEP)
    assert scored.image is not None
    network = Network.load(find_model("default", "contours"), device)
    return Search(
        [
            replace(fib25_sources(data)[0], image=None, weight=0.5),
            SyntheticTissue(count=16, seed=SEED + 1000, slices=6, weight=0.5),
        ],
        finish(predict_contours(scored.image, network)),
        scored.true,
        TrainParams(size="small", epochs=1, iterations_per_epoch=steps, seed=SEED),
        device=device,
    )


def travelled(
    scored: Scored, models: Sequence[Path], device: DeviceParams
) -> dict[str, dict[str, float]]:
    """Return the scores of Step 1 on a stack, and of its closing by each network, by folder.

    The size is that which a run with the default models chooses.
    """
    image, truth, excluded = scored.read()
    true = TrueStack(truth[:FIRST], exclude_pixels=None if excluded is None else excluded[:FIRST])
    stack = Stack(image[:FIRST], VoxelSize(None, None, None), name=scored.title)
    store, settings = MemoryStore(), Settings(device=device)
    settings = finish(run(stack, settings, store=store)).settings(settings)
    masks: dict[str, np.ndarray] = {}
    for model in models:
        closing = replace(settings.closing, closing_model=str(model))
        result = finish(run(stack, replace(settings, closing=closing), store=store))
        restored = finish(restore(result))
        masks["Step 1"] = is_contour(restored.contours)
        masks[str(model)] = restored.closed
    found = finish(evaluate_all(masks, true))
    return {
        name: {key: round(float(one.as_dict()[key]), 4) for key in SHOWN}
        for name, one in found.items()
    }


def _mean(scores: Sequence[Mapping[str, float]], key: str) -> float:
    return float(np.mean([one[key] for one in scores]))


def document(
    points: Sequence[Mapping[str, Any]],
    step1: Mapping[str, float],
    others: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> str:
    """Return two tables as markdown: fib25, and labelled / split on each other stack.

    Parameters
    ----------
    points : sequence of dict
        A row of `grid_search` for each point.
    step1 : dict
        Scores of Step 1 on fib25.
    others : dict
        By stack, then by the folder of a network or ``"Step 1"``: scores.
    """

    def shares(values: Mapping[str, float], keys: Sequence[str]) -> str:
        return " / ".join(f"{100 * values[key]:.1f}" for key in keys)

    lines = ["| N1 | N2 | labelled / merged / split / NSD / clDice | steps | iterations |"]
    lines += ["|" + " --- |" * 5, f"| Step 1 alone | | {shares(step1, SHOWN)} | | |"]
    lines += [
        f"| {p['diffusion_disks']} | {p['absorption_disks']} | {shares(p, SHOWN)} "
        f"| {p['steps']} | {p['iterations']} |"
        for p in points
    ]
    titles = [title.partition(",")[0] for title in others]
    lines += ["", f"| N1 | N2 | {' | '.join(titles)} | mean | NSD / clDice |"]
    lines += ["|" + " --- |" * (len(titles) + 4)]
    for name, start in [
        ("Step 1", "| Step 1 alone | "),
        *((p["model"], f"| {p['diffusion_disks']} | {p['absorption_disks']} ") for p in points),
    ]:
        scores = [stack[name] for stack in others.values()]
        mean = {key: _mean(scores, key) for key in SHOWN}
        cells = [shares(one, ("labelled", "split")) for one in [*scores, mean]]
        lines.append(f"{start}| {' | '.join(cells)} | {shares(mean, ('nsd', 'cldice'))} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and score the grid, and write ``grid.md`` and its figure."""
    parser = argparse.ArgumentParser(prog="paper_grid", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of grid.md and images")
    parser.add_argument("--work", type=Path, required=True, help="folder for finished parts")
    parser.add_argument("--steps", type=int, default=500, help="of the training at each point")
    parser.add_argument("--threads", type=int, default=0, help="0 takes all")
    chosen = parser.parse_args(arguments)
    device = DeviceParams(threads=chosen.threads)
    try:
        work = grid_search(search_of(chosen.data, chosen.steps, device), chosen.work)
        while True:
            try:
                progress = next(work)
            except StopIteration as end:
                result = end.value
                break
            if progress.partial:
                sys.stderr.write(json.dumps(progress.partial) + "\n")
        points = result["points"]
        models = [Path(point["model"]) for point in points]
        others = {
            scored.title: travelled(scored, models, device)
            for scored in scored_sets(chosen.data)
            if not scored.title.startswith("fib25")
        }
    except CopnetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    n1, n2 = (list(PAPER[name]) for name in ("diffusion_disks", "absorption_disks"))
    means = [
        100 * _mean([stack[str(model)] for stack in others.values()], "labelled")
        for model in models
    ]
    table = np.reshape(means, (len(n1), len(n2)))
    picture = heat_map(
        table, [str(n) for n in n1], [str(n) for n in n2], ("N1", "N2"), "labelled, %"
    )
    made = surroundings()
    text = (
        "# The grid of N1 and N2\n\n"
        f"Written by `python -m research.paper_grid --steps {chosen.steps}`, "
        f"{made['date'][:10]}, {made['machine']}.\n\n"
        f"{document(points, result['step1'], others)}\n\n"
        "![Labelled cells by N1 and N2](images/grid.png)\n"
    )
    with whole_file(chosen.out / "images" / "grid.png") as beside:
        beside.write_bytes(picture)
    with whole_file(chosen.out / "grid.md") as beside:
        beside.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
