"""Precomputed volumes, read by the library that writes them, and by the format's other reader."""

import json
import re
import sys

import numpy as np
import pytest

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.export.export import export_files
from napari_copnet.io.write import write_image
from napari_copnet.progress import finish
from napari_copnet.types import VoxelSize

SIZE, PLACE = VoxelSize(0.05, 0.01, 0.02), (1.0, 0.3, 0.4)
SHAPE = (19, 520, 1030)


@pytest.fixture(scope="module")
def labels():
    """More slices and pixels than a file of the volume has, and large numbers."""
    made = np.zeros(SHAPE, np.uint32)
    made[:, 40:300, 50:600] = 5
    made[3:18, 310:500, 7:1029] = 3_000_000_000
    made[18, 1:4, 1000:1030] = 70_001
    return made


@pytest.fixture(scope="module")
def volume(labels, tmp_path_factory):
    """Return the folder of an exported volume."""
    pytest.importorskip("tensorstore")
    folder = tmp_path_factory.mktemp("volume")
    file = write_image(folder / "cells.tif", labels, voxel_size=SIZE, translate=PLACE, kind="cells")
    record = finish(export_files(file, folder / "out", ["precomputed"]))
    return folder / "out" / "labels.precomputed", record


def test_it_opens_with_tensorstore_at_each_scale(volume, labels):
    import tensorstore

    folder, record = volume
    assert record["files"] == {"precomputed": str(folder)}
    for index, factor in enumerate((1, 2, 4)):
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": f"{folder}/"},
            "scale_index": index,
        }
        opened = tensorstore.open(spec, open=True).result()
        shown = np.asarray(opened[..., 0].read().result()).T
        np.testing.assert_array_equal(shown, labels[:, ::factor, ::factor])
        sizes = [unit.multiplier for unit in opened.dimension_units[:3]]
        assert sizes == pytest.approx([20 * factor, 10 * factor, 50])
        assert {unit.base_unit for unit in opened.dimension_units[:3]} == {"nm"}
        assert opened.domain.origin[:3] == (20 // factor, round(30 / factor), 20)


def test_each_file_is_what_the_format_says(volume, labels):
    compressed = pytest.importorskip("compressed_segmentation")
    folder, _ = volume
    info = json.loads((folder / "info").read_text())
    assert info["type"] == "segmentation" and info["data_type"] == "uint32"
    scale = info["scales"][0]
    assert scale["resolution"] == pytest.approx([20, 10, 50])
    seen = np.zeros_like(labels)
    for file in (folder / scale["key"]).iterdir():
        bounds = [
            int(n) for n in re.fullmatch(r"(\d+)-(\d+)_(\d+)-(\d+)_(\d+)-(\d+)", file.name).groups()
        ]
        starts = np.array(bounds[::2]) - scale["voxel_offset"]
        sides = np.array(bounds[1::2]) - bounds[::2]
        part = compressed.decompress(
            file.read_bytes(),
            volume_size=(*sides, 1),
            dtype=np.uint32,
            block_size=tuple(scale["compressed_segmentation_block_size"]),
            order="F",
        )[..., 0]
        x, y, z = (slice(start, start + side) for start, side in zip(starts, sides, strict=True))
        seen[z, y, x] = part.T
    np.testing.assert_array_equal(seen, labels)


def test_cells_have_their_properties(volume, labels):
    folder, _ = volume
    name = json.loads((folder / "info").read_text())["segment_properties"]
    said = json.loads((folder / name / "info").read_text())["inline"]
    assert said["ids"] == ["5", "70001", "3000000000"]
    values = {one["id"]: one["values"] for one in said["properties"]}
    counts = [int((labels == int(cell)).sum()) for cell in said["ids"]]
    assert values["voxels"] == counts and values["first_slice"] == [0, 18, 3]
    assert values["last_slice"] == [18, 18, 17]
    assert values["volume_um3"] == pytest.approx(np.array(counts) * np.prod(SIZE))


def test_without_the_package_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorstore", None)
    file = write_image(
        tmp_path / "c.tif", np.full((2, 9, 9), 7, np.uint32), voxel_size=SIZE, kind="cells"
    )
    with pytest.raises(CopnetError, match="tensorstore") as refused:
        finish(export_files(file, tmp_path / "out", ["precomputed"]))
    assert "napari-copnet[precomputed]" in refused.value.hint
    assert not (tmp_path / "out" / "labels.precomputed").exists()


def test_without_a_voxel_size_it_is_refused(tmp_path):
    pytest.importorskip("tensorstore")
    file = write_image(tmp_path / "c.tif", np.full((2, 9, 9), 7, np.uint32), kind="cells")
    with pytest.raises(InputError, match="voxel size is unknown"):
        finish(export_files(file, tmp_path / "out", ["precomputed"]))
