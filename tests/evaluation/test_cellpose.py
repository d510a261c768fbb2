"""The real Cellpose, on a network of its own class with weights made here."""

import threading

import numpy as np
import pytest
from scipy import ndimage

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.evaluation.baselines.base import SliceBlock
from napari_copnet.evaluation.baselines.cellpose import Cellpose, contour_of
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.params import BaselineParams, DeviceParams
from napari_copnet.progress import finish

CPU = DeviceParams(device="cpu")


def test_the_contour_of_a_mask_parts_inside_from_outside():
    y, x = np.mgrid[:20, :20]
    disk = (y - 9) ** 2 + (x - 9) ** 2 <= 36
    contour = contour_of(disk)
    assert contour[disk].any() and not contour[~disk].any()
    assert ndimage.label(contour == 0)[1] == 2
    # As thin as that can be: every pixel of it touches what is outside.
    near = ndimage.binary_dilation(~disk)
    np.testing.assert_array_equal(contour > 0, disk & near)


@pytest.fixture
def cells():
    """Bright disks on dark ground, and the contours around them."""
    y, x = np.mgrid[:128, :128]
    inside = ((y % 64 - 31.5) ** 2 + (x % 64 - 31.5) ** 2) <= 27**2
    rng = np.random.default_rng(0)
    image = (100 * inside + rng.normal(0, 5, inside.shape)).astype(np.float32)
    return image, (~inside).astype(np.uint8)


def block(cells, count):
    image, contour = cells
    truth = np.stack([contour] * count)
    return SliceBlock(truth * np.float32(0.4), np.stack([image] * count), TrueStack(truth))


def test_a_missing_file_of_weights_is_said(tmp_path, monkeypatch):
    baseline = Cellpose(BaselineParams(cellpose_model=str(tmp_path / "cyto3")), CPU)
    with pytest.raises(InputError, match="no Cellpose weights"):
        baseline.weights()
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    with pytest.raises(InputError, match="no weights on this machine") as caught:
        Cellpose().weights()
    assert "--cellpose-model" in caught.value.hint
    (tmp_path / "cyto3").write_bytes(b"0")
    assert Cellpose().weights() == tmp_path / "cyto3"


def test_from_scratch_it_needs_no_file_but_training():
    scratch = BaselineParams(cellpose_model="scratch", cellpose_epochs=2)
    assert Cellpose(scratch, CPU).weights() is None
    untrained = BaselineParams(cellpose_model="scratch", cellpose_epochs=0)
    with pytest.raises(InputError, match="from scratch"):
        Cellpose(untrained, CPU).weights()


@pytest.mark.slow
def test_from_scratch_it_learns_cells(cells, tmp_path):
    pytest.importorskip("cellpose")
    baseline = Cellpose(BaselineParams(cellpose_model="scratch", cellpose_epochs=16), CPU)
    tuned = finish(baseline.tune(block(cells, 2), tmp_path / "work"))
    assert tuned["weights"] == "scratch" and tuned["labelled"] > 0.7, tuned


def test_another_cellpose_is_refused(monkeypatch):
    from napari_copnet.evaluation.baselines import cellpose

    monkeypatch.setattr(cellpose.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(cellpose.importlib.metadata, "version", lambda name: "4.2.1")
    with pytest.raises(CopnetError, match="is installed, but the baseline needs"):
        Cellpose().check()


@pytest.mark.slow
def test_a_network_of_its_class_is_fine_tuned_and_draws_contours(cells, tmp_path, monkeypatch):
    models = pytest.importorskip("cellpose.models")
    train = pytest.importorskip("cellpose.train")
    import torch

    torch.manual_seed(0)
    weights = tmp_path / "own-weights"
    fresh = models.CellposeModel(gpu=False, pretrained_model=False, mkldnn=False)
    fresh.net.save_model(str(weights))
    baseline = Cellpose(BaselineParams(cellpose_model=str(weights), cellpose_epochs=16), CPU)
    baseline.check()
    training = block(cells, 2)
    work = baseline.tune(training, tmp_path / "work")
    for progress in work:
        if progress.done >= 1:
            break
    work.close()  # in the second epoch of 16
    assert not (tmp_path / "work" / "cellpose" / "recipe.txt").exists()
    assert not any(thread.name == "Cellpose" for thread in threading.enumerate())
    tuned = finish(baseline.tune(training, tmp_path / "work"))
    assert tuned["labelled"] > 0.7, tuned
    masks = finish(baseline.apply(SliceBlock(training.contours[:1], training.image[:1]), tuned))
    fates = training.true.slice(0).fates(masks[0])
    assert fates.share(1) == pytest.approx(tuned["labelled"], abs=0.2)

    def no_training(*args, **kwargs):
        raise AssertionError("fine-tuned again")

    monkeypatch.setattr(train, "train_seg", no_training)
    assert finish(baseline.tune(training, tmp_path / "work")) == tuned
