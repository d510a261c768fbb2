"""Annotated slices as training data: split by blocks, compact on disk, and nnU-Net's own form."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from conftest import begin, grid
from napari_copnet.errors import InputError, OutputError
from napari_copnet.networks.package import load_package, save_package
from napari_copnet.networks.provenance import provenance_card
from napari_copnet.progress import finish
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.teaching import annotated_dataset
from napari_copnet.teaching.model_comparison import comparable_slices
from napari_copnet.teaching.nnunet_export import export_nnunet
from napari_copnet.teaching.project import Project
from napari_copnet.training.dataset import prepare, read_cases


@pytest.mark.parametrize(
    ("done", "train", "held"),
    [
        ([0], [0], []),
        ([0, 10], [0, 10], []),
        ([0, 10, 20], [0, 10], [20]),
        # 15 % of ten are two, and both lie in one block
        (range(0, 100, 10), range(0, 80, 10), [80, 90]),
        # neighbours of the block are left out
        ([0, 10, 17, 20], [0, 10], [20]),
        # nothing can be kept apart from neighbours
        ([3, 4, 5, 6], [3, 4, 5, 6], []),
    ],
)
def test_the_last_block_is_kept_apart_with_a_margin(done, train, held):
    parts = annotated_dataset.split(list(done))
    assert (list(parts.train), list(parts.held_out)) == (list(train), list(held))
    assert parts.text.endswith(".")
    everything = annotated_dataset.split(list(done), hold_out=False)
    assert list(everything.train) == list(done) and not everything.held_out


def test_without_a_done_slice_there_is_nothing_to_split():
    with pytest.raises(InputError, match="No slice is annotated"):
        annotated_dataset.split([])


def done_project(folder, slices, depth=31):
    project = Project.create(folder, begin(grid(depth)))
    for z in slices:
        project.finish(z, despite=True)
    return project


def test_only_done_slices_are_written_and_distances_are_those_of_the_stack(tmp_path):
    with done_project(tmp_path / "p", (0, 10, 20)) as project:
        parts = annotated_dataset.split(project.done)
        folder = finish(annotated_dataset.write_slices(project, tmp_path / "w", project.done))
        sources = annotated_dataset.sources("contours", folder, project.done, parts)
        image = np.asarray(project.session.image)
    assert np.array_equal(tifffile.imread(folder / "image.tif"), image[[0, 10, 20]])
    finish(prepare("contours", sources, tmp_path / "d", size=0))
    cases = read_cases(tmp_path / "d")["cases"]
    # in the file the slices are neighbours; in the stack they are ten apart
    roles = {case["role"]: case["shape"][0] for case in cases.values()}
    assert roles == {"train": 2, "validation": 1}


def test_fewer_slices_than_can_be_split_all_train(tmp_path):
    with done_project(tmp_path / "p", range(10)) as project:
        parts = annotated_dataset.split(project.done)
        folder = finish(annotated_dataset.write_slices(project, tmp_path / "w", project.done))
        sources = annotated_dataset.sources("contours", folder, project.done, parts)
    finish(prepare("contours", sources, tmp_path / "d", size=0))
    cases = read_cases(tmp_path / "d")["cases"]
    assert parts.held_out == () and len(cases) == 1
    assert next(iter(cases.values()))["shape"][0] == 10


def test_corrections_teach_around_what_was_decided_and_nothing_else(tmp_path):
    with done_project(tmp_path / "p", (0,)) as project:
        project.session.apply(
            Edit("draw", (Flip("contour", Patch.of(9, np.ones((1, 4)), (6, 6))),))
        )
        assert annotated_dataset.corrected_slices(project) == [9]
        assert annotated_dataset.corrected_slices(project, margin_to=[12]) == []
        around = annotated_dataset.corrected(project, 9)
        assert around[6, 6:10].all() and around.sum() < 60
        folder = finish(annotated_dataset.write_slices(project, tmp_path / "w", [0, 9]))
        with pytest.raises(InputError, match="Nothing of slice 5"):
            finish(annotated_dataset.write_slices(project, tmp_path / "v", [5]))
        assert not (tmp_path / "v").exists()
    truth = tifffile.imread(folder / "truth.tif")
    assert np.array_equal(truth[1] == 2, ~around)
    assert (truth[1][6, 6:10] == 1).all()


def test_each_slice_gets_its_map_from_the_model_that_has_not_learnt_from_it(tmp_path):
    with done_project(tmp_path / "p", (0, 10, 20, 30)) as project:
        parts = annotated_dataset.split(project.done)
        folder = finish(annotated_dataset.write_slices(project, tmp_path / "w", project.done))
        first, second = tmp_path / "a", tmp_path / "b"
        maps = {0: first, 10: second, 20: first, 30: second}
        sources = annotated_dataset.sources("closing", folder, project.done, parts, maps)
        with pytest.raises(InputError, match="Name one for each slice"):
            annotated_dataset.sources("closing", folder, project.done, parts, {0: first})
    assert {(one.step1, one.slices, one.validation) for one in sources} == {
        (first, "0,2", "3"),
        (second, "1", "none"),
    }


def test_a_model_that_has_learnt_from_a_slice_may_not_make_its_map(tmp_path, tiny_models):
    with done_project(tmp_path / "p", (0, 10)) as project:
        tiny = load_package(tiny_models["contours"])
        assert annotated_dataset.learnt_slices(tiny, project.stack_id) == set()
        card = {"learnt": [{"stack": project.stack_id, "slices": [10, 12]}]}
        seen = save_package(
            tmp_path / "seen",
            name="seen",
            kind="contours",
            plan=tiny.plan,
            weights=tiny.weights(),
            card=card,
        )
        annotated_dataset.refuse_seen(project, seen, [0])
        with pytest.raises(InputError, match="has learnt from slice 10"):
            finish(export_nnunet(project, tmp_path / "nn", "closing", model=seen))
        assert not (tmp_path / "nn").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are those of a POSIX shell")
@pytest.mark.parametrize("gpus", [1, 4])
def test_the_commands_are_a_script_for_as_many_gpus_as_asked(tmp_path, gpus):
    """Run as they are, with programs in the place of nnU-Net's that write down how called."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("nnUNetv2_plan_and_preprocess", "nnUNetv2_train", "copnet"):
        words = [f'printf "%s\n" {name} "$@" >> "{tmp_path}/called"']
        if "plan" in name:
            # what the real one plans for few slices
            plans = '{"plans_name": "nnUNetPlans", "configurations": {"2d": {"batch_size": 2}}}'
            words.append(
                f"echo '{plans}' > \"$nnUNet_preprocessed/Dataset001_some/nnUNetPlans.json\""
            )
        (programs / name).write_text("#!/bin/sh\n" + "\n".join(words) + "\n")
        (programs / name).chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    # a folder's name may hold what a shell takes apart
    out = tmp_path / "a folder's"
    with done_project(tmp_path / "p", (0, 10)) as project:
        finish(export_nnunet(project, out, name="some", gpus=gpus))
        with pytest.raises(InputError, match="0 GPUs"):
            finish(export_nnunet(project, tmp_path / "none", gpus=0))
    path = f"{programs}:{os.environ['PATH']}"
    script = ["sh", "-e", str(out / "commands.txt")]
    subprocess.run(script, check=True, env={**os.environ, "PATH": path})
    called = (tmp_path / "called").read_text().splitlines()
    train = called[called.index("nnUNetv2_train") + 1 : called.index("copnet")]
    assert train == ["1", "2d", "0", *(["-num_gpus", "4"] if gpus == 4 else [])]
    results = out / "nnUNet_results" / "Dataset001_some" / "nnUNetTrainer__nnUNetPlans__2d"
    assert called[called.index("copnet") + 1 :] == [
        "model", "import", str(results), "--kind", "contours", "--name", "dataset001_some"
    ]  # fmt: skip
    # nnU-Net refuses to share a batch of two among four: it is made larger
    plans = json.loads((out / "nnUNet_preprocessed/Dataset001_some/nnUNetPlans.json").read_text())
    assert plans["configurations"]["2d"]["batch_size"] == (8 if gpus == 4 else 2)


