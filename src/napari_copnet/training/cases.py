"""Blocks of slices with their truth, made of what there is to learn from."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.contour_kinds import probability_of
from napari_copnet.networks.package import load_package
from napari_copnet.params import DegradeParams
from napari_copnet.progress import finish
from napari_copnet.training import truth as truths
from napari_copnet.training.sources import Source, SyntheticTissue, parse_slices

MARGIN = 5
VALIDATION_SHARE = 0.15


@dataclass(frozen=True)
class Case:
    """A block of slices before it is written.

    Attributes
    ----------
    name : str
        Identifier of the case.
    image : ndarray, shape (Z, Y, X), float32
        z-scored image; for a closing network a contour probability.
    truth : ndarray, shape (Z, Y, X), uint8
        Classes 0, 1 (contour) and 2 (not annotated).
    role : str
        ``"train"`` or ``"validation"``.
    weight : float
        How often to draw from it.
    given : bool
        The image is to be used as it is, not to be degraded anew at each step.
    spacing : tuple of float
        Distance of voxels along z, y, x in in-plane pixels.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    role: str
    weight: float
    given: bool
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)


def split_slices(
    chosen: Sequence[int], validation: Sequence[int], positions: Sequence[int] = ()
) -> tuple[list[int], list[int]]:
    """Split slices into training and validation by contiguous blocks with a margin between.

    Parameters
    ----------
    chosen : sequence of int
        Slices to train on.
    validation : sequence of int
        Slices to validate on. Empty: the last 15 % of `chosen`; then the training slices nearer
        than `MARGIN` to them are left out. None are set apart from fewer than ten slices.
    positions : sequence of int
        Where slices lie in the stack they were taken from; where they are numbered by default.

    Raises
    ------
    InputError
        Validation slices given are nearer than `MARGIN` to training slices.
    """
    chosen = sorted(chosen)

    def at(z: int) -> int:
        return positions[z] if positions else z

    if validation:
        nearest = min(abs(at(a) - at(b)) for a in chosen for b in validation)
        if nearest < MARGIN:
            raise InputError(
                "Validation slices are too close to training slices.",
                f"Leave at least {MARGIN} slices between them: neighbouring slices look alike.",
            )
        return chosen, sorted(validation)
    if len(chosen) < 10:
        return chosen, []
    held = chosen[-max(1, round(len(chosen) * VALIDATION_SHARE)) :]
    kept = [z for z in chosen if at(z) <= at(held[0]) - MARGIN]
    return kept, held


def make_cases(
    kind: str,
    number: int,
    source: Source | SyntheticTissue,
    size: int,
    width: float,
    degrade: DegradeParams | None,
    rng: np.random.Generator,
) -> Iterator[Case]:
    # a contour model's maps are made from the image, as examples for Step 1 hold it
    needs = "contours" if kind == "closing" and source.step1 else kind
    cases = (
        _tissue_cases(number, source, size, width)
        if isinstance(source, SyntheticTissue)
        else _stack_cases(needs, number, source, size, width)
    )
    predict = _step1(source.step1) if kind == "closing" and source.step1 else None
    for case in cases:
        if predict is not None:
            yield dataclasses.replace(case, image=predict(case.image), given=True)
        elif kind == "closing" and not case.given:
            # training degrades anew at each step; validation sees these maps
            cut = degrade is not None and degrade.method == "circles"
            hard = case.role == "validation" and not cut
            yield dataclasses.replace(case, image=_degraded(case.truth, degrade, rng, hard))
        else:
            yield case


def with_fixed_maps(
    cases: Iterator[Case],
    count: int,
    degrade: DegradeParams | None,
    artefacts: bool,
    rng: np.random.Generator,
) -> Iterator[Case]:
    """Pass cases on; of a training case without a map of its own, `count` with degraded ones."""
    for case in cases:
        if case.given or case.role != "train":
            yield case
            continue
        for number in range(count):
            yield dataclasses.replace(
                case,
                name=f"{case.name}_{number:02d}",
                image=_degraded(case.truth, degrade, rng, artefacts),
                weight=case.weight / count,
                given=True,
            )


