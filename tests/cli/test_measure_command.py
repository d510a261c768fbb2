"""`copnet measure` and `copnet export` on small label images."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from napari_copnet.io.write import write_image
from napari_copnet.types import VoxelSize


@pytest.fixture
def labels(tmp_path):
    found = np.zeros((3, 20, 30), np.uint16)
    found[:, 2:18, 2:14], found[:, 2:18, 16:28] = 1, 2
    return write_image(tmp_path / "l.tif", found, voxel_size=VoxelSize(0.1, 0.1, 0.1), kind="cells")


def test_measure_writes_tables_and_says_how_many(labels, copnet, answer, tmp_path):
    record = answer("measure", labels, "--out", tmp_path / "a", "--format", "csv")
    assert (record["cells"], record["slice_cells"], record["pairs"]) == (2, 6, 1)
    with open(record["files"]["cells"]) as file:
        assert [row["slices"] for row in csv.DictReader(file)] == ["3", "3"]
    saved = json.loads((tmp_path / "a" / "measures.json").read_text())
    assert saved["settings"]["surface"] is True and saved["versions"]["python"]
    done = copnet("measure", labels, "--out", tmp_path / "b", "--no-surface", "--reach", "0")
    assert done.exit_code == 0 and "0 pairs" in done.stdout
    assert (tmp_path / "b" / "cells.parquet").is_file()
    record = answer("measure", labels, "--out", tmp_path / "c", "--numbers", "slice")
    assert record["cells"] is None and "linked" in record["notes"][0]


def test_export_writes_what_is_named(labels, copnet, answer, tmp_path):
    record = answer("export", labels, "--to", "rois, labels16,stl", "--out", tmp_path / "a")
    assert set(record["files"]) == {"rois", "labels16", "stl"}
    done = copnet("export", labels, "--to", "docx", "--out", tmp_path / "b", "--json")
    assert done.exit_code == 1 and "rois" in json.loads(done.stdout)["hint"]
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("format", ["tiff", "ome-zarr"])
def test_tables_and_exports_in_the_folder_of_results_are_no_hindrance(format, answer, tmp_path):
    mask = np.zeros((3, 24, 36), np.uint8)
    mask[:, ::8] = mask[:, :, ::9] = 1
    size = VoxelSize(0.1, 0.1, 0.1)
    closed = write_image(tmp_path / "closed.tif", mask, voxel_size=size, kind="closed")
    out, formats = tmp_path / "out", "rois,labels16,ome-zarr,stl,obj,ply"
    # As whole runs do, a step writes its results as one generation.
    command = ("cells", closed, "--format", format, "--out", out)
    first = answer(*command, "--min-size", 1)
    for _ in range(2):
        tables = answer("measure", out, "--out", out)["files"]
        exported = answer("export", out, "--to", formats, "--out", out)["files"]
    assert not set(exported.values()) & set(first["files"].values())
    for other in ("tiff", "ome-zarr"):
        again = answer(*command[:3], other, "--out", out, "--min-size", 60)
        assert again["cells"] < first["cells"]
        assert answer("measure", out, "--out", tmp_path / other)["cells"] == again["cells"]
    for path in (*tables.values(), *exported.values()):
        assert Path(path).exists()
