"""Slices with ground truth for fitting likely gaps: several kinds of tissue and of maps.

Rules generalise to other tissues and other networks' maps if they were fitted to many kinds: small
and large cells, certain and uncertain maps. Maps of slices that their network was trained on are
not used, because their gaps differ from those that the network leaves elsewhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.params import DegradeParams, TissueParams
from napari_copnet.synthetic.tissue import make_tissue, random_tissue_params
from napari_copnet.training.artefacts import add_artefacts
from napari_copnet.training.cases import read_array
from napari_copnet.training.degrade import degrade, for_area
from napari_copnet.training.fade import fade
from napari_copnet.training.truth import CONTOUR, WIDTH, resize_image, resize_truth, resize_values
from research.splits import FIB25_GAPS, GAP_DEPTH, SNEMI3D_GAPS, SNEMI3D_WHOLE_GAPS

SIZE = 512
# Synthetic tissue, with maps by the shipped contour model: default and random settings.
SYNTHETIC, VARIED, SYNTHETIC_SEED = 3, 6, 40_500
# Plant cells: slices and their sizes. The other tissues of packed cells are kept for validation.
PLANT, PLANT_SIZES = range(0, 16, 2), (300, 350, 400, 450)


@dataclass(frozen=True)
class FitBlock:
    """Slices with ground truth, at the size at which networks see them.

    Attributes
    ----------
    name : str
    true : TrueStack
    contours : ndarray, shape (Z, Y, X), float32, or None
        Step 1 map, simulated or by another network.
    image : ndarray, shape (Z, Y, X), float32, or None
        Given if the shipped contour model makes the map.
    """

    name: str
    true: TrueStack
    contours: np.ndarray | None = None
    image: np.ndarray | None = None


def blocks(data: Path) -> Iterator[FitBlock]:
    """Make the blocks for the fit.

    Parameters
    ----------
    data : Path
        Folder that contains ``fib25``, ``snemi3d``, ``gala-fibsem`` and ``contours``.
    """
    rng = np.random.default_rng(SYNTHETIC_SEED)
    for number in range(SYNTHETIC + VARIED):
        params = TissueParams() if number < SYNTHETIC else random_tissue_params(rng)
        yield _made(replace(params, slices=GAP_DEPTH, size=SIZE), SYNTHETIC_SEED + number)
    cells = read_array(data / "fib25" / "instances.tif")[0]
    for z in FIB25_GAPS:
        yield from _simulated(f"fib25, slices from {z}", cells[z : z + GAP_DEPTH], SIZE)
    cells = read_array(data / "snemi3d" / "instances.tif")[0]
    for z, y, x in SNEMI3D_GAPS:
        part = cells[z : z + GAP_DEPTH, y : y + SIZE, x : x + SIZE]
        yield from _simulated(f"snemi3d, slices from {z}, in part", part, SIZE)
    for z in SNEMI3D_WHOLE_GAPS:
        yield from _simulated(f"snemi3d, slices from {z}", cells[z : z + GAP_DEPTH], SIZE)
    yield from _given_snemi3d(data / "snemi3d", cells)
    yield _given_gala(data / "gala-fibsem")
    cells = read_array(data / "contours" / "wsu_plant_cells2d.tif")[0]
    for z, size in zip(PLANT, np.resize(PLANT_SIZES, len(PLANT)), strict=True):
        yield from _simulated(f"plant cells, slice {z}", cells[z : z + 1], int(size), "contour")


def _made(params: TissueParams, seed: int) -> FitBlock:
    tissue = make_tissue(params, seed=seed)
    truth = TrueStack(tissue.contours.astype(np.uint8), exclude_pixels=tissue.excluded)
    image = resize_image(np.asarray(tissue.stack.data), 1.0)
    return FitBlock(f"synthetic tissue, seed {seed}", truth, image=image)


def _simulated(name: str, cells: np.ndarray, size: int, zero: str = "region") -> Iterator[FitBlock]:
    scale = size / max(cells.shape[-2:])
    truth = _drawn(cells, scale, zero)
    for kind, draw in (("fading", _fading), ("degraded", _degraded)):
        rng = np.random.default_rng(zlib.crc32(f"{name}, {kind}".encode()))
        maps = np.stack([draw(contour, rng) for contour in truth])
        yield FitBlock(f"{name}, {kind}", TrueStack(truth), maps)


def _drawn(cells: np.ndarray, scale: float, zero: str = "region") -> np.ndarray:
    classes = resize_truth(np.ascontiguousarray(cells), scale, "labels", WIDTH, zero)
    return (classes == CONTOUR).astype(np.uint8)


def _fading(contour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return fade(contour, rng, rng.uniform(0.8, 0.95), rng.uniform(0.08, 0.22))


def _degraded(contour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a map as for training the closing network, at random softened and less certain."""
    from scipy.ndimage import gaussian_filter

    u = degrade(contour, for_area(DegradeParams(), contour.shape), rng)
    u = add_artefacts(u, contour, rng, 0.7)
    if rng.random() < 0.6:
        u = gaussian_filter(u, rng.uniform(0.5, 2.2))
    if rng.random() < 0.7:
        bounded = np.clip(u, 1e-4, 1 - 1e-4)
        gain, offset = np.exp(rng.normal(-0.1, 0.45)), rng.normal(-0.6, 1.1)
        u = 1 / (1 + np.exp(-(gain * np.log(bounded / (1 - bounded)) + offset)))
    return u.astype(np.float32)


def _given_snemi3d(folder: Path, cells: np.ndarray) -> Iterator[FitBlock]:
    """Yield blocks of another network's boundary map of a corner of snemi3d, slices 0-31."""
    given = read_array(folder / "mini-boundary-prob.tif")[0].astype(np.float32) / 255
    height, width = given.shape[1:]
    for first in (0, 22):
        part = slice(first, first + GAP_DEPTH)
        maps = np.clip(resize_values(given[part], 2.0), 0, 1)
        truth = _drawn(cells[part, :height, :width], 2.0)
        yield FitBlock(
            f"snemi3d, another network's map, slices from {first}", TrueStack(truth), maps
        )


def _given_gala(folder: Path) -> FitBlock:
    """Return a block of another classifier's boundary map of gala's training crop."""
    cells = read_array(folder / "train-instances-3d.tif")[0][:GAP_DEPTH]
    given = read_array(folder / "train-boundary-prob.tif")[0][:GAP_DEPTH].astype(np.float32) / 255
    scale = SIZE / max(cells.shape[1:])
    maps = np.clip(resize_values(given, scale), 0, 1)
    return FitBlock("gala, training crop", TrueStack(_drawn(cells, scale, "contour")), maps)