def test_the_nnunet_dataset_is_what_nnunet_reads(tmp_path, tiny_models):
    from nnunetv2.imageio.tif_reader_writer import Tiff3DIO

    part = np.ones((48, 48), bool)
    part[:, 40:] = False
    with done_project(tmp_path / "p", (0, 10, 20)) as project:
        project.set_reviewed(10, part)
        project.finish(10, despite=True)
        result = finish(export_nnunet(project, tmp_path / "nn", number=7, name="drawn"))
        contour = np.array(project.session.contour)
        with pytest.raises(OutputError, match="not empty"):
            finish(export_nnunet(project, tmp_path / "nn"))
        maps = finish(
            export_nnunet(
                project, tmp_path / "c", "closing", model=load_package(tiny_models["contours"])
            )
        )
    raw = tmp_path / "nn" / "nnUNet_raw" / "Dataset007_drawn"
    described = json.loads((raw / "dataset.json").read_text())
    assert described["labels"] == {"background": 0, "contour": 1, "ignore": 2}
    assert described["numTraining"] == 3 and described["channel_names"] == {"0": "SEM"}
    reader = Tiff3DIO()
    image, properties = reader.read_images([str(raw / "imagesTr" / "slice_0010_0000.tif")])
    truth, _ = reader.read_seg(str(raw / "labelsTr" / "slice_0010.tif"))
    assert image.shape == truth.shape == (1, 1, 48, 48)
    assert list(properties["spacing"]) == [999.0, 1.0, 1.0]
    assert image.mean() == pytest.approx(0, abs=1e-4) and image.std() == pytest.approx(1, abs=1e-3)
    assert np.array_equal(truth[0, 0, :, :40], contour[10][:, :40])
    assert (truth[0, 0, :, 40:] == 2).all()
    folds = json.loads(Path(result["files"]["splits"]).read_text())
    assert folds[0] == {"train": ["slice_0000", "slice_0010"], "val": ["slice_0020"]}
    assert all(not set(fold["train"]) & set(fold["val"]) for fold in folds)
    # what comes back knows what it has learnt from, and is not compared on it
    for fold, learnt, free in (("fold_0", [0, 10], [20]), ("fold_1", [10, 20], [0])):
        card = provenance_card(described, fold, "contours")
        assert card["learnt"][0]["slices"] == learnt and card["learnt"][0]["held_out"] == free
        model = replace(load_package(tiny_models["contours"]), card=card)
        with Project.open(tmp_path / "p") as project:
            assert comparable_slices(project, model) == free
    assert provenance_card(described, "fold_all", "contours")["learnt"][0]["slices"] == [0, 10, 20]
    # nnU-Net splits anew where it is asked for a fold that there is not
    assert provenance_card(described, "fold_4", "contours")["learnt"][0]["slices"] == [0, 10, 20]
    # the closing network's input is a probability, taken as it is
    closing = tmp_path / "c" / "nnUNet_raw" / maps["dataset"]
    assert json.loads((closing / "dataset.json").read_text())["channel_names"] == {"0": "noNorm"}
    values = tifffile.imread(closing / "imagesTr" / "slice_0000_0000.tif")
    assert values.min() >= 0 and values.max() <= 1
