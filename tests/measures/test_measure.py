"""Tables against closed forms, scikit-image and cc3d, and what must not change them."""

import math

import cc3d
import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.measure import perimeter_crofton, regionprops
from solids import ellipsoid, spheroid_surface

from napari_copnet.lazy_array import LazyArray
from napari_copnet.measures import mesh
from napari_copnet.measures.contacts import Contacts
from napari_copnet.measures.measure import measure
from napari_copnet.measures.mesh import cell_mesh, smoothed, surface_and_sphericity, surface_of
from napari_copnet.measures.perimeter import perimeters
from napari_copnet.measures.source import Doubt, Source
from napari_copnet.measures.walls import touched
from napari_copnet.progress import finish
from napari_copnet.types import VoxelSize

VOXELS = [(1.0, 1.0, 1.0), (3.0, 1.0, 1.0), (2.0, 0.5, 1.0)]


def tables(labels, voxel=(1.0, 1.0, 1.0), surface=True, **rest):
    source = Source(np.asarray(labels), VoxelSize(*voxel), **rest)
    return finish(measure(source, surface=surface)).tables


def only(table):
    assert len(table) == 1
    return table.row(0)


@pytest.mark.parametrize("voxel", VOXELS)
def test_a_ball(voxel):
    radius = 20.0
    cell = only(tables(ellipsoid((radius,) * 3, voxel).astype(np.uint8), voxel)["cells"])
    assert cell["volume_um3"] == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.02)
    assert cell["surface_um2"] == pytest.approx(4 * math.pi * radius**2, rel=0.05)
    assert 0.95 < cell["sphericity"] <= 1
    assert cell["slices"] * voxel[0] == cell["extent_z_um"] == pytest.approx(40, abs=2 * voxel[0])
    assert not cell["touches_border"]


@pytest.mark.parametrize("voxel", VOXELS)
@pytest.mark.parametrize("radii", [(30.0, 12.0, 12.0), (12.0, 24.0, 24.0)])
def test_an_ellipsoid(radii, voxel):
    found = tables(ellipsoid(radii, voxel).astype(np.uint16), voxel)
    cell = only(found["cells"])
    assert cell["volume_um3"] == pytest.approx(4 / 3 * math.pi * np.prod(radii), rel=0.02)
    assert cell["surface_um2"] == pytest.approx(spheroid_surface(radii[1], radii[0]), rel=0.07)
    assert cell["sphericity"] < 0.95
    middle = found["slices"].numbers("area_um2").max()
    assert middle == pytest.approx(math.pi * radii[1] * radii[2], rel=0.04)


@pytest.mark.parametrize("voxel", VOXELS)
def test_a_box(voxel):
    labels = np.zeros((14, 34, 26), np.uint8)
    labels[2:12, 2:32, 2:24] = 1
    z, y, x = np.array([10, 30, 22]) * voxel
    cell = only(tables(labels, voxel, translate=(100.0, 10.0, 1.0))["cells"])
    assert cell["volume_um3"] == pytest.approx(z * y * x)
    # Edges are rounded by half a voxel.
    assert cell["surface_um2"] == pytest.approx(2 * (z * y + z * x + y * x), rel=0.05)
    centre = [cell["z_um"], cell["y_um"], cell["x_um"]]
    assert centre == pytest.approx(np.array([6.5, 16.5, 12.5]) * voxel + (100, 10, 1))
    row = tables(labels, voxel)["slices"].row(0)
    assert row["area_um2"] == pytest.approx(y * x)
    # Four directions take a square along the axes for shorter: by 5 % with square pixels.
    assert row["perimeter_um"] == pytest.approx(2 * (y + x), rel=0.1)
    assert row["solidity"] == 1


