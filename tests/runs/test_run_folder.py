import numpy as np
import pytest

from napari_copnet.errors import InputError
from napari_copnet.io.write import write_image
from napari_copnet.runs.run_folder import read_run


def test_results_of_any_format(tmp_path):
    data = np.ones((2, 3, 4), np.uint8)
    expected = {
        name: write_image(tmp_path / name, data, format=format, kind=name)
        for name, format in [("contours", "tiff"), ("closed", "nifti"), ("cells", "ome-zarr")]
    }
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "other.tif").touch()
    assert read_run(tmp_path) == {**expected, "run": tmp_path / "run.json"}


def test_no_run(tmp_path):
    with pytest.raises(InputError, match="no result"):
        read_run(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        read_run(tmp_path / "none")
