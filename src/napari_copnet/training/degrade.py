"""Simulated gaps: true contours degraded by ∂u/∂t = α Δu − β u inside disks, or cut out there.

Sources: Robert et al. 2024 (COp-Net) for the equation, which `propagate` advances in time;
Chen et al. 2018 for circles cut out of binary contours.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.params import DegradeParams, checked
from napari_copnet.progress import Progress, Steps
from napari_copnet.training.propagate import propagate
from napari_copnet.types import SliceResult, is_contour

__all__ = ["DegradeFields", "degrade", "fields", "for_area", "propagate", "rescaled", "simulate"]

# Numbers of disks are meant for a slice of this side when slices of several sizes have to have
# gaps alike, as in training.
SIDE = 512


@dataclass(frozen=True)
class DegradeFields:
    """Where and how strongly a contour is degraded.

    Attributes
    ----------
    alpha : ndarray, shape (Y, X), float32
        Diffusion, px²/s, in [diffusion_min, diffusion_max].
    beta : ndarray, shape (Y, X), float32
        Absorption, 1/s, in [0, 1].
    centres : ndarray, shape (D, 2), int
        Disk centres (y, x). Fewer than asked for when the contour ran out.
    radii : ndarray, shape (D,), float64
        Radii, px.
    absorbing : ndarray, shape (D,), bool
        True for disks of `beta`, False for disks of `alpha`.
    """

    alpha: np.ndarray
    beta: np.ndarray
    centres: np.ndarray
    radii: np.ndarray
    absorbing: np.ndarray


def fields(
    contour: np.ndarray,
    params: DegradeParams,
    rng: np.random.Generator,
    pixel_size: float | None = None,
) -> DegradeFields:
    """Draw the coefficients of the degradation equation for one contour.

    α = dmin + (dmax − dmin) Σ_{i ≤ N1} max(0, 1 − |x − xi| / Ri), kept in [dmin, dmax];
    β = Σ_{N1 < i ≤ N1 + N2} max(0, 1 − |x − xi| / Ri), kept in [0, 1];
    Ri uniform in [Rmin, Rmax]; xi on contour pixels outside the disks drawn before.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
        True contour, 0 or 1, or a probability; pixels above 0.5 are contour.
    params : DegradeParams
        Numbers and radii of disks, diffusion.
    rng : numpy.random.Generator
        Source of randomness.
    pixel_size : float, optional
        µm per pixel; needed when ``params.unit`` is ``"um"``.

    Raises
    ------
    InputError
        `contour` is not one slice, or the unit is µm and the pixel size unknown.
    CopnetError
        A setting is out of range.
    """
    contour = _one_slice(contour)
    radius_min, radius_max, diffusion_min, diffusion_max = _in_pixels(params, pixel_size)
    kinds = np.repeat([False, True], [params.diffusion_disks, params.absorption_disks])
    # Mixed, so that a contour too short for all disks does not always lack the absorbing ones.
    kinds = rng.permutation(kinds)
    radii = rng.uniform(radius_min, radius_max, kinds.size)
    diffusing = np.zeros(contour.shape, np.float32)
    beta = np.zeros(contour.shape, np.float32)
    free = is_contour(contour)
    places = np.flatnonzero(free)
    if kinds.size:
        rng.shuffle(places)
    centres: list[tuple[int, int]] = []
    for place in places:
        if len(centres) == kinds.size:
            break
        y, x = divmod(int(place), contour.shape[1])
        if free[y, x]:
            disk = len(centres)
            _add_cone(beta if kinds[disk] else diffusing, free, y, x, radii[disk])
            centres.append((y, x))
    np.minimum(beta, 1, out=beta)
    np.minimum(diffusing, 1, out=diffusing)
    alpha = np.float32(diffusion_min) + np.float32(diffusion_max - diffusion_min) * diffusing
    count = len(centres)
    return DegradeFields(
        alpha=np.minimum(alpha, np.float32(diffusion_max)),
        beta=beta,
        centres=np.array(centres, np.int64).reshape(count, 2),
        radii=radii[:count],
        absorbing=kinds[:count],
    )


def degrade(
    contour: np.ndarray,
    params: DegradeParams,
    rng: np.random.Generator,
    pixel_size: float | None = None,
) -> np.ndarray:
    """Return one degraded map of a true contour: ∂u/∂t = α Δu − β u from u(0) = `contour`.

    With ``params.method`` ``"circles"`` the rounded contour without the absorbing disks instead.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
        True contour, 0 or 1, or a probability in [0, 1]. It is not changed.
    params, rng, pixel_size
        As for `fields`.

    Returns
    -------
    ndarray, shape (Y, X), float32
        Degraded contour in [0, 1].

    Raises
    ------
    InputError, CopnetError
        As for `fields`.
    """
    if params.method == "circles":
        return _cut(contour, params, rng, pixel_size)
    drawn = fields(contour, params, rng, pixel_size)
    u = propagate(
        np.asarray(contour, np.float32),
        drawn.alpha,
        drawn.beta,
        params.duration,
        params.method,
        params.time_step,
    )
    # The exact solution stays in the range of its start values; rounding may leave it by 1e-6.
    return np.clip(u, 0.0, 1.0, out=u)


def _cut(
    contour: np.ndarray,
    params: DegradeParams,
    rng: np.random.Generator,
    pixel_size: float | None,
) -> np.ndarray:
    """Return the rounded contour with N2 disks cut out of it, 0 or 1."""
    drawn = fields(contour, dataclasses.replace(params, diffusion_disks=0), rng, pixel_size)
    # A disk's cone is above 0 exactly inside its radius.
    return (is_contour(contour) & (drawn.beta <= 0)).astype(np.float32)


def for_area(params: DegradeParams, shape: tuple[int, ...]) -> DegradeParams:
    """Return the settings for a slice of shape (Y, X): as many disks by area as for 512×512 px."""
    share = math.prod(shape[-2:]) / SIDE**2
    return dataclasses.replace(
        params,
        diffusion_disks=round(params.diffusion_disks * share),
        absorption_disks=round(params.absorption_disks * share),
    )


def rescaled(params: DegradeParams, scale: float, pixel_size: float | None = None) -> DegradeParams:
    """Return settings in pixels that do to a resized slice what `params` do to the slice.

    Parameters
    ----------
    params : DegradeParams
        For 512×512 px of the slice; see `for_area`.
    scale : float
        New size over old.
    pixel_size : float, optional
        µm per pixel of the slice; needed when ``params.unit`` is ``"um"``.

    Raises
    ------
    InputError
        µm without a pixel size.
    """
    radius_min, radius_max, diffusion_min, diffusion_max = _in_pixels(params, pixel_size)
    return dataclasses.replace(
        params,
        diffusion_disks=round(params.diffusion_disks / scale**2),
        absorption_disks=round(params.absorption_disks / scale**2),
        radius_min=radius_min * scale,
        radius_max=radius_max * scale,
        diffusion_min=diffusion_min * scale**2,
        diffusion_max=diffusion_max * scale**2,
        unit="px",
    )


def simulate(
    truth: np.ndarray,
    n_per_slice: int,
    params: DegradeParams,
    seed: int = 0,
    pixel_size: float | None = None,
    keep: bool = True,
) -> Steps[np.ndarray]:
    """Degrade every slice of a true contour stack several times.

    Each map depends only on the seed, its slice and its number, not on how many are made.

    Parameters
    ----------
    truth : array, shape (Z, Y, X)
        True contours, 0 or 1. May be lazy.
    n_per_slice : int
        Maps for each slice; the paper makes 20.
    params : DegradeParams
        Settings of the degradation.
    seed : int
        Seed of all random choices.
    pixel_size : float, optional
        µm per pixel; needed when ``params.unit`` is ``"um"``.
    keep : bool
        False hands the maps out in `Progress.partial` only and returns an empty array, for
        stacks whose maps do not fit into memory.

    Yields
    ------
    Progress
        One for each slice; `partial` is a `SliceResult` with values of shape (N, Y, X), float32.

    Returns
    -------
    ndarray, shape (Z, N, Y, X), float32

    Raises
    ------
    InputError, CopnetError
        As for `fields`, and when `truth` has no axes (Z, Y, X) or `n_per_slice` is below 1.
    """
    if truth.ndim != 3:
        raise InputError(
            f"True contours need three axes (Z, Y, X), but these have {truth.ndim}.",
            "Give a stack; a single slice has shape (1, Y, X).",
        )
    if n_per_slice < 1:
        raise CopnetError(f"{n_per_slice} maps for each slice can't be made.", "Choose 1 or more.")
    _in_pixels(params, pixel_size)
    slices, height, width = truth.shape
    kept = np.zeros((slices if keep else 0, n_per_slice, height, width), np.float32)
    for z in range(slices):
        contour = np.asarray(truth[z])
        maps = kept[z] if keep else np.empty((n_per_slice, height, width), np.float32)
        for number in range(n_per_slice):
            rng = np.random.default_rng([seed, z, number])
            maps[number] = degrade(contour, params, rng, pixel_size)
        yield Progress("degrade", z + 1, slices, "slices", partial=SliceResult(z, maps))
    return kept


def _add_cone(field: np.ndarray, free: np.ndarray, y: int, x: int, radius: float) -> None:
    """Add max(0, 1 − distance / radius) to `field` and take the disk out of `free`."""
    reach = math.ceil(radius)
    top, left = max(0, y - reach), max(0, x - reach)
    box = slice(top, y + reach + 1), slice(left, x + reach + 1)
    rows, columns = field[box].shape
    dy = np.arange(top - y, top - y + rows, dtype=np.float32)[:, None]
    dx = np.arange(left - x, left - x + columns, dtype=np.float32)[None]
    distance = np.sqrt(dy * dy + dx * dx)
    field[box] += np.maximum(0, 1 - distance / np.float32(max(radius, 1e-6)))
    free[box] &= distance > radius


def _in_pixels(
    params: DegradeParams, pixel_size: float | None
) -> tuple[float, float, float, float]:
    checked(params)
    for low, high, what in (
        (params.radius_min, params.radius_max, "radius"),
        (params.diffusion_min, params.diffusion_max, "diffusion"),
    ):
        if low > high:
            raise CopnetError(
                f"The smallest {what}, {low}, is above the largest, {high}.",
                "Swap the two values, or make them equal.",
            )
    length = 1.0
    if params.unit == "um":
        if pixel_size is None or not pixel_size > 0:
            raise InputError(
                "Radii are given in µm, but the pixel size is unknown.",
                "Give the voxel size in µm, or set the unit to px.",
            )
        length = 1.0 / pixel_size
    return (
        params.radius_min * length,
        params.radius_max * length,
        params.diffusion_min * length**2,
        params.diffusion_max * length**2,
    )


def _one_slice(contour: np.ndarray) -> np.ndarray:
    contour = np.asarray(contour)
    if contour.ndim != 2:
        raise InputError(
            f"A contour needs two axes (Y, X), but this one has {contour.ndim}.",
            "Give one slice at a time, or use simulate for a stack.",
        )
    return contour
