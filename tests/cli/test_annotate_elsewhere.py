"""Slices annotated in other programs become those of a project, from the files they write."""

import json

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from napari_copnet.teaching.project import Project
from napari_copnet.training.truth import IGNORE

SIDE, DEPTH = 64, 5


def cells():
    """Four touching cells in the upper left, and nothing annotated beyond."""
    found = np.zeros((SIDE, SIDE), np.uint16)
    for number in range(4):
        y, x = 4 + 16 * (number // 2), 4 + 16 * (number % 2)
        found[y : y + 16, x : x + 16] = number + 1
    return found


@pytest.fixture
def project(tmp_path, answer):
    image = np.random.default_rng(0).integers(0, 255, (DEPTH, SIDE, SIDE)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "image.tif", image, photometric="minisblack")
    options = ("--image", tmp_path / "image.tif", "--input-size", 0, "--out", tmp_path / "project")
    answer("annotate", "create", *options)
    return tmp_path / "project"


def fiji(folder):
    stack = np.zeros((DEPTH, SIDE, SIDE), np.uint16)
    stack[3] = cells()
    tifffile.imwrite(folder / "labels.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    return folder / "labels.tif"


def cellpose(folder):
    np.save(folder / "a_seg.npy", {"masks": cells(), "outlines": cells(), "flows": []})
    return folder / "a_seg.npy"


def ilastik(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        made = file.create_dataset("exported_data", data=cells()[..., None])
        made.attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in "yxc"]})
    return folder / "a.h5"


def webknossos(folder):
    """As a volume annotation is downloaded as Zarr: channel, then x, y, z by name."""
    root = zarr.open_group(folder / "a.zarr", mode="w", zarr_format=2)
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "nanometer"} for name in "xyz"]
    data = np.zeros((1, SIDE, SIDE, DEPTH), np.uint32)
    data[0, :, :, 3] = cells().T
    root.create_array("1", data=data)
    scale = [{"type": "scale", "scale": [1.0, 4.0, 4.0, 30.0]}]
    datasets = [{"path": "1", "coordinateTransformations": scale}]
    root.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    return folder / "a.zarr"


@pytest.mark.parametrize("program", [fiji, cellpose, ilastik, webknossos])
def test_labels_of_other_programs_are_the_cells_of_a_slice(project, tmp_path, answer, program):
    path = program(tmp_path)
    whole = program in (fiji, webknossos)
    # The slices in which a whole stack has something need not be named.
    where = () if whole else ("3",)
    drawn = answer("annotate", "draw", project, *where, "--contours", path)
    assert drawn["slices"] == [3]
    with Project.open(project) as opened:
        found = opened.session.ids(3)
        inside = found > 0
        pairs = np.unique(np.stack([cells()[inside], found[inside]]), axis=1)
        # One to one, and where nothing is labelled there is no cell.
        assert pairs.shape[1] == 4 and pairs[0].tolist() == [1, 2, 3, 4]
        assert opened.state(3) == "in work" and opened.state(2) == "untouched"
        assert (opened.session.marks[3][40:, 40:] > 0).all()
        assert len(opened.session.history) == 1
        opened.session.undo()
        assert not opened.session.contour[3].any() and not opened.session.marks[3].any()


def test_what_was_not_labelled_can_be_unknown(project, tmp_path, answer):
    answer("annotate", "draw", project, "2", "--contours", cellpose(tmp_path), "--labelled-only")
    answer("annotate", "done", project, "2", "--despite")
    with Project.open(project) as opened:
        truth = opened.truth(2)
        assert (truth[45:, 45:] == IGNORE).all() and not opened.session.marks[2].any()
        assert set(np.unique(truth[6:34, 6:34])) == {0, 1}


def test_what_does_not_fit_is_told(project, tmp_path, copnet):
    def error(*arguments):
        done = copnet("annotate", "draw", project, *arguments)
        assert done.exit_code == 1
        return done.output

    assert "has 1 slice, the project 5" in error("--contours", cellpose(tmp_path))
    assert "neither contours nor cells" in error("2", "--contours", fiji(tmp_path))
    tifffile.imwrite(tmp_path / "small.tif", cells()[:40])
    assert "40 × 64 px" in error("2", "--contours", tmp_path / "small.tif")
    # Two values can be a mask or one cell; a person knows.
    one = np.zeros((SIDE, SIDE), np.uint8)
    one[8:40, 8:40] = 2
    tifffile.imwrite(tmp_path / "one.tif", one)
    assert "can be a contour mask or cell" in error("2", "--contours", tmp_path / "one.tif")
    done = copnet(
        "annotate", "draw", project, "2", "--contours", tmp_path / "one.tif", "--kind", "labels"
    )
    assert done.exit_code == 0
