"""The parts of synthetic tissue against plain calculations of the same."""

import math

import numpy as np
import pytest

from napari_copnet.params import TissueParams
from napari_copnet.synthetic import organelles
from napari_copnet.synthetic.cortex_geometry import CortexLayout
from napari_copnet.synthetic.membranes import left_of, varied_half
from napari_copnet.synthetic.microscope import pad_borders
from napari_copnet.synthetic.noise import SmoothNoise
from napari_copnet.synthetic.sites import Nuclei, Sites, joined, nearest_sites, scatter, unit
from napari_copnet.synthetic.specks import without_specks
from napari_copnet.synthetic.tumour import Tumour


def some_sites(count, seed=0):
    rng = np.random.default_rng(seed)
    return Sites(
        rng.uniform(0, 60, (count, 3)).astype("f4"),
        unit(rng.standard_normal((count, 3))),
        rng.uniform(4, 20, count).astype("f4"),
        rng.uniform(1, 6, count).astype("f4"),
        np.arange(count),
    )


def metric_distance(point, sites, i):
    """Distance in the frame of the ellipsoid, axis by axis."""
    offset = point - sites.place[i].astype(float)
    along = offset @ sites.direction[i].astype(float)
    across = math.sqrt(max(offset @ offset - along**2, 0))
    short = sites.radius[i] * sites.length[i] ** (-1 / 3)
    return math.hypot(along / (short * sites.length[i]), across / short)


def test_each_point_belongs_to_the_site_nearest_in_its_own_metric():
    sites = some_sites(40)
    y, x = np.meshgrid(np.arange(70.0), np.arange(50.0), indexing="ij")
    z = np.full_like(y, 31.5)
    found, distance = nearest_sites(*(p.astype(np.float32) for p in (z, y, x)), sites)
    rng = np.random.default_rng(1)
    for r, c in zip(rng.integers(0, 70, 60), rng.integers(0, 50, 60), strict=True):
        point = np.array([31.5, r, c])
        all_of_them = [metric_distance(point, sites, i) for i in range(40)]
        assert distance[r, c] == pytest.approx(min(all_of_them), rel=1e-3)
        assert all_of_them[found[r, c]] == pytest.approx(min(all_of_them), rel=1e-3)


def test_ellipsoids_are_as_large_as_balls_of_their_radius():
    sites = some_sites(5)
    a, b = sites.metric()
    # Half axes 1/sqrt(a), twice, and 1/sqrt(a - b).
    volume = 1 / (a * np.sqrt(a - b))
    np.testing.assert_allclose(volume, sites.radius**3, rtol=1e-3)


def test_sites_are_joined_taken_and_renumbered():
    both = joined([some_sites(3), some_sites(2, 1)])
    assert both.cell.tolist() == [0, 1, 2, 3, 4]
    assert both.taken(np.array([1, 4])).renumbered().cell.tolist() == [0, 1]


def test_scattered_points_fill_the_box_evenly():
    low, high = np.array([0.0, 0, 0]), np.array([40.0, 80, 80])
    points = scatter(low, high, 5.0, np.random.default_rng(0))
    assert (points >= low).all() and (points <= high).all()
    assert len(points) == pytest.approx(40 * 80 * 80 / 5**3, rel=0.1)
    halves = (points[:, 1] < 40).mean(), (points[:, 2] < 40).mean()
    np.testing.assert_allclose(halves, 0.5, atol=0.06)


def test_depth_in_a_nucleus_and_its_nucleolus():
    sites = Sites(
        np.array([[0, 20, 20]], "f4"),
        np.array([[0, 0, 1]], "f4"),
        np.array([10], "f4"),
        np.array([1], "f4"),
        np.array([0]),
    )
    nuclei = Nuclei(sites, np.array([[[0, 0, 4, 3]]], np.float32))
    y, x = (p.astype(np.float32) for p in np.meshgrid(np.arange(40), np.arange(40), indexing="ij"))
    cells = np.ones((40, 40), np.uint32)
    cells[:, 30:] = 7  # no cell of the list: it has no nucleus
    depth, inner = nuclei.depths(np.zeros_like(y), y, x, cells)
    away = np.hypot(y - 20, x - 20)
    mine = cells == 1
    np.testing.assert_allclose(depth[mine & (away > 0)], 10 - away[mine & (away > 0)], atol=0.02)
    assert (depth[~mine] == -99).all()
    assert inner[20, 24] == pytest.approx(3) and inner[20, 20] == pytest.approx(-1)


