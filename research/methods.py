"""Step 1, baselines and closing on one data set; what is finished is kept on disk."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_copnet.boundaries.gap_classifier import WEIGHTS_FILE
from napari_copnet.evaluation.baselines.base import Baseline, SliceBlock
from napari_copnet.evaluation.baselines.comparison import CEILING, STEP1, TITLES, Compared
from napari_copnet.evaluation.over_iterations import OverIterations, score_iterations
from napari_copnet.evaluation.scores import evaluate_all
from napari_copnet.files import whole_file
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage, find_model
from napari_copnet.params import ClosingParams, DeviceParams, TrainParams, as_dict
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.closing import close
from napari_copnet.steps.contours import predict_contours
from napari_copnet.steps.frame import to_original
from napari_copnet.training.fit import train, work_folder
from napari_copnet.training.sources import Source
from napari_copnet.training.truth import WIDTH
from napari_copnet.types import Frame, is_contour
from research.datasets import HELA_SIZE, DataSet, Slices, hela_folders
from research.splits import HELA, as_option

ONCE, NETWORK, CONVERGED = "once", "network", "closed"
CLOSING_TITLES = {
    ONCE: "closing, one iteration",
    NETWORK: "closing, converged, the network alone",
    CONVERGED: "closing, converged",
}
# What the closing methods are: none of them is a baseline.
OURS = tuple(CLOSING_TITLES)


@dataclass(frozen=True)
class Choices:
    """How to make the tables.

    Attributes
    ----------
    data, work : Path
        The public data, and where finished parts are kept.
    device : DeviceParams
    limit : int
        Take only so many slices of each block, for a look; 0 takes all.
    iterations : int
        Follow closing over so many iterations, stopped by nothing; 0 leaves it out.
    hela_minutes : float
        Time to train Step 1 of HeLa.
    """

    data: Path
    work: Path
    device: DeviceParams = DeviceParams()
    limit: int = 0
    iterations: int = 30
    hela_minutes: float = 25.0


@dataclass(frozen=True)
class DataSetOutcome:
    """All of one data set.

    Attributes
    ----------
    dataset : DataSet
    scored : Slices
    methods : dict
        Name to `Compared`.
    over : OverIterations or None
    models : dict
        Name and hash of the models used.
    changed : list of float
        Share of pixels that changed in each iteration until convergence.
    """

    dataset: DataSet
    scored: Slices
    methods: dict[str, Compared]
    over: OverIterations | None
    models: dict[str, str]
    changed: list[float] = field(default_factory=list)


class Kept:
    """Arrays kept under a recipe: what is there is not made again."""

    def __init__(self, folder: Path, recipe: Mapping[str, Any]) -> None:
        self.folder = folder
        self.recipe = json.loads(json.dumps(recipe, sort_keys=True, default=str))

    def get(
        self,
        name: str,
        work: Callable[[], Steps[tuple[np.ndarray, dict[str, Any]]]],
        **more: Any,
    ) -> Steps[tuple[np.ndarray, dict[str, Any]]]:
        """Return the array and notes called `name`, made by `work` unless they are there."""
        image, notes = self.folder / f"{name}.tif", self.folder / f"{name}.json"
        recipe = {**self.recipe, **json.loads(json.dumps(more, default=str))}
        if image.exists() and notes.exists():
            found = json.loads(notes.read_text())
            if found["recipe"] == recipe:
                return tifffile.imread(image).reshape(found["shape"]), found["notes"]
        array, made = yield from work()
        with whole_file(image) as beside:
            tifffile.imwrite(beside, array, compression="zlib", photometric="minisblack")
        text = {"recipe": recipe, "shape": list(array.shape), "notes": made}
        with whole_file(notes) as beside:
            beside.write_text(json.dumps(text, indent=1) + "\n")
        return array, made


def measure(
    dataset: DataSet, baselines: Sequence[Baseline], choices: Choices
) -> Steps[DataSetOutcome]:
    """Run all methods on a data set and score them.

    Raises
    ------
    CopnetError
        The data or a model is missing, or a training failed.
    """
    folder = choices.work / dataset.name
    training, scored = dataset.read(choices.data)
    if choices.limit:
        training, scored = training.first(choices.limit), scored.first(choices.limit)
    closing = find_model("shipped", "closing")
    step1 = yield from _step1_model(dataset, choices)
    models = {
        "closing": f"{closing.name} {closing.sha256[:12]}",
        "likely_gaps": f"likely-gaps {hashlib.sha256(WEIGHTS_FILE.read_bytes()).hexdigest()[:12]}",
    }
    applied = {**models, "params": as_dict(ClosingParams())}
    if step1 is not None:
        models["step1"] = f"{step1.name} {step1.sha256[:12]}"
    kept = Kept(
        folder,
        {
            "step1": models.get("step1", "given"),
            "training": _hash(training),
            "scored": _hash(scored),
        },
    )
    maps = []
    for name, block in (("step1-training", training), ("step1", scored)):
        u, _ = yield from kept.get(name, lambda b=block: predict_maps(b, step1, choices.device))  # type: ignore[misc]
        maps.append(u.astype(np.float32))
    tuning = SliceBlock(maps[0], training.image, training.true)
    test = SliceBlock(maps[1], scored.image)
    masks: dict[str, np.ndarray] = {STEP1: test.rounded.astype(np.uint8)}
    notes: dict[str, dict[str, Any]] = {}
    titles = {
        **TITLES,
        **CLOSING_TITLES,
        **{baseline.name: baseline.title for baseline in baselines},
    }
    for baseline in baselines:
        if baseline.needs_image and scored.image is None:
            continue
        masks[baseline.name], notes[baseline.name] = yield from kept.get(
            baseline.name,
            lambda baseline=baseline: _baseline(baseline, tuning, test, folder / "work"),  # type: ignore[misc]
            params=vars(baseline),
        )
    # Not "closing": that is the baseline of mathematical morphology.
    passes, made = yield from kept.get(
        "passes", lambda: _closing(test.contours, closing, choices), closing=applied
    )
    for number, name in enumerate(OURS):
        masks[name] = passes[number]
        notes[name] = {"seconds": made["seconds"]}
    true = scored.true
    masks = {name: _onto(mask, scored.truth.shape) for name, mask in masks.items()}
    masks[CEILING] = true.contours
    scores = yield from evaluate_all(masks, true, scored.numbers)
    over = None
    if choices.iterations:
        history, _ = yield from kept.get(
            "iterations",
            lambda: _iterations(test.contours, closing, choices),
            closing=applied,
            iterations=choices.iterations,
        )
        # Rounded: as bytes scaled back, 30 iterations of a stack would take gigabytes.
        rounded = np.stack([_onto(m, scored.truth.shape) for m in (history > 127).view(np.uint8)])
        over = yield from score_iterations(rounded > 0, true, scored.numbers, ClosingParams().unite)
    methods = {
        name: Compared(
            titles[name],
            mask,
            scores[name] if name == STEP1 else replace(scores[name], baseline=scores[STEP1]),
            notes.get(name, {}).get("settings", {}),
            notes.get(name, {}).get("seconds", {}),
        )
        for name, mask in masks.items()
    }
    return DataSetOutcome(dataset, scored, methods, over, models, made["changed"])


def _onto(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bring a contour mask (Z, Y, X) to the size at which it is scored."""
    if mask.shape == shape:
        return mask
    depth, height, width = shape
    frame = Frame((depth, height, width), mask.shape, np.zeros((depth, 2)))
    return to_original(mask, frame, "mask")