def _step1(model: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return what predicts the contour probability of z-scored slices (Z, Y, X)."""
    from napari_copnet.networks.nnunet import Network

    network = Network.load(load_package(model))
    flat = network.plan.dimensions == 2
    return lambda image: finish(network.predict(image[:, None] if flat else image[None]))


def _stack_cases(kind: str, number: int, source: Source, size: int, width: float) -> Iterator[Case]:
    truth, voxel = read_array(source.truth)
    image_path = source.image if kind == "contours" else source.contours
    if kind == "contours" and image_path is None:
        raise InputError(
            f"A contour network is trained on images, but {source.truth.name} has none.",
            "Give the image stack that it belongs to.",
        )
    image = None
    if image_path is not None:
        image, image_voxel = read_array(image_path)
        voxel = image_voxel if None not in image_voxel else voxel
        if image.shape != truth.shape:
            raise InputError(
                f"{image_path.name} has the shape {image.shape}, its truth {truth.shape}.",
                "Both must be of the same stack and size.",
            )
    if image is not None and kind != "contours":
        image = probability_of(image)
    form = source.truth_kind if source.truth_kind != "auto" else truths.truth_kind(truth)
    if image is not None and source.invert:
        image = image.max() - image
    annotated = None
    if source.annotated is not None:
        annotated, _ = read_array(source.annotated)
        if annotated.shape != truth.shape:
            raise InputError(
                f"{source.annotated.name} has the shape {annotated.shape}, but its "
                f"truth {truth.shape}.",
                "Both must be of the same stack and size.",
            )
    chosen = parse_slices(source.slices, len(truth))
    train, validation = _roles(source, chosen, len(truth))
    z, _, x = voxel
    sizes = source.sizes or (size,)
    for (role, slices), seen in itertools.product(
        (("train", train), ("validation", validation)), sizes
    ):
        if not slices or (role == "validation" and seen != sizes[0]):
            continue
        scale = truths.scale_for(truth.shape, seen)
        depth = 1.0 if z is None or x is None else z / x * scale
        for plane in source.planes if role == "train" else source.planes[:1]:
            order = {"xy": (0, 1, 2), "xz": (1, 0, 2), "yz": (2, 0, 1)}[plane]
            block = np.transpose(truth[slices], order)
            classes = truths.resize_truth(block, scale, form, width, source.zero)
            if annotated is not None:
                kept = truths.resize_values(
                    np.transpose(annotated[slices] > 0, order).astype(np.float32), scale
                )
                classes[kept < 0.999] = truths.IGNORE
            values = np.zeros((0, 0, 0), np.float32)
            if image is not None:
                cut = np.transpose(image[slices], order)
                if kind == "contours":
                    truths.ignore_padding(classes, cut)
                values = (
                    truths.resize_image(cut, scale)
                    if kind == "contours"
                    else truths.resize_values(cut, scale)
                )
            yield Case(
                name=f"s{number:02d}_{f'{seen}_' if source.sizes else ''}{plane}_{role}",
                image=values,
                truth=classes,
                role=role,
                weight=source.weight / len(source.planes) / len(sizes),
                given=image is not None,
                spacing=(depth, 1.0, 1.0) if plane == "xy" else (scale, 1.0, 1.0),
            )


def _roles(source: Source, chosen: list[int], total: int) -> tuple[list[int], list[int]]:
    if source.validation == "none":
        return chosen, []
    if source.positions and len(source.positions) != total:
        raise InputError(
            f"{source.truth.name} has {total} slices, but {len(source.positions)} positions.",
            "Give the position of each slice.",
        )
    held = parse_slices(source.validation, total) if source.validation else []
    return split_slices(chosen, held, source.positions)


def _tissue_cases(number: int, source: SyntheticTissue, size: int, width: float) -> Iterator[Case]:
    from napari_copnet.synthetic.tissue import make_tissue, random_tissue_params

    rng = np.random.default_rng(source.seed)
    for count in range(source.count):
        params = source.params or dataclasses.replace(
            random_tissue_params(rng, source.kind), slices=source.slices, size=source.size
        )
        tissue = make_tissue(params, seed=source.seed + count)
        data = np.asarray(tissue.stack.data)
        scale = truths.scale_for(data.shape, size)
        classes = np.where(tissue.ignored, np.uint8(truths.IGNORE), tissue.contours)
        truth = truths.resize_truth(classes, scale, "contours", width, "region")
        yield Case(
            name=f"s{number:02d}_made{count:03d}_train",
            image=_without_padding(truths.resize_image(data, scale), tissue.padding, truth),
            truth=truth,
            role="train",
            weight=source.weight / source.count,
            given=False,
        )


def _without_padding(image: np.ndarray, padding: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """z-score slices that have padding by what is known of them: padding tells nothing."""
    for plane, outside, classes in zip(image, padding, truth, strict=True):
        known = plane[classes != truths.IGNORE]
        if outside.any() and known.size > 1 and known.std() > 1e-8:
            plane -= known.mean()
            plane /= known.std()
    return image


def _degraded(
    truth: np.ndarray, params: DegradeParams | None, rng: np.random.Generator, hard: bool
) -> np.ndarray:
    from napari_copnet.training.artefacts import add_artefacts
    from napari_copnet.training.degrade import degrade

    maps = np.empty(truth.shape, np.float32)
    for z, plane in enumerate(truth == truths.CONTOUR):
        maps[z] = degrade(plane, params or DegradeParams(), rng)
        if hard:
            maps[z] = add_artefacts(maps[z], plane, rng)
    return maps


def read_array(path: Path) -> tuple[np.ndarray, tuple[float | None, float | None, float | None]]:
    """Read a stack whole, with its voxel size in µm where the file tells it."""
    from napari_copnet.io.read import read_stack

    stack = read_stack(Path(path))
    data = np.stack([np.asarray(stack.data[z]) for z in range(stack.shape[0])])
    return data, tuple(stack.voxel_size)  # type: ignore[return-value]
