"""The commands on small files, with tiny networks: what they write, print and refuse."""

import json

import numpy as np
import pytest
import tifffile

from napari_copnet.io.read import read_stack
from napari_copnet.io.write import write_image
from napari_copnet.params import TissueParams
from napari_copnet.synthetic import make_tissue
from napari_copnet.types import VoxelSize

SIZE = VoxelSize(0.05, 0.01, 0.01)


@pytest.fixture
def stack(tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (3, 40, 48)).astype(np.uint8)
    return write_image(tmp_path / "in" / "stack.tif", image, voxel_size=SIZE)


@pytest.fixture
def contour_mask(tmp_path):
    mask = np.zeros((2, 40, 40), np.uint8)
    mask[:, 19:22] = 1
    mask[:, :, 19:22] = 1
    return write_image(tmp_path / "in" / "truth.tif", mask, voxel_size=SIZE, kind="closed")


def run_arguments(stack, out, tiny_models):
    return (
        "run",
        stack,
        "--out",
        out,
        "--size",
        32,
        "--device",
        "cpu",
        "--contour-model",
        tiny_models["contours"],
        "--closing-model",
        tiny_models["closing"],
        "--max-iterations",
        2,
    )


def test_run_writes_what_it_promises_in_the_frame_of_the_stack(
    answer, stack, tmp_path, tiny_models
):
    out = tmp_path / "out"
    before = stack.read_bytes()
    record = answer(*run_arguments(stack, out, tiny_models), "--keep-iterations")
    assert stack.read_bytes() == before
    assert {"contours", "closed", "cells", "iterations", "run.json"} <= set(record["files"])
    for name, kind in (("contours", np.float32), ("closed", np.uint8), ("cells", np.uint32)):
        written = read_stack(record["files"][name])
        assert written.shape == (3, 40, 48)
        assert written.data.dtype == kind
        assert written.voxel_size == pytest.approx(SIZE)
    assert set(np.unique(read_stack(record["files"]["closed"]).data)) <= {0, 1}
    assert len(record["changed"]) <= 2
    saved = json.loads((out / "run.json").read_text())
    assert saved["inputs"]["stack"]["sha256"]
    assert saved["settings"]["preprocess"]["size"] == 32
    assert saved["models"]["closing"]["name"] == "tiny-closing"
    assert "torch" in saved["versions"]
    steps = {"preprocess", "contours", "closing", "cells", "verdict"}
    assert saved["seconds"].keys() == steps
    # What the next run of the same stack needs.
    kept = {path.name for path in (out / "store").iterdir() if path.is_dir()}
    assert kept == saved["seconds"].keys()


def test_run_in_the_processed_frame_brings_its_image(answer, stack, tmp_path, tiny_models):
    record = answer(*run_arguments(stack, tmp_path / "out", tiny_models), "--frame", "processed")
    assert read_stack(record["files"]["cells"]).shape == (3, 27, 32)
    assert read_stack(record["files"]["image"]).shape == (3, 27, 32)


def test_run_resumes_from_finished_steps(answer, stack, tmp_path, tiny_models):
    arguments = run_arguments(stack, tmp_path / "out", tiny_models)
    answer(*arguments, "--resume")
    record = answer(*arguments, "--resume", "--min-size", 5)
    assert set(record["seconds"]) == {"cells", "verdict"}


def test_run_warns_of_cells_that_can_not_be_trusted(answer, copnet, stack, tmp_path, tiny_models):
    arguments = run_arguments(stack, tmp_path / "out", tiny_models)
    record = answer(*arguments)
    # Networks with random weights on noise.
    assert record["verdict"]["light"] == "red"
    assert record["verdict"]["reasons"]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["verdict"] == record["verdict"]
    # Said again where the run is there already, and not on standard output.
    again = copnet(*arguments)
    assert again.exit_code == 0
    assert "Warning (red)" in again.stderr
    assert record["verdict"]["reasons"][0]["says"][:40] in again.stderr.replace("\n", " ")
    assert "Warning" not in again.stdout


