"""Degrading a contour: ours beside a sparse solve in every Crank–Nicolson step, as the paper does.

Both sides advance the same drawn fields from the same contours; drawing the fields and building
the sparse matrices is left out of both times. The error is taken against exp(T A) u0 in float64
(Al-Mohy and Higham's algorithm, `scipy.sparse.linalg.expm_multiply`), which has no time step.
"""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median

import numpy as np
from scipy.sparse.linalg import expm_multiply, spsolve

from benchmarks.figure import Figure, machine_name
from napari_copnet.params import DegradeParams, TissueParams
from napari_copnet.synthetic import make_tissue
from napari_copnet.training.degrade import DegradeFields, fields
from napari_copnet.training.propagate import crank_nicolson_matrices, operator, propagate

_SIZE = 512
_DURATION = 2.0
_STEP = 0.1
_RATIO = 150.0
_ERROR = 1e-5


def run(quick: bool = False) -> list[Figure]:
    """Measure speed and error on 512×512 contours, T = 2 s, time step 0.1 s.

    Parameters
    ----------
    quick : bool
        One map instead of three on still background (diffusion_min = 0), and none on diffusing
        background (diffusion_min = 0.1), where one map takes the sparse solver minutes.

    Returns
    -------
    list of Figure
        Ratio and largest error, for each background measured.
    """
    maps = 1 if quick else 3
    tissue = make_tissue(TissueParams(slices=maps, size=_SIZE, vessel=False), seed=1)
    contours = [contour.astype(np.float32) for contour in tissue.contours]
    base = DegradeParams(duration=_DURATION, time_step=_STEP)
    figures = _compare("still background", replace(base, diffusion_min=0.0), contours)
    if not quick:
        figures += _compare("diffusing background", base, contours[:1])
    return figures


def _compare(name: str, params: DegradeParams, contours: list[np.ndarray]) -> list[Figure]:
    ours, theirs, once, our_error, their_error = [], [], [], 0.0, 0.0
    for number, contour in enumerate(contours):
        drawn = fields(contour, params, np.random.default_rng(number))
        propagate(contour, drawn.alpha, drawn.beta, params.duration)  # compiled before timing
        repeats = [_timed(propagate, contour, drawn.alpha, drawn.beta, _DURATION) for _ in range(9)]
        ours.append(median(seconds for seconds, _ in repeats))
        seconds, solved = _solve_each_step(contour, drawn)
        theirs.append(seconds)
        once.append(
            _timed(propagate, contour, drawn.alpha, drawn.beta, _DURATION, "crank-nicolson", _STEP)[
                0
            ]
        )
        a = operator(drawn.alpha, drawn.beta)
        exact = expm_multiply(a * _DURATION, contour.ravel().astype(np.float64))
        exact = exact.reshape(contour.shape)
        our_error = max(our_error, float(np.abs(repeats[0][1] - exact).max()))
        their_error = max(their_error, float(np.abs(solved - exact).max()))
    ratio = median(t / o for t, o in zip(theirs, ours, strict=True))
    our_text = f"Chebyshev propagator, float32, one thread: {1e3 * median(ours):.1f} ms a map"
    their_text = (
        f"Crank–Nicolson, scipy spsolve each of {round(_DURATION / _STEP)} steps: "
        f"{1e3 * median(theirs):.0f} ms a map (factorised once: {1e3 * median(once):.0f} ms)"
    )
    return [
        Figure(
            f"degrade, {name}, speed",
            ratio,
            "x",
            f">= {_RATIO:g}",
            ratio >= _RATIO,
            our_text,
            their_text,
            machine_name(),
        ),
        Figure(
            f"degrade, {name}, largest error",
            our_error,
            "",
            f"<= {_ERROR:g}",
            our_error <= _ERROR,
            f"Chebyshev propagator, float32: {our_error:.1e} off exp(T A) u0 in float64",
            f"Crank–Nicolson, time step {_STEP} s: {their_error:.1e} off",
            machine_name(),
        ),
    ]


def _timed(function, *arguments) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def _solve_each_step(contour: np.ndarray, drawn: DegradeFields) -> tuple[float, np.ndarray]:
    implicit, explicit = crank_nicolson_matrices(drawn.alpha, drawn.beta, _STEP)
    u = contour.ravel().astype(np.float64)
    start = time.perf_counter()
    for _ in range(round(_DURATION / _STEP)):
        # The ordering for symmetric patterns: up to twice as fast here as scipy's default.
        u = spsolve(implicit, explicit @ u, permc_spec="MMD_AT_PLUS_A")
    return time.perf_counter() - start, u.reshape(contour.shape)
