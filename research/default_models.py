"""Rebuild the default models from the data whose weights may ship.

    python -m research.default_models --data ../shared/data \\
        --out src/napari_copnet/networks/shipped
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError
from napari_copnet.evaluation.score_names import SCORES
from napari_copnet.evaluation.scores import evaluate
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import KINDS, ModelPackage, load_package, save_package
from napari_copnet.params import ClosingParams, DegradeParams, TrainParams
from napari_copnet.progress import Progress, Steps, finish
from napari_copnet.steps.closing import close
from napari_copnet.steps.contours import predict_contours
from napari_copnet.synthetic import sample_stack
from napari_copnet.training.cases import read_array
from napari_copnet.training.fit import train
from napari_copnet.training.sources import Source, SyntheticTissue
from napari_copnet.training.truth import WIDTH, resize_image, resize_truth, scale_for
from napari_copnet.types import is_contour

LICENCE = (
    "Weights CC BY 3.0. Trained on FIB-25 (FlyEM, Janelia; CC BY 3.0; Takemura et al. 2015) and "
    "FIB-SEM crops of gala (BSD 3-clause; Nunez-Iglesias et al.), which have to be named."
)
SEED = 20260
VALIDATION = (125, 159)
# The contour model learns from half of fib25 first, then from all of it. The first half's model
# makes the maps of the other half, which it never saw, for the closing model to learn from.
HALF, OTHER_HALF = "0-54", "60-114"
STAGES = ("contours-half", "contours", "closing")


def default_sources(stage: str, data: Path, out: Path) -> list[Source | SyntheticTissue]:
    """Return what a stage of the default models' training learns from.

    Slices 0–114 of fib25 in three planes; slices 125–159 validate. All of the gala training
    crop. Synthetic tissue with settings that vary from stack to stack. The closing network also
    sees contour models' own maps, all of slices and stacks that were new to the model that made
    them.

    Parameters
    ----------
    stage : str
        Of `STAGES`.
    data : Path
        Folder with ``fib25`` and ``gala-fibsem``.
    out : Path
        Where the models of the stages before lie.
    """
    fib25, gala = data / "fib25", data / "gala-fibsem"
    annotated = Source(
        truth=fib25 / "instances.tif",
        image=fib25 / "raw.tif",
        slices="0-114",
        validation=f"{VALIDATION[0]}-{VALIDATION[1]}",
        planes=("xy", "xz", "yz"),
        truth_kind="labels",
    )
    crop = Source(
        truth=gala / "train-instances-3d.tif",
        image=gala / "train-image.tif",
        slices="0-49",
        truth_kind="labels",
        zero="contour",
    )
    if stage != "closing":
        return [
            replace(annotated, slices=HALF if stage == "contours-half" else "0-114", weight=0.5),
            replace(crop, weight=0.1),
            SyntheticTissue(count=24, seed=SEED, slices=6, weight=0.4),
        ]
    half, whole = out / "contours-half", out / "contours"
    return [
        replace(annotated, slices=OTHER_HALF, step1=half, weight=0.35),
        replace(annotated, image=None, weight=0.2),
        replace(crop, image=None, weight=0.05),
        SyntheticTissue(count=24, seed=SEED + 1000, slices=6, step1=whole, weight=0.25),
        SyntheticTissue(count=12, seed=SEED + 2000, slices=6, weight=0.15),
    ]


def train_default(
    stage: str, data: Path, out: Path, minutes: float, *, resume: bool = False
) -> Steps[ModelPackage]:
    """Train a stage of the default models and write it to ``OUT/STAGE``; see `fit.train`."""
    params = TrainParams(size="small", epochs=100_000, minutes=minutes, seed=SEED)
    package = yield from train(
        stage.partition("-")[0],
        default_sources(stage, data, out),
        out / stage,
        params,
        DegradeParams(),
        name=f"default-{stage}",
        resume=resume,
        start_from=out / "contours-half" if stage == "contours" else None,
        width=WIDTH,
        replace=True,
        card={
            "licence": LICENCE,
            "command": f"make models (default_models, {minutes:g} minutes on a CPU)",
        },
    )
    return package


def validate(data: Path, contours: ModelPackage, closing: ModelPackage) -> dict[str, Any]:
    """Score both models on what neither has learnt from, at the size networks see.

    Every second of fib25's validation slices, and the bundled sample (a seed of its own).

    Returns
    -------
    dict
        By data set: ``"Step 1 alone"``, ``"after 1 iteration"``, ``"closed"`` and ``"ceiling"``
        (the truth scored as a prediction), each labelled, merged, split, nsd and cldice.
    """
    chosen = slice(VALIDATION[0], VALIDATION[1] + 1, 2)
    raw, _ = read_array(data / "fib25" / "raw.tif")
    labels, _ = read_array(data / "fib25" / "instances.tif")
    scale = scale_for(raw.shape, 512)
    sample = sample_stack()
    sets = {
        "fib25 slices 125-159": (
            resize_image(raw[chosen], scale),
            resize_truth(labels[chosen], scale, "labels", WIDTH, "region"),
            None,
        ),
        "synthetic tissue (the bundled sample)": (
            resize_image(np.asarray(sample.stack.data), 1.0),
            sample.contours,
            sample.excluded,
        ),
    }
    first, second = Network.load(contours), Network.load(closing)
    scores: dict[str, Any] = {}
    for name, (image, truth, excluded) in sets.items():
        maps = finish(predict_contours(image, first))
        closed = finish(close(maps, second, ClosingParams(keep_iterations=True)))
        assert closed.iterations is not None
        once = is_contour(closed.iterations[1])
        scores[name] = {"iterations": len(closed.changed)}
        for method, mask in {
            "Step 1 alone": is_contour(maps),
            "after 1 iteration": once,
            "closed": closed.mask,
            "ceiling": truth == 1,
        }.items():
            result = finish(
                evaluate(mask.astype(np.uint8), truth == 1, exclude_pixels=excluded)
            ).as_dict()
            scores[name][method] = {key: round(result[key], 4) for key in SCORES}
    return scores


def write_scores(data: Path, out: Path) -> dict[str, Any]:
    """Validate both models in `out` and write the scores into their cards."""
    models = [load_package(out / kind) for kind in KINDS]
    scores = validate(data, *models)
    for model in models:
        save_package(
            model.folder,
            name=model.name,
            kind=model.kind,
            plan=model.plan,
            weights=model.weights(),
            card={**model.card, "validation": scores},
            replace=True,
        )
    return scores


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is asked for; one line of progress per epoch."""
    parser = argparse.ArgumentParser(prog="default_models", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with fib25, gala-fibsem")
    parser.add_argument("--out", type=Path, required=True, help="where the model folders go")
    parser.add_argument("--stage", choices=(*STAGES, "all", "none"), default="all")
    parser.add_argument("--minutes", default="20,75,45", help="of each stage")
    parser.add_argument("--resume", action="store_true", help="go on with a stopped training")
    chosen = parser.parse_args(arguments)
    minutes = dict(zip(STAGES, map(float, chosen.minutes.split(",")), strict=True))
    for stage in {"all": STAGES, "none": ()}.get(chosen.stage, (chosen.stage,)):
        work = train_default(stage, chosen.data, chosen.out, minutes[stage], resume=chosen.resume)
        try:
            shown = -1
            for progress in work:
                if progress.partial and int(progress.done) != shown:
                    shown = int(progress.done)
                    sys.stderr.write(_line(stage, progress))
        except CopnetError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            work.close()
    if all((chosen.out / kind / "model.json").exists() for kind in KINDS):
        sys.stderr.write(json.dumps(write_scores(chosen.data, chosen.out), indent=1) + "\n")
    return 0


def _line(stage: str, progress: Progress) -> str:
    values = "  ".join(f"{name} {value:.4f}" for name, value in progress.partial.items())
    return f"{stage}: epoch {progress.done:.0f} of about {progress.total:.0f}  {values}\n"


if __name__ == "__main__":
    sys.exit(main())