@pytest.mark.parametrize(("format", "suffix"), [("ome-zarr", ".ome.zarr"), ("nifti", ".nii.gz")])
def test_run_writes_other_formats(answer, stack, tmp_path, tiny_models, format, suffix):
    record = answer(*run_arguments(stack, tmp_path / "out", tiny_models), "--format", format)
    assert record["files"]["cells"].endswith(suffix)
    assert read_stack(record["files"]["cells"]).shape == (3, 40, 48)


def test_each_step_alone_leads_to_the_same_cells_as_the_run(answer, stack, tmp_path, tiny_models):
    whole = answer(*run_arguments(stack, tmp_path / "whole", tiny_models), "--frame", "processed")
    first = answer("preprocess", stack, "--out", tmp_path / "a", "--size", 32)
    assert first["frame"]["processed_shape"] == [3, 27, 32]
    second = answer(
        "contours",
        first["files"]["image"],
        "--out",
        tmp_path / "b",
        "--contour-model",
        tiny_models["contours"],
    )
    third = answer(
        "close",
        second["files"]["contours"],
        "--out",
        tmp_path / "c",
        "--closing-model",
        tiny_models["closing"],
        "--max-iterations",
        2,
    )
    fourth = answer("cells", third["files"]["closed"], "--out", tmp_path / "d")
    cells = [read_stack(r["files"]["cells"]).data for r in (whole, fourth)]
    assert np.array_equal(cells[0], cells[1])


@pytest.mark.slow
def test_simulate_makes_maps_that_the_seed_decides(answer, contour_mask, tmp_path):
    maps = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        record = answer(
            "simulate", contour_mask, "--out", tmp_path / name, "--per-slice", 2, "--seed", seed
        )
        maps.append(tifffile.imread(record["files"]["degraded"]))
    assert maps[0].shape == (2, 2, 40, 40)
    assert np.array_equal(maps[0], maps[1])
    assert not np.array_equal(maps[0], maps[2])
    assert maps[0].max() <= 1


def test_sample_makes_tissue_of_a_kind_with_its_truth(answer, tmp_path):
    record = answer(
        "sample", "--kind", "tumour", "--slices", 1, "--size", 96, "--cell-diameter", 1.5,
        "--membrane", 0.15, "--padding", 0.2, "--seed", 3, "--out", tmp_path,
    )  # fmt: skip
    params = TissueParams(
        kind="tumour", slices=1, size=96, cell_diameter=1.5, membrane=0.15, padding=0.2
    )
    made = make_tissue(params, 3)
    assert record["settings"]["kind"] == "tumour"
    for name, array in (
        ("image", made.stack.data),
        ("truth_contours", made.contours),
        ("truth_cells", made.cells),
        ("excluded", made.excluded),
    ):
        data = read_stack(record["files"][name]).data
        assert np.array_equal(np.asarray(data[:]), array), name


def test_evaluate_prints_the_scores_with_a_baseline_beside(answer, contour_mask, tmp_path):
    gap = read_stack(contour_mask).data.copy()
    gap[:, 19:22, 4:15] = 0
    baseline = write_image(tmp_path / "gap.tif", gap, kind="closed")
    scores = answer(
        "evaluate", "--pred", contour_mask, "--truth", contour_mask, "--baseline", baseline,
        "--slices", "1", "--out", tmp_path / "scores",
    )  # fmt: skip
    assert scores["labelled"] == 1.0
    assert scores["nsd"] == scores["cldice"] == 1.0
    assert scores["cells"] == 4
    assert [s["slice"] for s in scores["slices"]] == [1]
    assert scores["baseline"]["merged"] == 0.5
    assert scores["baseline"]["labelled"] == 0.5
    assert json.loads((tmp_path / "scores" / "scores.json").read_text())["labelled"] == 1.0


