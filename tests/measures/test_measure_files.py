"""Tables on disk, from runs, sessions and label images; and the page that describes them."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from napari_copnet.errors import InputError, OutputError
from napari_copnet.foreign_text import plain_cell
from napari_copnet.io.write import write_image
from napari_copnet.measures.files import measure_files
from napari_copnet.measures.open_source import opened_source
from napari_copnet.measures.schema import MEASURED, TABLES
from napari_copnet.measures.table import Table, write_table
from napari_copnet.params import CellParams, MeasureParams, ReadParams
from napari_copnet.progress import finish
from napari_copnet.proofreading import edit_tools
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start
from napari_copnet.types import Stack, VoxelSize

ROOT = Path(__file__).parents[2]
SIZE = VoxelSize(0.05, 0.02, 0.01)


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def two_cells():
    closed = np.zeros((3, 12, 20), np.uint8)
    closed[:, :, 10] = 1
    cells = np.where(closed, 0, np.arange(20) // 10 + 1).astype(np.uint32)
    return closed, cells


@pytest.fixture
def run(tmp_path):
    """Return a run's folder at twice the size that the networks saw."""
    closed, cells = two_cells()
    folder = tmp_path / "run"
    write_image(folder / "closed.tif", closed, voxel_size=SIZE, kind="closed")
    write_image(folder / "cells.tif", cells, voxel_size=SIZE, translate=(1, 2, 3), kind="cells")
    write_image(folder / "contours.tif", closed * np.float32(0.75), kind="contours")
    shapes = {"original_shape": [3, 12, 20], "processed_shape": [3, 6, 10]}
    record = {
        "frame": {"results": "original", **shapes, "shifts": [[0, 0]] * 3},
        "settings": {"cells": {"mode": "linked"}},
        "models": {"contours": {"name": "a", "sha256": "b"}},
    }
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_the_tables_of_a_run(run, tmp_path):
    record = finish(measure_files(run, tmp_path / "out"))
    assert (record["cells"], record["pairs"], record["reach"]) == (2, 1, 10)
    assert record["inputs"]["models"]["contours"]["sha256"] == "b"
    cells = rows(record["files"]["cells.csv"])
    assert [row["cell"] for row in cells] == ["1", "2"]
    assert float(cells[0]["volume_um3"]) == pytest.approx(3 * 12 * 10 * 0.05 * 0.02 * 0.01)
    assert float(cells[0]["z_um"]) == pytest.approx(1.05)
    assert float(cells[1]["contour_mean"]) == pytest.approx(0.75)
    # Nothing is known of marks and edits.
    assert cells[0]["edited"] == "" and cells[0]["touches_border"] == "true"
    (pair,) = rows(record["files"]["pairs.csv"])
    assert float(pair["contact_area_um2"]) == pytest.approx(3 * 12 * 0.05 * 0.02)


def test_parquet_holds_the_same_with_units_and_definitions(run, tmp_path):
    record = finish(measure_files(run, tmp_path / "out", MeasureParams(surface=False)))
    for name in ("slices", "cells", "pairs", "population"):
        table = pyarrow.parquet.read_table(record["files"][f"{name}.parquet"])
        text = rows(record["files"][f"{name}.csv"])
        assert table.column_names == [column.name for column in TABLES[name]] == [*text[0]]
        for column in TABLES[name]:
            about = table.schema.field(column.name).metadata
            assert about[b"unit"].decode() == column.unit
            assert about[b"definition"].decode() == column.meaning
            for value, field in zip(table[column.name].to_pylist(), text, strict=True):
                told = field[column.name]
                if value is None:
                    assert told == ""
                elif column.kind == "number":
                    assert float(told) == pytest.approx(value)
                else:
                    assert told == str(value).lower()


def test_a_session_tells_of_edits_and_marks(tmp_path):
    closed, _ = two_cells()
    closed[1, 5, 10] = 0
    stack = Stack(np.zeros(closed.shape, np.uint8), SIZE)
    start = Start(closed, closed * np.float32(0.9), stack, cells=CellParams(min_size=0))
    with Session.create(tmp_path / "session", start) as session:
        session.apply(edit_tools.close_gap(session, [1], [(5, 10)]))
        session.apply(edit_tools.mark_cell(session, [2], (3, 15), "vessel"))
        assert session.wait_saved()
    record = finish(measure_files(tmp_path / "session", tmp_path / "out", formats=("csv",)))
    slices = rows(record["files"]["slices"])
    assert {row["slice"] for row in slices if row["edited"] == "true"} == {"1"}
    assert [row["touches_vessel"] for row in slices] == ["false"] * 4 + ["true"]
    assert all(row["doubtful_walls"].isdigit() for row in slices)
    (mark,) = rows(record["files"]["marks"])
    assert mark["mark"] == "vessel" and float(mark["area_um2"]) == pytest.approx(108 * 0.0002)


def test_a_label_image_and_a_voxel_size_by_hand(tmp_path):
    _, cells = two_cells()
    path = write_image(tmp_path / "labels.tif", cells, kind="cells")
    with opened_source(path, ReadParams(voxel_size="0.1,0.2,0.3")) as source:
        assert source.voxel_size == (0.1, 0.2, 0.3) and source.walls is None and source.in_3d
    with opened_source(path, params=MeasureParams(numbers="slice", reach=2)) as source:
        assert not source.in_3d and source.reach == 2


def test_what_is_no_label_image_is_refused(tmp_path, run):
    closed, _ = two_cells()
    mask = write_image(tmp_path / "mask.tif", closed)
    with pytest.raises(InputError, match="holds a mask"), opened_source(mask):
        pass
    (run / "cells.tif").unlink()
    with pytest.raises(InputError, match="no cells"), opened_source(run):
        pass


def test_a_file_of_others_stays(run, tmp_path):
    (tmp_path / "cells.csv").write_text("name,phone\n")
    with pytest.raises(OutputError, match="did not write"):
        finish(measure_files(run, tmp_path))
    assert not (tmp_path / "slices.csv").exists()
    (tmp_path / "cells.csv").unlink()
    finish(measure_files(run, tmp_path, MeasureParams(surface=False)))
    # One's own are replaced.
    finish(measure_files(run, tmp_path, MeasureParams(surface=False)))


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula(text, tmp_path):
    assert plain_cell(text) == "'" + text and plain_cell(-1) == -1 and plain_cell("a=1") == "a=1"
    table = Table("marks", {"slice": [0], "mark": [text], "pixels": [-3]})
    written = rows(write_table(table, tmp_path, "csv"))
    assert written[0]["mark"] == "'" + text and written[0]["pixels"] == "-3"


def test_the_page_defines_each_column():
    page = (ROOT / "docs" / "measures.md").read_text()
    for name in MEASURED:
        columns = TABLES[name]
        part = page[page.index(f"### {name}.csv") :].split("\n### ")[0].split("\n## ")[0]
        found = re.findall(r"^\| `(\w+)` \| (.*?) \| (.+) \|$", part, re.M)
        assert found == [(c.name, c.unit, c.meaning) for c in columns]
