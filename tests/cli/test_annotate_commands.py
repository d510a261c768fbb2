"""`copnet annotate`, `finetune` and the gallery commands of `model`, on drawn slices."""

import json

import numpy as np
import pytest
import tifffile

from made_networks import teachable_model
from napari_copnet.networks.package import adopt, find_model, load_package, save_package


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """An image with dark lines, and its contours; one slice has an island."""
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path / "models"))
    contour = np.zeros((21, 48, 48), np.uint8)
    contour[:, ::12] = contour[:, :, ::12] = 1
    contour[10, 5, 5] = 1
    image = (150 - 90 * contour).astype(np.uint8)
    for name, data in (("image", image), ("contours", contour)):
        tifffile.imwrite(tmp_path / f"{name}.tif", data, photometric="minisblack")
    return tmp_path


def test_slices_from_an_image_to_an_nnunet_dataset(drawn, answer, copnet):
    project = drawn / "project"
    made = answer(
        "annotate",
        "create",
        "--image",
        drawn / "image.tif",
        "--contours",
        drawn / "contours.tif",
        "--input-size",
        0,
        "--out",
        project,
    )
    assert made["shape"] == [21, 48, 48] and made["files"]["project"] == str(project)
    chosen = answer("annotate", "choose", project, "--every", 10)
    assert chosen["chosen"] == [0, 10, 20]
    needed = answer("annotate", "choose", project, "--by", "need", "--count", 2, "--dry")
    assert len(needed["proposed"]) == 2 and needed["chosen"] == [0, 10, 20]
    assert answer("annotate", "check", project)["findings"] == [
        {
            "slice": 10,
            "kind": "tiny island",
            "y": 5,
            "x": 5,
            "size": 1.0,
            "text": "A tiny piece of contour of 1 px.",
        }
    ]
    refused = copnet("annotate", "done", project, "0,10,20", "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["states"] == {"0": "done", "10": "in work", "20": "done"}
    assert answer("annotate", "done", project, "10", "--despite")["states"] == {"10": "done"}
    listed = answer("annotate", "slices", project)
    assert listed["counts"] == {"untouched": 0, "in work": 0, "done": 3}
    assert listed["slices"][1]["findings_left"] == 1
    assert answer("annotate", "reopen", project, "0")["states"] == {"0": "in work"}
    # slices that are not named are left as they are
    assert answer("annotate", "check", project, "0,20", "--remove-islands")["findings"] == []
    assert answer("annotate", "slices", project)["counts"]["done"] == 2
    assert answer("annotate", "check", project, "10", "--remove-islands")["findings"] == []
    assert answer("annotate", "check", project)["findings"] == []
    assert answer("annotate", "done", project, "10")["states"] == {"10": "done"}
    exported = answer("annotate", "export", project, "--out", drawn / "nn", "--number", 3)
    assert exported["cases"] == ["slice_0010", "slice_0020"]
    assert (drawn / "nn" / "nnUNet_raw" / "Dataset003_contours" / "dataset.json").exists()


def test_contours_and_reviewed_parts_come_from_files(drawn, answer, copnet):
    project = drawn / "project"
    answer("annotate", "create", "--image", drawn / "image.tif", "--out", project)
    part = np.zeros((48, 48), np.uint8)
    part[:, :24] = 1
    tifffile.imwrite(drawn / "part.tif", part)
    answer("annotate", "draw", project, "4-5", "--contours", drawn / "contours.tif")
    answer("annotate", "done", project, "4", "--reviewed", drawn / "part.tif")
    rows = {row["slice"]: row for row in answer("annotate", "slices", project)["slices"]}
    assert rows[4]["state"] == "done" and rows[4]["reviewed"] == 0.5
    assert rows[5]["state"] == "in work"
    plan = answer("finetune", project, "--dry", "--minutes", 3)
    assert plan["train"] == [4] and plan["held_out"] == [] and plan["minutes"] == 3
    nothing = copnet("annotate", "create", "--out", drawn / "other")
    assert nothing.exit_code == 1 and "nothing to annotate" in nothing.output


def test_finetune_asks_for_a_project_and_lists_what_waits(drawn, answer, copnet):
    assert answer("finetune", "--unfinished") == {"unfinished": []}
    done = copnet("finetune")
    assert done.exit_code == 1 and "nothing to train on" in done.output
    gone = copnet("finetune", "--resume", "gone")
    assert gone.exit_code == 1 and "no fine-tuning of gone" in gone.output


def test_a_model_is_adopted_discarded_restored_and_exported(drawn, answer, tiny_models):
    tiny = load_package(tiny_models["contours"])
    save_package(
        drawn / "models" / "mine",
        name="mine",
        kind="contours",
        plan=tiny.plan,
        weights=tiny.weights(),
        card={"parent": {"name": "default-contours", "sha256": "0"}},
    )

    def listed():
        return {model["name"]: model for model in answer("model", "list")["models"]}

    assert listed()["mine"]["parent"] == "default-contours"
    answer("model", "adopt", "mine")
    assert listed()["mine"]["adopted"] and not listed()["default-contours"]["adopted"]
    assert find_model("default", "contours").name == "mine"
    out = answer(
        "model",
        "export",
        "mine",
        "--format",
        "bioimageio",
        "--author",
        "Ada Lovelace",
        "--out",
        drawn / "zoo.zip",
    )
    assert out["files"]["model"] == str(drawn / "zoo.zip") and (drawn / "zoo.zip").exists()
    answer("model", "export", "mine", "--format", "folder", "--out", drawn / "given")
    assert load_package(drawn / "given").sha256 == tiny.sha256
    answer("model", "discard", "mine")
    assert "mine" not in listed() and listed()["default-contours"]["adopted"]
    assert [m["name"] for m in answer("model", "list", "--discarded")["models"]] == ["mine"]
    answer("model", "restore", "mine")
    assert "mine" in listed()


def test_contours_are_carried_to_the_slices_beside(drawn, answer, copnet):
    project = drawn / "project"
    contour = tifffile.imread(drawn / "contours.tif")
    contour[:10], contour[11:] = 0, 0
    contour[10, 5, 5] = 0
    tifffile.imwrite(drawn / "one.tif", contour, photometric="minisblack")
    paths = ("--image", drawn / "image.tif", "--contours", drawn / "one.tif", "--out", project)
    answer("annotate", "create", "--input-size", 0, *paths)
    nothing = copnet("annotate", "carry", project)
    assert nothing.exit_code == 1 and "no slice to carry from" in nothing.stderr
    answer("annotate", "done", project, "10")
    dry = answer("annotate", "carry", project, "--reach", 2, "--dry")
    assert dry["slices"] == [8, 9, 11, 12]
    found = answer("annotate", "carry", project, "--reach", 2)
    assert found["slices"] == [8, 9, 11, 12]
    assert found["carried"][0]["from"] == [10] and found["carried"][0]["cells"] == 16
    one = answer("annotate", "carry", project, "10", "--cell", "18,18", "--reach", 3)
    assert one["slices"] == [7, 8, 9, 11, 12, 13]
    outside = copnet("annotate", "carry", project, "10", "--cell", "12,12")
    assert outside.exit_code == 1 and "no cell" in outside.stderr


def test_next_learns_from_what_is_done_and_offers_a_slice(drawn, answer, tiny_models):
    adopt(teachable_model(tiny_models["contours"], drawn / "models" / "tiny"))
    project = drawn / "project"
    answer(
        "annotate",
        "create",
        "--image",
        drawn / "image.tif",
        "--contours",
        drawn / "contours.tif",
        "--input-size",
        0,
        "--out",
        project,
    )
    first = answer("annotate", "next", project)
    assert first["model"] is None and first["points"] == [] and not first["next"]["prefilled"]
    z = first["next"]["slice"]
    answer("annotate", "done", project, str(z), "--despite")
    second = answer("annotate", "next", project, "--minutes", 0.02, "--no-carry", "--adopt")
    assert [(one["z"], one["slices"]) for one in second["points"]] == [(z, 0)]
    assert second["model"] == second["adopted"] and second["model"].endswith("-round-1")
    assert second["next"]["slice"] != z and second["brought_nothing"] == 0
    assert find_model("default", "contours").name == second["model"]
    assert find_model(second["files"]["model"], "contours").card["command"].startswith("copnet")