def test_evaluate_writes_tables_and_a_page(answer, copnet, contour_mask, tmp_path):
    truth = read_stack(contour_mask).data.copy()
    gap = truth.copy()
    gap[:, 19:22, 4:15] = 0
    baseline = write_image(tmp_path / "gap.tif", gap, kind="closed")
    iterations = write_image(
        tmp_path / "iterations.tif", np.stack([gap, truth]).astype(np.float32), kind="iterations"
    )
    scores = answer(
        "evaluate", "--pred", contour_mask, "--truth", contour_mask, "--baseline", baseline,
        "--iterations", iterations, "--slices", "1", "--out", tmp_path / "scores",
        "--csv", tmp_path / "my-cells.csv", "--report", tmp_path / "page.html",
    )  # fmt: skip
    assert scores["iterations"]["labelled"] == [0.5, 1.0]
    assert scores["files"].keys() == {"scores", "slices", "cells", "csv", "report"}
    cells = (tmp_path / "my-cells.csv").read_text()
    assert cells == (tmp_path / "scores" / "cells.csv").read_text()
    assert len(cells.splitlines()) == 5 and cells.splitlines()[1].startswith("1,1,")
    assert "4 true cells in 1 slices" in (tmp_path / "page.html").read_text()
    other = write_image(
        tmp_path / "other.tif", np.zeros((2, 1, 9, 9), np.float32), kind="iterations"
    )
    refused = copnet(
        "evaluate", "--pred", contour_mask, "--truth", contour_mask, "--iterations", other, "--json"
    )
    assert "iterations" in json.loads(refused.stdout)["error"]


def test_evaluate_takes_a_mask_of_cells_when_told(answer, copnet, contour_mask, tmp_path):
    cells = (read_stack(contour_mask).data == 0).astype(np.uint8) * 255
    path = write_image(tmp_path / "cells-mask.tif", cells, kind="closed")
    refused = copnet("evaluate", "--pred", contour_mask, "--truth", path, "--json")
    assert refused.exit_code == 1
    assert "invert" in json.loads(refused.stdout)["hint"]
    scores = answer("evaluate", "--pred", contour_mask, "--truth", path, "--invert")
    assert scores["labelled"] == 1.0


def test_models_are_listed_exported_and_imported(answer, tiny_models, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path / "models"))
    zipped = answer("model", "export", tiny_models["contours"], "--out", tmp_path / "m.zip")
    imported = answer("model", "import", zipped["files"]["model"])
    assert imported["name"] == "tiny-contours"
    names = [m["name"] for m in answer("model", "list")["models"]]
    assert "tiny-contours" in names
    shown = answer("model", "show", "tiny-contours", "--kind", "contours")
    assert shown["plan"]["dimensions"] == 2