# Cells are grown into walls within slices.
@pytest.mark.parametrize(
    ("axis", "wall"), [(0, 0), (1, 0), (1, 3), (1, 10), (2, 0), (2, 3), (2, 10)]
)
def test_two_boxes_touch_on_one_side(axis, wall):
    labels = np.zeros((12, 40, 44), np.uint8)
    labels[2:10, 10:20, 12:20] = 1
    shape, voxel = [8, 10, 8], (0.05, 0.01, 0.02)
    first = [2, 10, 12]
    first[axis] += shape[axis] + wall
    if axis == 0:
        labels[2:6, 10:20, 12:20], shape[0] = 1, 4
        first[0] = 6
    place = tuple(slice(a, a + n) for a, n in zip(first, shape, strict=True))
    labels[place] = 2
    walls = np.zeros(labels.shape, bool)
    walls[2:10, 10:20, 12:44] = walls[2:10, 10:44, 12:20] = True
    # What was grown in its slices is larger on the sides that face z.
    found = tables(labels, voxel, walls=walls, reach=5 if axis else 0)
    sides = [n * v for n, v in zip(shape, voxel, strict=True)]
    area = np.prod([side for n, side in enumerate(sides) if n != axis])
    pair = only(found["pairs"])
    assert (pair["cell"], pair["neighbour"]) == (1, 2)
    assert pair["contact_area_um2"] == pytest.approx(area, rel=1e-6)
    assert found["cells"]["neighbours"].tolist() == [1, 1]
    assert found["cells"]["contact_area_um2"] == pytest.approx([area, area])


def test_cells_beyond_the_reach_are_no_neighbours():
    labels = np.zeros((1, 10, 40), np.uint8)
    labels[:, :, :10], labels[:, :, 21:] = 1, 2
    assert len(tables(labels, reach=5)["pairs"]) == 0
    assert len(tables(labels, reach=6)["pairs"]) == 1


def test_background_is_no_wall():
    labels = np.zeros((1, 10, 20), np.uint8)
    labels[:, :, :9], labels[:, :, 12:] = 1, 2
    assert len(tables(labels)["pairs"]) == 1
    assert len(tables(labels, walls=np.zeros(labels.shape, bool))["pairs"]) == 0


@settings(max_examples=10, deadline=None)
@given(arrays.arrays(np.uint32, (3, 7, 6), elements=st.integers(0, 4)))
def test_contacts_are_those_of_cc3d(labels):
    contacts = Contacts()
    for image in labels:
        contacts.add(image)
    pairs, faces = contacts.pairs()
    # cc3d has the axes x, y, z.
    theirs = cc3d.contacts(
        np.asfortranarray(labels.T), connectivity=6, surface_area=True, anisotropy=(2, 3, 5)
    )
    ours = {(int(a), int(b)): float(f @ [6, 10, 15]) for (a, b), f in zip(pairs, faces)}  # noqa: B905
    assert ours == pytest.approx({k: float(v) for k, v in theirs.items() if v})


def test_slices_are_those_of_scikit_image():
    rng = np.random.default_rng(1)
    labels = np.zeros((1, 60, 80), np.int64)
    labels[0, 5:20, 8:30] = 7
    labels[0, 30:55, 40:70] = np.where(rng.random((25, 30)) < 0.9, 900000, 0)
    found = tables(labels, (1, 0.5, 0.5), translate=(0, 1, 2))["slices"]
    assert found["cell"].tolist() == [7, 900000]
    for index, props in enumerate(regionprops(labels[0], spacing=(0.5, 0.5))):
        row = found.row(index)
        assert row["area_um2"] == pytest.approx(props.area)
        assert (row["y_um"] - 1, row["x_um"] - 2) == pytest.approx(props.centroid)
        assert row["major_axis_um"] == pytest.approx(props.axis_major_length)
        assert row["minor_axis_um"] == pytest.approx(props.axis_minor_length)
        assert row["solidity"] == pytest.approx(props.solidity)
        crofton = perimeter_crofton(labels[0] == props.label, directions=4) * 0.5
        assert row["perimeter_um"] == pytest.approx(crofton)


@pytest.mark.parametrize("pixel", [(1.0, 1.0), (2.0, 1.0), (0.5, 1.5)])
def test_the_perimeter_of_a_disk(pixel):
    y, x = np.ogrid[-60:61, -60:61]
    disk = ((y * pixel[0]) ** 2 + (x * pixel[1]) ** 2 <= 28.0**2).astype(np.uint8)
    assert perimeters(disk, 1, pixel)[1] == pytest.approx(2 * math.pi * 28, rel=0.02)


@pytest.mark.parametrize(("angle", "pixel"), [(0, 1), (30, 1), (90, 1), (135, 1), (60, 2)])
def test_orientation_counts_from_x_counter_clockwise(angle, pixel):
    y, x = np.mgrid[-40:41, -40:41].astype(float)
    along = x * np.cos(np.deg2rad(angle)) - y * pixel * np.sin(np.deg2rad(angle))
    across = x * np.sin(np.deg2rad(angle)) + y * pixel * np.cos(np.deg2rad(angle))
    bar = (np.abs(along) < 30.2) & (np.abs(across) < 4.2)
    row = only(tables(bar[None].astype(np.uint8), (1, pixel, 1), surface=False)["slices"])
    assert (row["orientation_deg"] - angle + 90) % 180 - 90 == pytest.approx(0, abs=1)
    assert row["elongation"] == pytest.approx(1 - 4 / 30, abs=0.02)


