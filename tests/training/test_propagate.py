"""The equation's solver against closed forms, conservation laws and a float64 reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.sparse.linalg import expm_multiply

from napari_copnet.training.propagate import moving_boxes, operator, propagate

METHODS = ["chebyshev", "crank-nicolson"]


def cosine_mode(height, width, p, q):
    y = np.cos(np.pi * p * (np.arange(height) + 0.5) / height)
    x = np.cos(np.pi * q * (np.arange(width) + 0.5) / width)
    return np.outer(y, x)


@pytest.mark.parametrize(("method", "tolerance"), [("chebyshev", 2e-6), ("crank-nicolson", 2e-5)])
def test_cosine_mode_decays_by_its_discrete_eigenvalue(method, tolerance):
    height, width, p, q, alpha, beta, duration = 20, 33, 3, 5, 1.7, 0.2, 2.5
    mode = cosine_mode(height, width, p, q)
    eigenvalue = (
        -4 * alpha * (np.sin(np.pi * p / (2 * height)) ** 2 + np.sin(np.pi * q / (2 * width)) ** 2)
    )
    expected = mode * np.exp((eigenvalue - beta) * duration)
    shape = (height, width)
    u = propagate(mode, np.full(shape, alpha), np.full(shape, beta), duration, method, 0.01)
    assert u.dtype == np.float32
    np.testing.assert_allclose(u, expected, atol=tolerance)
    assert np.abs(expected).max() < 0.6  # it did decay


@pytest.mark.parametrize("method", METHODS)
def test_constant_diffusion_keeps_the_sum(method):
    u0 = np.zeros((17, 23))
    u0[0, 0] = u0[9, 4] = u0[16, 11] = 1
    u = propagate(u0, np.full(u0.shape, 2.0), np.zeros(u0.shape), 4.0, method)
    assert u.sum() == pytest.approx(3.0, abs=1e-4)
    assert u.max() < 0.5


@pytest.mark.parametrize("method", METHODS)
def test_varying_diffusion_keeps_the_sum_of_u_over_alpha(method):
    rng = np.random.default_rng(0)
    u0, alpha = rng.random((19, 14)), rng.uniform(0.1, 3, (19, 14))
    u = propagate(u0, alpha, np.zeros(u0.shape), 3.0, method)
    assert (u / alpha).sum() == pytest.approx((u0 / alpha).sum(), rel=1e-5)
    assert abs(u.sum() - u0.sum()) > 0.1  # the sum itself is no invariant of this form


@pytest.mark.parametrize(("method", "tolerance"), [("chebyshev", 1e-6), ("crank-nicolson", 1e-4)])
def test_without_diffusion_each_pixel_fades_on_its_own(method, tolerance):
    rng = np.random.default_rng(1)
    u0, beta = rng.random((40, 9)), rng.random((40, 9))
    u = propagate(u0, np.zeros(u0.shape), beta, 1.5, method, 0.02)
    np.testing.assert_allclose(u, u0 * np.exp(-1.5 * beta), atol=tolerance)


def test_small_map_agrees_with_the_dense_matrix_exponential():
    rng = np.random.default_rng(2)
    u0, alpha, beta = rng.random((7, 6)), rng.uniform(0, 3, (7, 6)), rng.random((7, 6))
    alpha[2:4] = 0
    # The operator written out pixel by pixel, without a flux over the border.
    a = np.zeros((42, 42))
    for y in range(7):
        for x in range(6):
            for v, w in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < 7 and 0 <= w < 6:
                    a[y * 6 + x, v * 6 + w] += alpha[y, x]
                    a[y * 6 + x, y * 6 + x] -= alpha[y, x]
            a[y * 6 + x, y * 6 + x] -= beta[y, x]
    np.testing.assert_allclose(operator(alpha, beta).toarray(), a, atol=1e-12)
    expected = (expm(5 * a) @ u0.ravel()).reshape(7, 6)
    np.testing.assert_allclose(propagate(u0, alpha, beta, 5), expected, atol=2e-6)


@pytest.mark.parametrize("duration", [0.01, 2.0, 40.0])
def test_large_map_in_boxes_agrees_with_float64(duration):
    rng = np.random.default_rng(3)
    u0 = (rng.random((150, 131)) < 0.2).astype(float)
    alpha, beta = np.zeros(u0.shape), np.zeros(u0.shape)
    alpha[:20, :9] = 3  # touches the border
    alpha[70:90, 60:75] = rng.uniform(0, 3, (20, 15))
    beta[88:120, 70:131] = rng.random((32, 61))
    assert len(moving_boxes((alpha > 0) | (beta > 0))) == 2
    u = propagate(u0, alpha, beta, duration)
    exact = expm_multiply(operator(alpha, beta) * duration, u0.ravel()).reshape(u0.shape)
    assert np.abs(u - exact).max() <= 1e-5
    assert np.abs(u - u0).max() > 1e-3
    still = (alpha == 0) & (beta == 0)
    np.testing.assert_allclose(u[still], u0[still], atol=1e-6)


def test_crank_nicolson_converges_at_second_order():
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:24, :24] / 24
    u0, alpha, beta = np.sin(3 * y + 2 * x) ** 2, 0.5 + y, rng.random((24, 24))
    exact = propagate(u0, alpha, beta, 1.0)
    coarse = np.abs(propagate(u0, alpha, beta, 1.0, "crank-nicolson", 0.5) - exact).max()
    fine = np.abs(propagate(u0, alpha, beta, 1.0, "crank-nicolson", 0.25) - exact).max()
    assert 3 < coarse / fine < 6


def test_no_time_changes_nothing_and_the_input_stays():
    u0 = np.eye(5)
    kept = u0.copy()
    np.testing.assert_array_equal(propagate(u0, np.ones((5, 5)), np.ones((5, 5)), 0.0), u0)
    assert not np.shares_memory(propagate(u0, np.ones((5, 5)), np.ones((5, 5)), 1.0), u0)
    np.testing.assert_array_equal(u0, kept)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="euler"):
        propagate(np.ones((3, 3)), np.ones((3, 3)), np.ones((3, 3)), 1.0, "euler")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    duration=st.floats(0.0, 10.0),
    strength=st.floats(0.0, 5.0),
)
def test_stays_between_zero_and_one_and_falls_with_absorption(
    seed, height, width, duration, strength
):
    rng = np.random.default_rng(seed)
    shape = height, width
    u0 = (rng.random(shape) < 0.5).astype(float)
    alpha = strength * rng.random(shape) * (rng.random(shape) < 0.5)
    beta = rng.random(shape) * (rng.random(shape) < 0.5)
    u = propagate(u0, alpha, beta, duration)
    more = propagate(u0, alpha, beta + rng.random(shape), duration)
    assert u.min() >= -1e-5
    assert u.max() <= 1 + 1e-5
    assert (more <= u + 1e-5).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 6))
def test_boxes_are_disjoint_and_hold_every_moving_pixel_with_a_still_rim(seed, count):
    rng = np.random.default_rng(seed)
    moving = np.zeros((90, 70), bool)
    for y, x in zip(rng.integers(0, 90, count), rng.integers(0, 70, count), strict=True):
        moving[y : y + rng.integers(1, 30), x : x + rng.integers(1, 30)] = True
    covered = np.zeros(moving.shape, int)
    for box in moving_boxes(moving):
        covered[box] += 1
        rows, columns = box
        inner = np.zeros(moving.shape, bool)
        inner[
            rows.start + (rows.start > 0) : rows.stop - (rows.stop < 90),
            columns.start + (columns.start > 0) : columns.stop - (columns.stop < 70),
        ] = True
        rim = np.zeros(moving.shape, bool)
        rim[box] = True
        assert not (moving & rim & ~inner).any()
    assert covered.max(initial=0) <= 1
    assert (covered[moving] == 1).all()