def test_noise_at_points_is_the_noise_of_slices():
    noise = SmoothNoise(np.random.default_rng(0), (0, 0, 0), (5, 20, 20), (2, 3, 4))
    points = np.random.default_rng(1).uniform(0, 5, (20, 3))
    each = [noise.at(p[0], p[1:2], p[2:])[0, 0] for p in points]
    np.testing.assert_allclose(noise.at_points(points), each, atol=1e-5)


def test_specks_go_to_what_lies_around_them():
    regions = np.ones((20, 20), np.uint32)
    regions[:, 10:] = 2
    clean = regions.copy()
    regions[4:6, 4:6] = 3
    regions[8:10, 14:16] = 1  # a piece of a large region, cut off from it
    np.testing.assert_array_equal(without_specks(regions, 5), clean)
    np.testing.assert_array_equal(without_specks(regions, 4), regions)


def test_bodies_show_in_the_region_of_their_centre_and_where_it_is_crowded():
    bodies = np.zeros(1, organelles.BODY)
    for name, value in (
        ("z", 0), ("y", 10), ("x", 10), ("reach", 6), ("cosine", 1), ("long", 6), ("short", 4),
        ("chance", 0.5), ("level", -50), ("period", 1), ("rim_width", 1),
    ):  # fmt: skip
        bodies[name] = value
    regions = np.ones((20, 20), np.uint32)
    regions[:, 12:] = 2
    lines = np.arange(20.0)
    crowded = np.array([0, 0.6, 1], np.float32)
    depth, number, along = organelles.depths(bodies, 0.0, lines, lines, regions, crowded)
    assert depth[10, 10] == pytest.approx(4) and depth[10, 5] == pytest.approx(1)
    assert depth[12, 10] == pytest.approx(2) and along[10, 7] == pytest.approx(-3)
    assert (depth[:, 12:] == -9).all()
    for plane, crowding in ((7.0, crowded), (0.0, np.array([0, 0.4, 1], np.float32))):
        none, *_ = organelles.depths(bodies, plane, lines, lines, regions, crowding)
        assert (none == -9).all()
    grey = np.full((20, 20), 100, np.float32)
    organelles.paint(grey, bodies, depth, number, along, 120.0, np.zeros_like(grey))
    assert grey[10, 10] == pytest.approx(70) and grey[1, 1] == 100 and grey[10, 12] == 100


def test_membranes_fade_on_the_share_asked_for():
    noise = np.random.default_rng(0).standard_normal(20000)
    for share in (0.0, 0.3, 1.0):
        assert (left_of(noise, share) < 0.5).mean() == pytest.approx(share, abs=0.02)
    half = varied_half(4.0, noise)
    assert half.min() >= 1.7 - 1e-6 and half.max() <= 2.4 + 1e-6
    assert half.mean() == pytest.approx(2, abs=0.02)


def test_borders_are_no_wider_than_asked_and_none_when_none_is_asked():
    for seed in range(20):
        padding, value = pad_borders((3, 60, 80), 0.2, np.random.default_rng(seed))
        assert 0 <= value <= 255
        assert not padding[:, 20:40, 26:54].any()
    assert not pad_borders((2, 30, 30), 0.0, np.random.default_rng(1))[0].any()


def test_nuclei_are_no_contours_and_myelin_is():
    params = TissueParams(kind="tumour", slices=1, size=256, cell_diameter=3.0, membrane=0.15)
    block = Tumour(params, np.random.default_rng(2), 1.0)
    lines = np.arange(256.0)
    geometry = block.layout.slice(1.0, lines, lines)
    made = block.slice(0.5, lines, lines, np.random.default_rng(0))
    envelope = (np.abs(geometry.nucleus) < 1) & (geometry.distance > 5)
    assert envelope.sum() > 50 and not made.contour[envelope].any()
    for seed in range(20):
        params = TissueParams(kind="cortex", slices=1, size=200, cell_diameter=1.5, vessel=False)
        layout = CortexLayout(params, np.random.default_rng(seed), 1.0)
        geometry = layout.slice(1.0, lines[:200], lines[:200])
        if (geometry.myelin > 3).any():
            wrapped = geometry.myelin > 0
            assert (geometry.distance[wrapped] < 0.5 * layout.diameter).all()
            return
    pytest.fail("no myelin in twenty blocks")
