"""There and back: a dataset of ours, trained by nnU-Net's own commands, is a model of ours."""

import shlex
import subprocess
import sys

import numpy as np
import pytest
import tifffile

# Each runs in a process of its own, as in a terminal. Beside a torch for the CPU, torchvision from
# the package index can't load its library, and nnU-Net's search for trainers imports it: it needs
# no more than the names of two operators that no network here uses.
RUN = """
import sys, torch
from importlib.metadata import entry_points
try:
    import torchvision
except RuntimeError:
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
(command,) = entry_points(group="console_scripts", name=sys.argv[1])
sys.argv = sys.argv[1:]
command.load()()
"""
SLICES, DONE, SIDE = 13, (0, 3, 6, 9, 12), 64
TRAINER = "nnUNetTrainer_1epoch"


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Dark lines that move from slice to slice, in noise; and their contours."""
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path / "models"))
    z, y, x = np.indices((SLICES, SIDE, SIDE))
    contour = (((x + z) % 16 < 2) | ((y - 2 * z) % 19 < 2)).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 20, contour.shape)
    image = (150 - 70.0 * contour + noise).clip(0, 255).astype(np.uint8)
    for name, data in (("image", image), ("contours", contour)):
        tifffile.imwrite(tmp_path / f"{name}.tif", data, photometric="minisblack")
    return tmp_path


@pytest.fixture
def nnunet(monkeypatch):
    """Run a command of nnU-Net's, in one process where it lets us choose."""
    for name, value in (
        ("nnUNet_n_proc_DA", "1"),
        ("nnUNet_def_n_proc", "1"),
        ("OMP_NUM_THREADS", "1"),
        ("OMP_WAIT_POLICY", "PASSIVE"),
    ):
        monkeypatch.setenv(name, value)

    def call(*words):
        done = subprocess.run(
            [sys.executable, "-c", RUN, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )
        assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]

    return call


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_model_that_nnunet_trained_predicts_here_what_it_predicts_there(
    drawn, answer, copnet, nnunet, monkeypatch
):
    project, dataset = drawn / "project", drawn / "dataset"
    answer(
        "annotate", "create", "--image", drawn / "image.tif", "--contours",
        drawn / "contours.tif", "--input-size", 0, "--out", project,
    )  # fmt: skip
    part = np.ones((SIDE, SIDE), np.uint8)
    part[:, 50:] = 0
    tifffile.imwrite(drawn / "part.tif", part)
    # Lines that end at the border of the part are the checks' business, not this test's.
    answer("annotate", "done", project, ",".join(map(str, DONE)), "--despite")
    answer("annotate", "done", project, "3", "--reviewed", drawn / "part.tif", "--despite")
    exported = answer("annotate", "export", project, "--out", dataset)

    # The commands that were printed, with the shortest trainer that nnU-Net has, on the CPU.
    *homes, plan, train, back = (shlex.split(line, comments=True) for line in exported["commands"])
    for word, home in homes:
        assert word == "export"
        monkeypatch.setenv(*home.split("="))
    nnunet(*plan, "-np", 1, "-npfp", 1)
    # The planner takes no 0; the trainer then augments in its own process.
    monkeypatch.setenv("nnUNet_n_proc_DA", "0")
    nnunet(*train, "-tr", TRAINER, "-device", "cpu")
    folder = back[3].replace("nnUNetTrainer", TRAINER)
    archive = drawn / "model.zip"
    nnunet("nnUNetv2_export_model_to_zip", "-d", 1, "-o", archive, "-c", "2d", "-tr", TRAINER,
           "-f", 0)  # fmt: skip
    assert back[:3] == ["copnet", "model", "import"]
    model = answer(*back[1:3], folder, *back[4:])
    zipped = answer("model", "import", archive, "--name", "zipped")
    assert model["name"] == "dataset001_contours" and model["sha256"] == zipped["sha256"]

    # It knows what it has learnt from: it can neither be compared on it nor make maps of it.
    card = answer("model", "show", model["name"])["card"]
    assert card["learnt"][0]["slices"] == [0, 3, 6] and card["learnt"][0]["held_out"] == [12]
    refused = copnet(
        "annotate", "export", project, "--kind", "closing", "--model", model["name"],
        "--out", drawn / "closing",
    )  # fmt: skip
    assert refused.exit_code == 1 and "was trained on slices 0, 3, 6" in refused.output

    # The same slices by nnU-Net and by us, mirrored copies averaged by both.
    images = dataset / "nnUNet_raw" / exported["dataset"] / "imagesTr"
    theirs = drawn / "theirs"
    nnunet(
        "nnUNetv2_predict", "-i", images, "-o", theirs, "-d", 1, "-c", "2d", "-f", 0,
        "-tr", TRAINER, "-npp", 1, "-nps", 1, "-device", "cpu", "--save_probabilities",
    )  # fmt: skip
    cases = [f"slice_{z:04d}" for z in DONE]
    mask = np.stack([tifffile.imread(theirs / f"{case}.tif") for case in cases]).squeeze()
    likely = np.stack([np.load(theirs / f"{case}.npz")["probabilities"][1, 0] for case in cases])
    slices = np.stack([tifffile.imread(images / f"{case}_0000.tif") for case in cases]).squeeze()
    tifffile.imwrite(drawn / "slices.tif", slices, photometric="minisblack")
    one_step = answer("contours", drawn / "slices.tif", "--contour-model", model["name"],
                      "--mirror", "--precision", "float32", "--out", drawn / "ours")  # fmt: skip
    # The whole way, from the stack that was annotated.
    run = answer("run", drawn / "image.tif", "--contour-model", model["name"], "--mirror",
                 "--precision", "float32", "--size", 0, "--no-align", "--max-iterations", 1,
                 "--out", drawn / "run")  # fmt: skip
    ours = tifffile.imread(one_step["files"]["contours"])
    whole = tifffile.imread(run["files"]["contours"])[list(DONE)]
    assert 0.05 < mask.mean() < 0.6, "it has learnt something"
    for values in (ours, whole):
        same = float(((values > 0.5) == (mask > 0)).mean())
        apart = float(np.abs(values - likely).max())
        print(f"pixels the same: {100 * same:.3f} %; probabilities at most {apart:.2g} apart")
        assert same >= 0.999 and apart < 0.02