def damaged(folder):
    """Yield (name, path, part of the sentence) of inputs that can't be used."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (3, 32, 32)).astype(np.uint8)

    def tiff(name, data, **options):
        tifffile.imwrite(folder / name, data, **{"photometric": "minisblack", **options})
        return folder / name

    (folder / "notes.tif").write_text("this is no image")
    yield "not an image", folder / "notes.tif", ""
    yield "missing", folder / "missing.tif", "missing.tif"
    yield "colour", tiff("rgb.tif", rng.integers(0, 255, (32, 32, 3)).astype(np.uint8),
                         photometric="rgb"), ""  # fmt: skip
    yield "one pixel", tiff("thin.tif", image[:, :1, :1]), "pixel"
    broken = image.astype(np.float32)
    broken[2, 3, 3] = np.nan
    yield "nan", tiff("nan.tif", broken), "2"
    whole = tiff("whole.tif", image)
    (folder / "cut.tif").write_bytes(whole.read_bytes()[:1500])
    yield "truncated", folder / "cut.tif", ""


CASES = ["not an image", "missing", "colour", "one pixel", "nan", "truncated"]


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_a_sentence_and_a_hint_and_nothing_is_written(
    copnet, tmp_path, tiny_models, case
):
    found = {name: (path, part) for name, path, part in damaged(tmp_path / "in")}
    path, part = found[case]
    out = tmp_path / "out"
    done = copnet(*run_arguments(path, out, tiny_models), "--json")
    assert done.exit_code == 1
    problem = json.loads(done.stdout)
    assert part in problem["error"]
    assert problem["error"].endswith(".")
    assert problem["hint"].endswith(".")
    assert "unexpected problem" not in problem["error"], "an unexpected exception came through"
    assert not out.exists()


def test_repair_fills_nan(answer, tmp_path, tiny_models):
    path = dict((n, p) for n, p, _ in damaged(tmp_path / "in"))["nan"]
    record = answer(*run_arguments(path, tmp_path / "out", tiny_models), "--repair")
    assert np.isfinite(read_stack(record["files"]["contours"]).data).all()


def test_one_slice_and_no_voxel_size_work(answer, tmp_path, tiny_models):
    rng = np.random.default_rng(2)
    path = tmp_path / "one.tif"
    tifffile.imwrite(path, rng.integers(0, 255, (40, 40)).astype(np.uint8))
    record = answer(*run_arguments(path, tmp_path / "out", tiny_models))
    assert record["inputs"]["stack"]["voxel_size"] == [None, None, None]
    assert read_stack(record["files"]["cells"]).voxel_size == VoxelSize()


def test_a_constant_slice_is_skipped_with_a_warning(answer, tmp_path, tiny_models):
    rng = np.random.default_rng(3)
    data = rng.integers(0, 255, (3, 40, 40)).astype(np.uint8)
    data[1] = 9
    path = write_image(tmp_path / "in" / "blank.tif", data)
    record = answer(*run_arguments(path, tmp_path / "out", tiny_models))
    assert record["blank_slices"] == [1]
    assert any("1" in note and "blank" in note for note in record["notes"])


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--contour-model", "nonesuch"), "nonesuch"),
        (("--closing-model", "nonesuch"), "nonesuch"),
        (("--closing-max-iterations", "0"), ""),
        (("--voxel-size", "1,2"), ""),
    ],
)
def test_wrong_options_stop_before_anything_is_written(
    copnet, stack, tmp_path, tiny_models, arguments, part
):
    out = tmp_path / "out"
    done = copnet(*run_arguments(stack, out, tiny_models), "--json", *arguments)
    assert done.exit_code != 0
    if done.exit_code == 1:
        assert part in json.loads(done.stdout)["error"]
    assert not out.exists()


def test_cuda_asked_and_absent_is_said(copnet, stack, tmp_path, tiny_models):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    arguments = list(run_arguments(stack, tmp_path / "out", tiny_models))
    arguments[arguments.index("cpu")] = "cuda"
    done = copnet(*arguments, "--json")
    assert done.exit_code == 1
    assert "CUDA" in json.loads(done.stdout)["error"]
    assert not (tmp_path / "out").exists()


def test_a_broken_model_is_said(copnet, stack, tmp_path, tiny_models):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.json").write_bytes((tiny_models["closing"] / "model.json").read_bytes())
    (broken / "weights.safetensors").write_bytes(b"not weights")
    arguments = list(run_arguments(stack, tmp_path / "out", tiny_models))
    arguments[arguments.index("--closing-model") + 1] = broken
    done = copnet(*arguments, "--json")
    assert done.exit_code == 1
    assert "weights" in json.loads(done.stdout)["error"]
    assert not (tmp_path / "out").exists()


def test_results_never_replace_the_input(copnet, stack, tiny_models):
    done = copnet(*run_arguments(stack, stack.parent, tiny_models), "--json")
    assert done.exit_code == 1
    assert "overwritten" in json.loads(done.stdout)["error"]
    assert [p.name for p in stack.parent.iterdir()] == ["stack.tif"]


def test_no_right_to_write_is_said_before_work(copnet, stack, tmp_path, tiny_models):
    (tmp_path / "taken").write_text("a file")
    done = copnet(*run_arguments(stack, tmp_path / "taken" / "out", tiny_models), "--json")
    assert done.exit_code == 1
    assert "can't be written" in json.loads(done.stdout)["error"]
