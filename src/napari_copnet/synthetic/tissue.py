"""Synthetic tissue: SEM-like stacks whose contours and cells are known exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cc3d
import numpy as np

from napari_copnet.errors import CopnetError
from napari_copnet.params import TissueParams, checked
from napari_copnet.progress import Progress, Steps, finish
from napari_copnet.synthetic.cortex import Cortex, random_cortex_params
from napari_copnet.synthetic.microscope import pad_borders
from napari_copnet.synthetic.neuropil import Neuropil, random_neuropil_params
from napari_copnet.synthetic.slice_parts import Block
from napari_copnet.synthetic.tumour import Tumour, random_tumour_params
from napari_copnet.types import Stack, VoxelSize

_SAMPLE_SEED = 7
_SMALLEST_PIECE = 16  # px: smaller pieces of a cell in a slice are taken for contour


@dataclass(frozen=True)
class Tissue:
    """A synthetic stack with its ground truth, all in the frame of the stack (including drift).

    Attributes
    ----------
    stack : Stack
        Image, shape (Z, Y, X), uint8: membranes dark on paler cytoplasm.
    contours : ndarray, shape (Z, Y, X), uint8
        1 on the true contour. No two cells touch by a face within a slice.
    cells : ndarray, shape (Z, Y, X), uint32
        True 3D cells; 0 on contours and inside the vessel. Each piece that the contour leaves
        of a slice carries one number; a cell may show several pieces in a slice.
    excluded : ndarray, shape (Z, Y, X), bool
        True where scores do not look: in the blood vessel, in a haemorrhage, in gaps between
        cells, on padding.
    ignored : ndarray, shape (Z, Y, X), bool
        True where training does not look: in a haemorrhage and on padding.
    padding : ndarray, shape (Z, Y, X), bool
        True where there is no tissue.
    drift : ndarray, shape (Z, 2), float64
        How far the tissue in each slice lies from where it lies in the first, along y, x, in px.
    """

    stack: Stack
    contours: np.ndarray
    cells: np.ndarray
    excluded: np.ndarray
    ignored: np.ndarray
    padding: np.ndarray
    drift: np.ndarray


def make_tissue(params: TissueParams = TissueParams(), seed: int = 0) -> Tissue:
    """Make a stack that looks like SEM of packed cells, with exact ground truth.

    Parameters
    ----------
    params : TissueParams
        Size, cells, membranes, noise, drift, vessel.
    seed : int
        Seed of all random choices: the same settings and seed give the same tissue.

    Raises
    ------
    CopnetError
        A setting is out of range, or cells are too small for their contours or pixels.
    """
    return finish(generate_tissue(params, seed))


def generate_tissue(params: TissueParams = TissueParams(), seed: int = 0) -> Steps[Tissue]:
    """Make tissue slice by slice; parameters and errors as for `make_tissue`.

    Yields
    ------
    Progress
        One for each slice.

    Returns
    -------
    Tissue
    """
    _check(params)
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, params.drift, (params.slices, 2))
    drift[0] = 0
    drift = drift.cumsum(axis=0)
    margin = float(np.abs(drift).max() + 1)
    block = _BLOCKS[params.kind](params, rng, margin)
    slice_rngs = rng.spawn(params.slices)

    shape = (params.slices, params.size, params.size)
    image, contours = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    cells = np.empty(shape, np.uint32)
    excluded, ignored = np.zeros(shape, bool), np.zeros(shape, bool)
    # its own random generator, so that padding does not change the tissue
    padding, grey = pad_borders(shape, params.padding, np.random.default_rng((seed, 1)))
    for i in range(params.slices):
        y, x = (np.arange(params.size) - drift[i, axis] for axis in (0, 1))
        made = block.slice(i + 0.5, y, x, slice_rngs[i])
        outside = padding[i]
        contour = made.contour & ~outside
        contour |= _small_pieces(~contour & ~outside)
        image[i] = np.where(outside, np.uint8(grey), made.image)
        contours[i] = contour
        excluded[i] = made.excluded | outside
        ignored[i] = made.ignored & ~contour | outside
        cells[i] = np.where(contour | excluded[i], 0, made.regions)
        yield Progress("tissue", i + 1, params.slices, "slices")
    voxel = VoxelSize(params.slice_thickness, params.pixel_size, params.pixel_size)
    return Tissue(
        Stack(image, voxel, name="synthetic tissue"),
        contours,
        _renumbered(cells),
        excluded,
        ignored,
        padding,
        drift,
    )


def sample_stack() -> Tissue:
    """Return the bundled sample: 12 slices of 512×512 px, the same on every call."""
    return make_tissue(TissueParams(slices=12), seed=_SAMPLE_SEED)


def random_tissue_params(rng: np.random.Generator, kind: str = "neuropil") -> TissueParams:
    """Draw random settings that vary like real stacks, for training data.

    Slices and in-plane side keep their defaults; change them with `dataclasses.replace`.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    kind : str
        Kind of tissue, see `TissueParams`.

    Raises
    ------
    CopnetError
        There is no such kind.
    """
    if kind not in _DRAWN:
        raise CopnetError(f"There is no tissue {kind!r}.", f"Choose one of {', '.join(_DRAWN)}.")
    return _DRAWN[kind](rng)


_MakeBlock = Callable[[TissueParams, np.random.Generator, float], Block]
_BLOCKS: dict[str, _MakeBlock] = {"neuropil": Neuropil, "tumour": Tumour, "cortex": Cortex}
_DRAWN = {
    "neuropil": random_neuropil_params,
    "tumour": random_tumour_params,
    "cortex": random_cortex_params,
}


def _check(params: TissueParams) -> None:
    checked(params)
    if params.cell_diameter < 8 * params.pixel_size:
        raise CopnetError(
            f"Cells of {params.cell_diameter} µm are less than 8 pixels wide.",
            "Make cells larger, or pixels smaller.",
        )
    if params.cell_diameter < 3 * params.membrane:
        raise CopnetError(
            f"Contours of {params.membrane} µm leave no room inside cells of "
            f"{params.cell_diameter} µm.",
            "Make contours at most a third as wide as cells.",
        )


def _small_pieces(free: np.ndarray) -> np.ndarray:
    pieces = cc3d.connected_components(free, connectivity=4)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = _SMALLEST_PIECE
    return (sizes < _SMALLEST_PIECE)[pieces]


def _renumbered(cells: np.ndarray) -> np.ndarray:
    present = np.unique(cells)
    numbers = np.zeros(int(present[-1]) + 1, np.uint32)
    numbers[present[present > 0]] = np.arange(1, np.count_nonzero(present) + 1, dtype=np.uint32)
    return numbers[cells]