def some_labels(seed=0):
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 6, (4, 4, 5)), np.ones((2, 5, 4), int)).astype(np.uint32)


@settings(max_examples=4, deadline=None)
@given(st.floats(0.01, 20), st.integers(0, 99))
def test_sizes_scale_measures(factor, seed):
    labels = some_labels(seed)
    one = tables(labels, (3.0, 1.0, 2.0))
    more = tables(labels, (3 * factor, factor, 2 * factor))
    for name, table in one.items():
        if name == "population":
            continue
        for column in table.columns:
            power = {"µm": 1, "µm²": 2, "µm³": 3}.get(column.unit, 0)
            if column.name in table:
                expected = table.numbers(column.name) * factor**power
                assert more[name].numbers(column.name) == pytest.approx(
                    expected, rel=1e-6, abs=1e-9, nan_ok=True
                )


def test_other_numbers_are_the_same_cells():
    labels = some_labels()
    other = np.array([0, 50, 4, 3000, 7, 6], np.uint32)
    one, new = tables(labels), tables(other[labels])
    order = np.argsort(other[one["cells"]["cell"]])
    for column in one["cells"].columns:
        if column.name in one["cells"] and column.name != "cell":
            mine = one["cells"].numbers(column.name)[order]
            assert new["cells"].numbers(column.name) == pytest.approx(mine, nan_ok=True)
    assert sorted(new["pairs"]["contact_area_um2"]) == sorted(one["pairs"]["contact_area_um2"])


@settings(max_examples=15, deadline=None)
@given(arrays.arrays(np.uint8, (4, 9, 8), elements=st.integers(0, 3)))
def test_areas_times_thickness_are_the_volume(labels):
    found = tables(labels, (0.5, 0.25, 0.125), surface=False)
    for index, cell in enumerate(found["cells"]["cell"]):
        mine = found["slices"]["cell"] == cell
        area = found["slices"].numbers("area_um2")[mine].sum()
        assert found["cells"]["volume_um3"][index] == pytest.approx(area * 0.5)
        assert found["cells"]["slices"][index] == mine.sum()
        assert found["cells"]["voxels"][index] == (labels == cell).sum()


@settings(max_examples=15, deadline=None)
@given(arrays.arrays(np.uint8, (3, 6, 5), elements=st.integers(0, 2)))
def test_any_shape_has_a_surface_and_is_no_rounder_than_a_ball(labels):
    cells = tables(labels, (2.0, 1.0, 1.0))["cells"]
    if len(cells):
        assert (cells["surface_um2"] > 0).all()
        assert (cells["sphericity"] <= 1 + 1e-6).all() and (cells["sphericity"] >= 0).all()


@pytest.mark.parametrize("voxel", VOXELS)
def test_the_mesh_is_that_of_trimesh(voxel):
    mask = some_labels(3) == 2
    vertices, faces = surface_of(mask, voxel)
    made = trimesh.Trimesh(smoothed(vertices, faces, 0), faces, process=False)
    assert np.array_equal(made.vertices, vertices)
    assert made.is_watertight and made.is_winding_consistent and made.volume > 0
    area, sphericity = surface_and_sphericity(mask, voxel)
    assert area == pytest.approx(made.area)
    ball = math.pi ** (1 / 3) * (6 * made.volume) ** (2 / 3)
    assert sphericity == pytest.approx(ball / made.area)
    theirs = trimesh.smoothing.filter_taubin(made.copy(), 0.5, 0.53, 6)
    assert smoothed(vertices, faces, 6) == pytest.approx(theirs.vertices)


