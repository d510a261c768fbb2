"""Examples on disk: split by blocks, readable by nnU-Net, written whole."""

import json

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_copnet.errors import InputError
from napari_copnet.params import DegradeParams, TissueParams
from napari_copnet.progress import finish
from napari_copnet.synthetic import make_tissue
from napari_copnet.training.cases import MARGIN, split_slices
from napari_copnet.training.dataset import prepare, read_cases
from napari_copnet.training.sources import Source, SyntheticTissue, describe_sources, parse_slices


def cells(shape=(40, 24, 32)):
    """Blocks of 8×8 pixels, each a cell of its own."""
    _, y, x = np.indices(shape)
    return (1 + y // 8 + 4 * (x // 8)).astype(np.uint16)


@pytest.fixture
def stack(tmp_path):
    rng = np.random.default_rng(0)
    tifffile.imwrite(tmp_path / "truth.tif", cells())
    tifffile.imwrite(tmp_path / "image.tif", rng.integers(0, 255, cells().shape).astype(np.uint8))
    return Source(truth=tmp_path / "truth.tif", image=tmp_path / "image.tif")


@given(st.sets(st.integers(0, 300), min_size=1))
def test_validation_keeps_its_distance(chosen):
    train, validation = split_slices(sorted(chosen), [])
    assert train
    assert set(train) | set(validation) <= chosen
    if len(chosen) < 10:
        assert set(train) == chosen
    for held in validation:
        assert held - max(train) >= MARGIN


def test_validation_too_near_is_refused():
    assert split_slices([0, 1, 2], [7, 8]) == ([0, 1, 2], [7, 8])
    with pytest.raises(InputError, match="too close"):
        split_slices([0, 1, 2], [6])


def test_slices_are_named_by_ranges():
    assert parse_slices("", 3) == [0, 1, 2]
    assert parse_slices("1-3, 7,2", 9) == [1, 2, 3, 7]
    assert parse_slices("0,6-", 9) == [0, 6, 7, 8]
    for wrong in ("a", "-3", "5-2", "9", "1,,2"):
        with pytest.raises(InputError):
            parse_slices(wrong, 9)


def test_nnunet_reads_what_is_written(stack, tmp_path):
    from nnunetv2.imageio.tif_reader_writer import Tiff3DIO
    from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets

    folder = finish(prepare("contours", [stack], tmp_path / "data", size=64))
    raw = folder / "nnUNet_raw" / "Dataset001_contours"
    files = get_filenames_of_train_images_and_targets(
        str(raw), json.loads((raw / "dataset.json").read_text())
    )
    cases = read_cases(folder)["cases"]
    assert set(files) == set(cases) == {"s00_xy_train", "s00_xy_validation"}
    image, _ = Tiff3DIO().read_images(files["s00_xy_train"]["images"])
    truth, _ = Tiff3DIO().read_seg(files["s00_xy_train"]["label"])
    # 40 slices: 6 validate, 5 − 1 lie between
    assert image.shape == truth.shape == (1, 30, 48, 64)
    np.testing.assert_allclose(image.mean(axis=(0, 2, 3)), 0, atol=1e-4)
    # borders of cells lie at every 16th pixel, 4 px wide
    assert truth[0, 0, 8, :].nonzero()[0].tolist() == [
        14,
        15,
        16,
        17,
        30,
        31,
        32,
        33,
        46,
        47,
        48,
        49,
    ]
    splits = folder / "nnUNet_preprocessed" / "Dataset001_contours" / "splits_final.json"
    assert json.loads(splits.read_text()) == [
        {"train": ["s00_xy_train"], "val": ["s00_xy_validation"]}
    ]


def test_planning_forks_no_processes(stack, tmp_path, monkeypatch):
    """Joining nnU-Net's pool of forked processes now and then never ends."""
    import multiprocessing

    from napari_copnet.params import TrainParams
    from napari_copnet.training import nnunet_trainer_plans

    folder = finish(prepare("contours", [stack], tmp_path / "data", size=64))
    monkeypatch.setattr(
        multiprocessing.process.BaseProcess, "start", lambda process: pytest.fail("a process")
    )
    plans, _ = nnunet_trainer_plans.plan(folder, TrainParams(size="small"))
    assert "2d" in plans["configurations"]


def test_planes_cut_the_training_block_only(stack, tmp_path):
    import dataclasses

    source = dataclasses.replace(stack, slices="0-9", validation="20-24", planes=("xy", "xz", "yz"))
    folder = finish(prepare("contours", [source], tmp_path / "data", size=0))
    shapes = {name: tuple(case["shape"]) for name, case in read_cases(folder)["cases"].items()}
    assert shapes == {
        "s00_xy_train": (10, 24, 32),
        "s00_xz_train": (24, 10, 32),
        "s00_yz_train": (32, 10, 24),
        "s00_xy_validation": (5, 24, 32),
    }


def test_closing_examples_are_degraded_contours(stack, tmp_path):
    folder = finish(
        prepare("closing", [stack], tmp_path / "data", size=64, degrade=DegradeParams())
    )
    raw = folder / "nnUNet_raw" / "Dataset001_closing"
    image = tifffile.imread(raw / "imagesTr" / "s00_xy_validation_0000.tif")
    truth = tifffile.imread(raw / "labelsTr" / "s00_xy_validation.tif")
    assert image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1
    assert image[truth == 1].mean() > image[truth == 0].mean()
    assert (image[truth == 1] < 0.5).any()
    assert json.loads((raw / "dataset.json").read_text())["channel_names"] == {"0": "noNorm"}


def test_real_maps_stand_beside_their_truth(stack, tmp_path):
    import dataclasses

    tifffile.imwrite(tmp_path / "map.tif", np.full(cells().shape, 51, np.uint8))
    source = dataclasses.replace(stack, contours=tmp_path / "map.tif")
    folder = finish(prepare("closing", [source], tmp_path / "data", size=0))
    cases = read_cases(folder)["cases"]
    assert all(case["given"] for case in cases.values())
    image = tifffile.imread(
        folder / "nnUNet_raw" / "Dataset001_closing" / "imagesTr" / "s00_xy_train_0000.tif"
    )
    np.testing.assert_allclose(image, 0.2, atol=1e-6)


def test_made_tissue_has_image_and_truth(tmp_path):
    params = TissueParams(slices=2, size=96, cell_diameter=1.5)
    folder = finish(
        prepare("contours", [SyntheticTissue(count=2, params=params)], tmp_path / "data", size=0)
    )
    cases = read_cases(folder)["cases"]
    assert [case["shape"] for case in cases.values()] == [[2, 96, 96]] * 2
    raw = folder / "nnUNet_raw" / "Dataset001_contours"
    truths = [tifffile.imread(path) for path in sorted((raw / "labelsTr").glob("*.tif"))]
    assert all(0.02 < truth.mean() < 0.6 for truth in truths)
    assert not np.array_equal(*truths)


def test_made_tissue_of_a_kind_leaves_padding_out(tmp_path):
    params = TissueParams(
        kind="tumour", slices=2, size=128, cell_diameter=1.5, membrane=0.15, padding=0.2
    )
    source = SyntheticTissue(count=2, seed=4, params=params)
    folder = finish(prepare("contours", [source], tmp_path / "data", size=0))
    raw = folder / "nnUNet_raw" / "Dataset001_contours"
    paths = zip(
        sorted((raw / "labelsTr").glob("*.tif")),
        sorted((raw / "imagesTr").glob("*.tif")),
        strict=True,
    )
    for number, (truth_path, image_path) in enumerate(paths):
        made = make_tissue(params, seed=4 + number)
        truth, image = tifffile.imread(truth_path), tifffile.imread(image_path)
        np.testing.assert_array_equal(truth == 2, made.ignored)
        np.testing.assert_array_equal(truth == 1, made.contours == 1)
        for plane, classes in zip(image, truth, strict=True):
            if (classes == 2).any():
                assert abs(plane[classes != 2].mean()) < 1e-3
                assert abs(plane[classes != 2].std() - 1) < 1e-3


def test_made_tissue_is_of_the_kind_asked_for(tmp_path, monkeypatch):
    asked = []

    def draw(rng, kind="neuropil"):
        asked.append(kind)
        return TissueParams(kind=kind, cell_diameter=1.5, membrane=0.15)

    monkeypatch.setattr("napari_copnet.synthetic.tissue.random_tissue_params", draw)
    source = SyntheticTissue(count=2, slices=1, size=96, kind="tumour")
    finish(prepare("contours", [source], tmp_path / "data", size=0))
    assert asked == ["tumour", "tumour"]
    assert describe_sources([source]) == ["2 synthetic stacks of tumour tissue, seed 0"]
    assert describe_sources([SyntheticTissue(count=2)]) == ["2 synthetic stacks, seed 0"]


def test_same_examples_are_kept_and_others_replaced(stack, tmp_path):
    folder = tmp_path / "data"
    finish(prepare("contours", [stack], folder, size=32))
    stamp = (folder / "cases.json").stat().st_mtime_ns
    finish(prepare("contours", [stack], folder, size=32))
    assert (folder / "cases.json").stat().st_mtime_ns == stamp
    finish(prepare("contours", [stack], folder, size=64))
    assert read_cases(folder)["cases"]["s00_xy_train"]["shape"][1:] == [48, 64]


def test_what_cannot_be_used_leaves_nothing(stack, tmp_path):
    import dataclasses

    tifffile.imwrite(tmp_path / "small.tif", np.zeros((9, 8, 8), np.uint8))
    wrong = [
        ("contours", dataclasses.replace(stack, image=None), "images"),
        ("contours", dataclasses.replace(stack, image=tmp_path / "small.tif"), "shape"),
        ("contours", dataclasses.replace(stack, slices="0-99"), "do not exist in a stack"),
    ]
    for kind, source, message in wrong:
        with pytest.raises(InputError, match=message):
            finish(prepare(kind, [source], tmp_path / "data"))
        assert not (tmp_path / "data").exists()
    assert not list(tmp_path.glob(".writing*"))
    with pytest.raises(InputError, match="nothing to train on"):
        finish(prepare("closing", [], tmp_path / "data"))
