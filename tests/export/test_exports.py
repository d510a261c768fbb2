"""Exports, opened by the readers of their formats."""

import csv

import numpy as np
import pytest
import roifile
import tifffile
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.draw import polygon2mask

from napari_copnet.errors import InputError, OutputError
from napari_copnet.export.export import export_files
from napari_copnet.export.labels import colour, write_labels16
from napari_copnet.export.outlines import outlines
from napari_copnet.export.rois import rois_of
from napari_copnet.io.read import read_image
from napari_copnet.io.write import write_image
from napari_copnet.measures.source import Source
from napari_copnet.params import ReadParams
from napari_copnet.progress import finish
from napari_copnet.types import VoxelSize

SIZE, PLACE = VoxelSize(0.5, 0.1, 0.2), (10.0, 2.0, 1.0)


def filled(loops, shape):
    """Fill outlines by the even-odd rule at pixel centres."""
    mask = np.zeros(shape, bool)
    for loop in loops:
        # Centres lie half a pixel from the corners.
        mask ^= polygon2mask(shape, np.asarray(loop)[:, ::-1] - 0.5)
    return mask


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(bool, (6, 7), elements=st.booleans()))
def test_outlines_filled_are_the_mask(mask):
    if mask.any():
        loops = outlines(mask)
        assert np.array_equal(filled(loops, mask.shape), mask)
        areas = [
            0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
            for x, y in (loop.T.astype(int) for loop in loops)
        ]
        # Clockwise, with y downwards, counts as positive; holes are negative.
        assert sum(areas) == mask.sum()


def cells():
    labels = np.zeros((3, 20, 24), np.uint32)
    labels[:, 2:10, 3:12] = 5
    labels[1, 4:6, 5:8] = 0
    labels[:, 12:18, 3:20] = 70001
    labels[2, 3, 20] = labels[2, 6, 20] = 9
    return labels


@pytest.fixture
def file(tmp_path):
    return write_image(tmp_path / "l.tif", cells(), voxel_size=SIZE, translate=PLACE, kind="cells")


def test_rois_open_with_roifile(file, tmp_path):
    record = finish(export_files(file, tmp_path / "out", ["rois"]))
    rois = roifile.roiread(record["files"]["rois"])
    labels = cells()
    seen = np.zeros_like(labels)
    for roi in rois:
        cell, number = (int(part) for part in roi.name.split("-"))
        assert roi.position == number
        mask = filled(roi.coordinates(multi=True), labels.shape[1:])
        seen[number - 1][mask] = cell
        y, x = np.nonzero(mask)
        box = (roi.left, roi.top, roi.right, roi.bottom)
        assert box == (x.min(), y.min(), x.max() + 1, y.max() + 1)
    assert np.array_equal(seen, labels) and len(rois) == 7


def test_no_cells_no_rois():
    assert rois_of(np.zeros((4, 5), np.uint8), 0) == []


def test_labels_fit_16_bits(file, tmp_path):
    record = finish(export_files(file, tmp_path / "out", ["labels16"]))
    with tifffile.TiffFile(record["files"]["labels16"]) as image:
        labels = image.asarray()
    assert labels.dtype == np.uint16
    with open(record["files"]["numbers"]) as listed:
        numbers = {int(row["number"]): int(row["cell"]) for row in csv.DictReader(listed)}
    assert numbers == {1: 5, 2: 9, 3: 70001}
    back = np.array([0, *numbers.values()], np.uint32)[labels]
    assert np.array_equal(back, cells())
    stack = read_image(record["files"]["labels16"])
    assert stack.voxel_size == pytest.approx(SIZE) and stack.translate == pytest.approx(PLACE)


def test_labels_that_fit_keep_their_numbers(tmp_path):
    labels = np.minimum(cells(), 900)
    paths = finish(write_labels16(Source(labels), tmp_path / "cells16.tif"))
    assert len(paths) == 1 and np.array_equal(read_image(paths[0]).data, labels)


def test_ome_zarr_labels_open_with_their_reader(file, tmp_path):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Label, Reader

    record = finish(export_files(file, tmp_path / "out", ["ome-zarr"]))
    (node, *_) = Reader(parse_url(record["files"]["ome-zarr"]))()
    assert any(isinstance(spec, Label) for spec in node.specs)
    assert np.array_equal(np.asarray(node.data[0]), cells())
    shown = node.metadata["color"]
    assert shown[9] == pytest.approx([n / 255 for n in colour(9)])
    volume = np.prod(SIZE)
    assert node.metadata["properties"][5]["volume_um3"] == pytest.approx(210 * volume)
    assert node.metadata["properties"][9]["first_slice"] == 2
    assert read_image(record["files"]["ome-zarr"]).voxel_size == pytest.approx(SIZE)


@pytest.mark.parametrize("kind", ["stl", "obj", "ply"])
def test_meshes_open_closed_and_in_place(kind, file, tmp_path):
    record = finish(export_files(file, tmp_path / "out", [kind]))
    folder = tmp_path / "out" / f"meshes-{kind}"
    assert record["files"] == {kind: str(folder)}
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"cell-{n:06d}.{kind}" for n in (5, 9, 70001)]
    made = trimesh.load_mesh(folder / f"cell-070001.{kind}")
    assert made.is_watertight and made.is_winding_consistent
    assert made.volume == pytest.approx(3 * 6 * 17 * np.prod(SIZE), rel=0.06)
    centre = np.array([3 + 8, 12 + 2.5, 1]) * SIZE[::-1] + PLACE[::-1]
    assert made.bounds.mean(axis=0) == pytest.approx(centre, abs=0.01)
    if kind == "ply":
        assert made.visual.face_colors[0].tolist() == list(colour(70001))
    # Our own are replaced, those of others stay.
    finish(export_files(file, tmp_path / "out", [kind]))
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="did not write"):
        finish(export_files(file, tmp_path / "out", [kind]))


def test_what_can_not_be_exported_is_told(tmp_path):
    path = write_image(tmp_path / "l.tif", cells(), kind="cells")
    with pytest.raises(InputError, match="voxel size is unknown"):
        finish(export_files(path, tmp_path / "out", ["stl"]))
    finish(export_files(path, tmp_path / "out", ["stl"], ReadParams(voxel_size="1,1,1")))
    with pytest.raises(InputError, match="no format 'xyz'"):
        finish(export_files(path, tmp_path / "out", ["xyz"]))
    with pytest.raises(InputError, match="No format"):
        finish(export_files(path, tmp_path / "out", []))
    (tmp_path / "out" / "rois.zip").write_text("not ours")
    with pytest.raises(OutputError, match="did not write"):
        finish(export_files(path, tmp_path / "out", ["rois"]))