def _step1_model(dataset: DataSet, choices: Choices) -> Steps[ModelPackage | None]:
    if dataset.step1 == "given":
        return None
    if dataset.step1 == "default":
        return find_model("shipped", "contours")
    image, truth = hela_folders(choices.data)
    out = choices.work / dataset.name / "contours-model"
    if (out / "model.json").exists():
        return find_model(str(out), "contours")
    source = Source(truth=truth, image=image, slices=as_option(HELA.train), truth_kind="labels")
    params = TrainParams(size="small", epochs=100_000, minutes=choices.hela_minutes)
    resume = (work_folder(out) / "config.json").exists()
    package = yield from train(
        "contours",
        [source],
        out,
        params,
        device=choices.device,
        resume=resume,
        name=f"{dataset.name}-contours",
        size=HELA_SIZE,
        width=WIDTH,
        card={"command": "make results", "licence": "not to be passed on: challenge data"},
    )
    return package


def predict_maps(
    block: Slices, model: ModelPackage | None, device: DeviceParams
) -> Steps[tuple[np.ndarray, dict[str, Any]]]:
    """Return the Step 1 maps of a block and no notes: the model's, or those it comes with."""
    if model is None:
        assert block.contours is not None
        yield Progress("contours", 1, 1, "slices")
        return block.contours.astype(np.float32), {}
    assert block.image is not None
    u = yield from predict_contours(block.image, Network.load(model, device))
    return u, {}


def _baseline(
    baseline: Baseline, training: SliceBlock, test: SliceBlock, work: Path
) -> Steps[tuple[np.ndarray, dict[str, Any]]]:
    started = time.monotonic()
    settings = yield from baseline.tune(training, work)
    tuned = time.monotonic()
    mask = yield from baseline.apply(test, settings)
    seconds = {"tune": tuned - started, "apply": time.monotonic() - tuned}
    return mask, {"settings": settings, "seconds": seconds}


def _closing(
    contours: np.ndarray, model: ModelPackage, choices: Choices
) -> Steps[tuple[np.ndarray, dict[str, Any]]]:
    started = time.monotonic()
    network = Network.load(model, choices.device)
    closed = yield from close(contours, network, ClosingParams(keep_iterations=True))
    assert closed.iterations is not None
    once, alone = (is_contour(closed.iterations[at]) for at in (1, closed.passes))
    if ClosingParams().unite:
        once, alone = once | is_contour(contours), alone | is_contour(contours)
    notes = {
        "seconds": {"apply": time.monotonic() - started},
        "changed": closed.changed.tolist(),
        "settled": closed.settled,
    }
    return np.stack([once, alone, closed.mask]).astype(np.uint8), notes


def _iterations(
    contours: np.ndarray, model: ModelPackage, choices: Choices
) -> Steps[tuple[np.ndarray, dict[str, Any]]]:
    """Close without a stop; probabilities as bytes."""
    params = ClosingParams(tolerance=0.0, max_iterations=choices.iterations, keep_iterations=True)
    closed = yield from close(contours, Network.load(model, choices.device), params)
    assert closed.iterations is not None
    values = np.stack([as_bytes(probability) for probability in closed.iterations])
    return values, {"changed": closed.changed.tolist()}


def as_bytes(probability: np.ndarray) -> np.ndarray:
    """Return a probability in steps of 1/255, uint8, that rounds to the same contour."""
    values = np.asarray(probability, np.float32) * 255
    # More than one half becomes 128 or more, the rest 127 or less.
    return np.where(values > 127.5, np.ceil(values), np.floor(values)).astype(np.uint8)


def _hash(block: Slices) -> str:
    digest = hashlib.sha256()
    for array in (block.image, block.truth, block.contours, block.excluded):
        if array is not None:
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