def test_a_large_crop_is_thinned_in_plane(monkeypatch):
    ball = ellipsoid((24.0,) * 3, (1, 1, 1))
    area, _ = surface_and_sphericity(ball, (1, 1, 1))
    monkeypatch.setattr(mesh, "MOST_VOXELS", ball.size // 3)
    thin, _ = surface_and_sphericity(ball, (1, 1, 1))
    assert thin == pytest.approx(area, rel=0.05) and thin != area
    centre = cell_mesh(ball, (1, 1, 1)).bounds.mean(axis=0)
    assert centre == pytest.approx([25, 25, 25], abs=0.6)


def test_lazy_labels_are_read_slice_by_slice():
    labels = some_labels()
    asked = []

    def plane(z):
        asked.append(z)
        return labels[z]

    lazy = LazyArray(labels.shape, labels.dtype, plane)
    found = finish(measure(Source(lazy, VoxelSize(1, 1, 1)))).tables
    assert asked == [*range(8), *range(8)]
    assert found["cells"]["surface_um2"] == pytest.approx(tables(labels)["cells"]["surface_um2"])


def test_unknown_sizes_leave_out_what_needs_them():
    source = Source(some_labels(), VoxelSize(None, 1.0, 1.0))
    made = finish(measure(source))
    assert "area_um2" in made.tables["slices"] and "volume_um3" not in made.tables["cells"]
    assert "--voxel-size" in made.notes[0]
    made = finish(measure(Source(some_labels())))
    assert "area_um2" not in made.tables["slices"] and "pixels" in made.tables["slices"]
    assert "neighbours" in made.tables["cells"]


@pytest.mark.parametrize("rest", [{"joined": False}, {"axes": "tyx"}])
def test_nothing_is_measured_in_3d_where_there_is_none(rest):
    made = finish(measure(Source(some_labels(), VoxelSize(1, 1, 1), **rest)))
    assert set(made.tables) == {"slices", "population"} and len(made.notes) == 1


def test_an_empty_stack_has_empty_tables():
    found = tables(np.zeros((2, 5, 6), np.uint8))
    assert len(found["slices"]) == len(found["cells"]) == len(found["pairs"]) == 0
    assert "area_um2" in found["slices"]


def test_marks_edits_doubts_and_contours():
    labels = np.zeros((2, 9, 21), np.uint8)
    labels[:, :, :10], labels[:, :, 11:] = 1, 2
    vessel = np.zeros(labels.shape, bool)
    vessel[0, 4:6, 18:] = True
    labels[vessel] = 0
    changed = np.zeros(labels.shape, bool)
    changed[1, 0, 10] = True
    contours = np.full(labels.shape, 0.1, np.float32)
    contours[0, :, 10], contours[1, :, 10] = 0.9, 0.5
    walls = np.zeros(labels.shape, bool)
    walls[:, :, 10] = True

    def doubts():
        yield from ()
        wall = np.ones((3, 1), bool)
        return {0: [Doubt(0, (2, 10), wall)], 1: [Doubt(0, (2, 10), wall)]}

    found = tables(
        labels,
        walls=walls,
        contours=contours,
        marks={"vessel": lambda z: vessel[z], "background": lambda z: vessel[z] & False},
        edited=lambda z: changed[z],
        find_doubts=doubts,
    )
    cells = found["cells"]
    assert cells["touches_vessel"].tolist() == [False, True]
    assert found["slices"]["edited"].tolist() == [False, False, True, True]
    assert cells["doubtful_walls"].tolist() == [1, 1]
    assert found["slices"]["doubtful_walls"].tolist() == [1, 1, 1, 1]
    assert cells["contour_mean"] == pytest.approx([0.7, 0.7])
    assert found["slices"]["contour_mean"] == pytest.approx([0.9, 0.9, 0.5, 0.5])
    assert found["marks"].row(0) == {"slice": 0, "mark": "vessel", "pixels": 6, "area_um2": 6.0}
    assert len(found["marks"]) == 1


def test_what_a_mask_touches():
    wide = np.array([[1, 1, 0, 2], [1, 1, 0, 2], [3, 3, 0, 4]])
    mask = np.zeros((3, 4), bool)
    mask[0, 2] = True
    assert touched(wide, mask).tolist() == [1, 2]
    assert touched(wide, np.ones((1, 1), bool), (2, 0)).tolist() == [1, 3]
    assert touched(wide, np.ones((1, 1), bool), (2, 3)).tolist() == [2, 4]
    assert touched(wide, np.zeros((3, 4), bool)).tolist() == []


def test_the_population_is_that_of_numpy():
    found = tables(some_labels())
    row = next(
        found["population"].row(n)
        for n in range(len(found["population"]))
        if found["population"]["measure"][n] == "volume_um3"
    )
    volumes = found["cells"]["volume_um3"]
    assert row["mean"] == pytest.approx(volumes.mean()) and row["n"] == volumes.size
    assert row["sd"] == pytest.approx(volumes.std(ddof=1)) and row["unit"] == "µm³"
