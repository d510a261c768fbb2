"""What was tried to make closing better, each trial scored on the same validation blocks.

    python -m research.experiments --data ../shared/data --models work-models \\
        --out docs --work work-experiments

Finished trials are kept in the work folder: run it again to go on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.evaluation.score_names import SCORES
from napari_copnet.evaluation.scores import evaluate_all
from napari_copnet.files import whole_file
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage, find_model, load_package
from napari_copnet.params import DegradeParams, DeviceParams, TrainParams
from napari_copnet.progress import finish
from napari_copnet.steps.closing import close
from napari_copnet.training.fit import train, work_folder
from napari_copnet.training.truth import WIDTH
from napari_copnet.types import is_contour
from research.datasets import DATASETS, SIZE, Slices, isbi2012
from research.methods import Kept, predict_maps
from research.trials import TRIALS, Trial, sources_of
from research.trials_document import write_trials

# Of each block every n-th slice: neighbours look alike, and there are many trials.
EVERY = {"fib25": 5, "synthetic": 2, "isbi2012": 2}


def blocks(data: Path, work: Path, device: DeviceParams) -> dict[str, tuple[Slices, np.ndarray]]:
    """Return the validation blocks by name, each with the default Step 1's map of it."""
    model = find_model("default", "contours")
    found = {}
    for dataset in DATASETS:
        if dataset.name not in EVERY:
            continue
        # Trials score at the size that networks see.
        read = partial(isbi2012, size=SIZE) if dataset.read is isbi2012 else dataset.read
        block = read(data)[1].every(EVERY[dataset.name])
        kept = Kept(work / "step1", {"step1": model.sha256, "numbers": block.numbers})
        u, _ = finish(
            kept.get(dataset.name, lambda b=block: predict_maps(b, model, device))  # type: ignore[misc]
        )
        found[dataset.name] = (block, u.astype(np.float32))
    return found


def model_of(trial: Trial, choices: argparse.Namespace) -> ModelPackage:
    """Return the closing model of a trial, trained for it unless it takes the shipped one."""
    if trial.train is None:
        return find_model("default", "closing")
    out = choices.work / "models" / trial.name
    if (out / "model.json").exists():
        return load_package(out)
    params = replace(
        TrainParams(
            size="small",
            epochs=1,
            iterations_per_epoch=choices.steps,
            seed=choices.seed,
        ),
        **trial.train,
    )
    _share_examples(out, choices.work / "models" / "base")
    work = train(
        "closing",
        sources_of(trial, choices.data, choices.models),
        out,
        params,
        replace(DegradeParams(), **trial.degrade),
        device=choices.device,
        resume=(work_folder(out) / "checkpoint.pt").exists(),
        name=f"trial-{trial.name}",
        start_from=None if trial.scratch else find_model("default", "closing").folder,
        width=WIDTH,
        card={"licence": "made by a trial; not for use"},
    )
    return finish(work)


def _share_examples(out: Path, base: Path) -> None:
    """Begin with the examples of the first trial: kept where they are what this trial needs."""
    ours, theirs = work_folder(out) / "dataset", work_folder(base) / "dataset"
    if theirs.exists() and not ours.exists():
        # links, not copies: examples are written whole and never changed
        shutil.copytree(theirs, ours, copy_function=os.link)


def measure(
    trial: Trial,
    found: dict[str, tuple[Slices, np.ndarray]],
    model: ModelPackage,
    device: DeviceParams,
) -> dict[str, Any]:
    """Score a trial on all blocks.

    Returns
    -------
    dict
        By block: ``step1``, ``once`` (after one iteration) and ``closed``, each with the five
        scores; ``iterations``, how many were made; ``slices``.
    """
    network = Network.load(model, device)
    result: dict[str, Any] = {}
    for name, (block, u) in found.items():
        # Kept iterations are what results would be, had closing stopped there.
        closed = finish(close(u, network, replace(trial.closing, keep_iterations=True)))
        assert closed.iterations is not None
        last = closed.probability
        if trial.stop is not None:
            by_slice = np.moveaxis(closed.iterations, 1, 0)
            last = np.stack([values[trial.stop(values)] for values in by_slice])
        masks = {
            "step1": is_contour(u),
            "once": _mask(trial, u, closed.iterations[1]),
            "closed": _mask(trial, u, last),
        }
        scores = finish(
            evaluate_all(
                {key: mask.astype(np.uint8) for key, mask in masks.items()},
                block.true,
                block.numbers,
            )
        )
        result[name] = {
            "iterations": len(closed.changed),
            "slices": len(u),
            **{key: {s: one.mean(s) for s in SCORES} for key, one in scores.items()},
        }
    return result


def _mask(trial: Trial, start: np.ndarray, result: np.ndarray) -> np.ndarray:
    if trial.after is not None:
        return trial.after(start, result)
    mask = is_contour(result)
    return mask | is_contour(start) if trial.closing.unite else mask


def run(trials: Sequence[Trial], choices: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return the scores of all trials that are there or can be made now."""
    found = None
    results = {}
    for trial in trials:
        path = choices.work / f"{trial.name}.json"
        recipe = json.loads(json.dumps(_recipe(trial, choices)))
        if path.exists():
            kept = json.loads(path.read_text())
            if kept["recipe"] == recipe:
                results[trial.name] = kept
                continue
        if choices.only_written:
            continue
        sys.stderr.write(f"{trial.name}\n")
        if found is None:
            found = blocks(choices.data, choices.work, choices.device)
        model = model_of(trial, choices)
        made = {
            "recipe": recipe,
            "model": model.sha256,
            "steps": model.card.get("steps") if trial.train is not None else None,
            "scores": measure(trial, found, model, choices.device),
        }
        with whole_file(path) as beside:
            beside.write_text(json.dumps(made, indent=1) + "\n")
        results[trial.name] = made
    return results


def _recipe(trial: Trial, choices: argparse.Namespace) -> dict[str, Any]:
    """Return all that decides the figures of a trial."""
    trained = {} if trial.train is None else {"steps": choices.steps, "seed": choices.seed}
    return {
        "trial": trial.recipe(),
        "every": EVERY,
        "step1": find_model("default", "contours").sha256,
        "closing": find_model("default", "closing").sha256,
        **trained,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials asked for, a line each, and write the document."""
    parser = argparse.ArgumentParser(prog="experiments", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data")
    parser.add_argument("--models", type=Path, required=True, help="folder of `make models`")
    parser.add_argument("--out", type=Path, required=True, help="folder for experiments.md")
    parser.add_argument("--work", type=Path, required=True, help="folder for finished trials")
    parser.add_argument("--only", default="", help="names of trials; default: all")
    parser.add_argument("--steps", type=int, default=150, help="of each training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only-written", action="store_true", help="write what is there")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    choices = parser.parse_args(arguments)
    choices.device = DeviceParams(device=choices.device)
    names = [name for name in choices.only.split(",") if name]
    try:
        unknown = sorted(set(names) - {trial.name for trial in TRIALS})
        if unknown:
            raise InputError(f"There is no trial {unknown[0]!r}.", "See research/trials.py.")
        wanted = [trial for trial in TRIALS if not names or trial.name in names]
        run(wanted, choices)
        choices.only_written = True
        path = write_trials(TRIALS, run(TRIALS, choices), choices.out)
    except CopnetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
