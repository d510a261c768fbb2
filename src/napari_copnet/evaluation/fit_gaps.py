"""Fit the settings of the degradation so that simulated gaps match real ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from skimage.morphology import skeletonize

from napari_copnet.errors import InputError
from napari_copnet.evaluation.gap_lengths import missing_on
from napari_copnet.params import DegradeParams, checked
from napari_copnet.progress import Progress, Steps
from napari_copnet.training.degrade import degrade, for_area
from napari_copnet.types import is_contour

# Below this many gaps their lengths say little.
FEWEST_GAPS = 5
GENERATIONS, POPULATION = 14, 5
# Slices are cut down to this side: 60 gaps and more lie in four of them.
SIDE, SLICES, MAPS = 320, 4, 2
_MOST_DISKS, _LARGEST, _LONGEST = 120, 60.0, 12.0


@dataclass(frozen=True)
class Gaps:
    """Gaps found along some contour.

    Attributes
    ----------
    lengths : ndarray, shape (N,), int64
        Pixels along the centre line of each gap, as `gap_lengths.missing_lengths` measures them.
    contour : int
        Pixels of centre line looked at, gaps included.
    """

    lengths: np.ndarray
    contour: int

    @property
    def rate(self) -> float:
        """Gaps per 1000 px of contour."""
        return 1000 * len(self.lengths) / self.contour if self.contour else 0.0


@dataclass(frozen=True)
class GapFit:
    """What `fit_gaps` found.

    Attributes
    ----------
    params : DegradeParams
    before, after : float
        `mismatch` of the gaps simulated with the settings given, and with `params`.
    distance_before, distance_after : float
        `distance` of the same, px.
    gaps : Gaps
        Simulated with `params`.
    """

    params: DegradeParams
    before: float
    after: float
    distance_before: float
    distance_after: float
    gaps: Gaps


def find_gaps(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Gaps:
    """Return the gaps of (contour, other contour with gaps) pairs, each of shape (Y, X).

    Anything above 0 is contour in both.
    """
    lengths: list[np.ndarray] = [np.zeros(0, np.int64)]
    contour = 0
    for whole, other in pairs:
        line = skeletonize(np.asarray(whole) > 0)
        contour += int(line.sum())
        if line.any():
            lengths.append(missing_on(line, other))
    return Gaps(np.concatenate(lengths), contour)


def simulated_gaps(
    truth: np.ndarray,
    params: DegradeParams,
    *,
    maps: int = 1,
    seed: int = 0,
    pixel_size: float | None = None,
) -> Gaps:
    """Return the gaps that the degradation makes in true contours.

    Parameters
    ----------
    truth : ndarray, shape (Z, Y, X)
        True contours, 0 or 1.
    params : DegradeParams
        For slices of 512×512 px; the number of disks follows the area.
    maps : int
        Degraded maps of each slice.
    seed : int
        Of all chance.
    pixel_size : float, optional
        µm per pixel; needed when ``params.unit`` is ``"um"``.
    """
    return _Simulator(truth, maps, seed, pixel_size)(params)


def distance(first: Gaps, second: Gaps) -> float:
    """Return the Wasserstein distance of two distributions of gap lengths, px.

    That is how far, on average, lengths of one have to be changed to become those of the other.
    No gaps count as gaps of length 0.
    """
    from scipy.stats import wasserstein_distance

    lengths = [gaps.lengths if len(gaps.lengths) else np.zeros(1) for gaps in (first, second)]
    return float(wasserstein_distance(*lengths))


def mismatch(simulated: Gaps, real: Gaps) -> float:
    """Return how much simulated gaps differ from real ones; 0 if they match.

    The distance of lengths by the mean length of the real ones, plus |ln| of the ratio of the
    gaps by length of contour: lengths alone do not tell how many disks there shall be.
    """
    mean = float(real.lengths.mean()) if len(real.lengths) else 1.0
    # Half a gap more, so that none at all is far off but not infinitely so.
    rates = [(len(g.lengths) + 0.5) / max(1, g.contour) for g in (simulated, real)]
    return distance(simulated, real) / mean + abs(math.log(rates[0] / rates[1]))


def fit_gaps(
    truth: np.ndarray,
    real: Gaps,
    start: DegradeParams,
    *,
    seed: int = 0,
    pixel_size: float | None = None,
    generations: int = GENERATIONS,
) -> Steps[GapFit]:
    """Find N1, N2, radii and T for which simulated gaps are most like real ones.

    Differential evolution (Storn and Price 1997) of `mismatch`, the settings given among the
    first candidates. All candidates see the same slices and the same chance, so that they differ
    by their settings alone.

    Parameters
    ----------
    truth : ndarray, shape (Z, Y, X)
        True contours, 0 or 1. Up to `SLICES` of them are used, cut down to `SIDE` px.
    real : Gaps
        From `find_gaps`, in the pixels of `truth`.
    start : DegradeParams
        For slices of 512×512 px, as training takes them. Number and size of the disks and the
        duration are fitted; the rest stays, method and unit included.
    seed : int
    pixel_size : float, optional
        µm per pixel; needed when ``start.unit`` is ``"um"``.
    generations : int
        At most; it ends early when all candidates are alike.

    Yields
    ------
    Progress
        In generations; `partial` is the best `DegradeParams` so far.

    Raises
    ------
    InputError
        Too few real gaps, no contour in `truth`, or µm without a pixel size.
    """
    from scipy.optimize import differential_evolution

    start = checked(start)
    if len(real.lengths) < FEWEST_GAPS:
        raise InputError(
            f"There are only {len(real.lengths)} gaps to fit to.",
            f"Fix at least {FEWEST_GAPS}, or choose a contour map with more of them.",
        )
    truth = _middle(np.asarray(truth))
    if not is_contour(truth).any():
        raise InputError("There is no contour to degrade.", "Choose a layer of true contours.")
    length = _unit_length(start, pixel_size)
    simulate = _Simulator(truth, MAPS, seed, pixel_size)
    # A disk opens a gap of about its diameter, where it fades contours to its rim.
    radius = min(_LARGEST, max(8.0, float(np.quantile(real.lengths, 0.95))))
    bounds = [(0, _MOST_DISKS), (0, _MOST_DISKS), (2.0, radius), (0.0, radius), (0.5, _LONGEST)]

    def as_params(x: np.ndarray) -> DegradeParams:
        low, more = float(x[2]) * length, float(x[3]) * length
        return dataclasses.replace(
            start,
            diffusion_disks=round(float(x[0])),
            absorption_disks=round(float(x[1])),
            radius_min=round(low, 4),
            radius_max=round(low + more, 4),
            duration=round(float(x[4]), 2),
        )

    cost = _Memory(lambda params: mismatch(simulate(params), real))
    first = _first(start, length, bounds, seed)
    before = simulate(start)
    best, best_cost = start, mismatch(before, real)
    yield Progress("fit", 0, generations, "generations", partial=best)
    for number in range(generations):
        result = differential_evolution(
            lambda x: cost(as_params(x)),
            bounds,
            maxiter=1,
            init=first,
            polish=False,
            tol=0,
            rng=np.random.default_rng([seed, number]),
        )
        first = result.population
        if result.fun < best_cost:
            best, best_cost = as_params(result.x), float(result.fun)
        yield Progress("fit", number + 1, generations, "generations", partial=best)
        if np.ptp(result.population_energies) < 1e-3:
            break
    gaps = simulate(best)
    return GapFit(
        best,
        mismatch(before, real),
        best_cost,
        distance(before, real),
        distance(gaps, real),
        gaps,
    )


class _Simulator:
    """Degrades the same slices with the same random numbers, whatever the settings."""

    def __init__(self, truth: np.ndarray, maps: int, seed: int, pixel_size: float | None) -> None:
        self._planes = [is_contour(plane).astype(np.float32) for plane in np.asarray(truth)]
        self._lines = [skeletonize(is_contour(plane)) for plane in self._planes]
        self._maps, self._seed, self._pixel_size = maps, seed, pixel_size

    def __call__(self, params: DegradeParams) -> Gaps:
        lengths: list[np.ndarray] = [np.zeros(0, np.int64)]
        params = for_area(params, self._planes[0].shape)
        for z, (plane, line) in enumerate(zip(self._planes, self._lines, strict=True)):
            for number in range(self._maps):
                rng = np.random.default_rng([self._seed, z, number])
                map_ = degrade(plane, params, rng, self._pixel_size)
                lengths.append(missing_on(line, is_contour(map_)))
        contour = self._maps * int(sum(line.sum() for line in self._lines))
        return Gaps(np.concatenate(lengths), contour)


class _Memory:
    """Keeps costs: each call of the optimiser begins with the candidates of the last one."""

    def __init__(self, cost: Callable[[DegradeParams], float]) -> None:
        self._cost = cost
        self._known: dict[DegradeParams, float] = {}

    def __call__(self, params: DegradeParams) -> float:
        if params not in self._known:
            self._known[params] = self._cost(params)
        return self._known[params]


def _first(
    start: DegradeParams, length: float, bounds: list[tuple[float, float]], seed: int
) -> np.ndarray:
    """Return the first candidates: the settings given, and others spread over the bounds."""
    from scipy.stats import qmc

    low, high = np.array(bounds, float).T
    spread = qmc.LatinHypercube(len(bounds), rng=np.random.default_rng(seed))
    first = low + spread.random(POPULATION * len(bounds)) * (high - low)
    given = [
        start.diffusion_disks,
        start.absorption_disks,
        start.radius_min / length,
        (start.radius_max - start.radius_min) / length,
        start.duration,
    ]
    first[0] = np.clip(given, low, high)
    return first


def _middle(truth: np.ndarray) -> np.ndarray:
    """Return up to `SLICES` slices from all of the stack, their middle of at most `SIDE` px."""
    if truth.ndim != 3:
        raise InputError(
            f"True contours need three axes (Z, Y, X), but these have {truth.ndim}.",
            "Give a stack; a single slice has shape (1, Y, X).",
        )
    chosen = np.unique(np.linspace(0, len(truth) - 1, SLICES).round().astype(int))
    top, left = (max(0, (n - SIDE) // 2) for n in truth.shape[1:])
    return truth[chosen, top : top + SIDE, left : left + SIDE]


def _unit_length(params: DegradeParams, pixel_size: float | None) -> float:
    """Return the size of a pixel in the unit of the settings."""
    if params.unit != "um":
        return 1.0
    if pixel_size is None or not pixel_size > 0:
        raise InputError(
            "Radii are given in µm, but the pixel size is unknown.",
            "Give the voxel size in µm, or set the unit to px.",
        )
    return float(pixel_size)
