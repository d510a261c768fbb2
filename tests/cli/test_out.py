"""Whatever lies where `--out` points, no command removes or replaces what it did not write."""

import json
import shutil

import numpy as np
import pytest
import tifffile
import typer
from safetensors.numpy import save_file

from made_networks import made_network, made_plan, nnunet_plans, write_nnunet_folder
from napari_copnet import demo
from napari_copnet.cli import app as application
from napari_copnet.cli import modules
from napari_copnet.networks.package import load_package
from napari_copnet.params import TissueParams
from napari_copnet.store.folder import FolderStore
from napari_copnet.synthetic import make_tissue
from napari_copnet.training import fit

TRAINED = "results/Dataset001_Made/nnUNetTrainer__nnUNetPlans__2d"
CPU = ("--device", "cpu")


@pytest.fixture(scope="module")
def given(tmp_path_factory, tiny_models):
    """Inputs of every command."""
    folder = tmp_path_factory.mktemp("given")
    z, y, x = np.indices((14, 48, 48))
    contour = ((y % 12 == 0) | (x % 12 == 0)).astype(np.uint8)
    labels = (1 + y // 12 + 4 * (x // 12)).astype(np.uint16) * (contour == 0)
    arrays = {
        "image": (150 - 90 * contour + z).astype(np.uint8),
        "contours": contour * np.float32(0.9),
        "closed": contour,
        "labels": labels,
    }
    for name, array in arrays.items():
        tifffile.imwrite(folder / f"{name}.tif", array, photometric="minisblack")
    run = folder / "run"
    run.mkdir()
    for name in ("contours", "closed"):
        shutil.copy(folder / f"{name}.tif", run)
    (run / "run.json").write_text(json.dumps({"command": "run", "inputs": {}, "settings": {}}))
    write_nnunet_folder(folder / TRAINED, *nnunet_plans(), made_network(made_plan(2)))
    copnet = _called(folder / "models")
    project = folder / "project"
    image, drawn = folder / "image.tif", folder / "closed.tif"
    copnet("annotate", "create", "--image", image, "--contours", drawn, "--out", project,
           "--input-size", 0)  # fmt: skip
    copnet("annotate", "choose", project, "--every", 6)
    copnet("annotate", "done", project, "0,6,12", "--despite")
    copnet("session", "create", run, "--out", folder / "session")
    networks = (
        "--contour-model",
        tiny_models["contours"],
        "--closing-model",
        tiny_models["closing"],
    )
    copnet("run", image, "--size", 32, "--max-iterations", 1, *networks, *CPU,
           "--out", folder / "real-run")  # fmt: skip
    return folder


def _called(models):
    from typer.testing import CliRunner

    if not application.registered_commands:
        for module in modules():
            module.add_to(application)

    def call(*arguments):
        done = CliRunner().invoke(
            application, [str(a) for a in arguments], env={"NAPARI_COPNET_MODELS": str(models)}
        )
        assert done.exit_code == 0, done.output

    return call


# Each command with --out: what it is given besides, and whether it takes a folder that is not
# empty, into which it puts files under its own names.
def commands(given, tiny):
    networks = ("--contour-model", tiny["contours"], "--closing-model", tiny["closing"])
    truth = ("--truth", given / "labels.tif", "--slices", "0-8", "--input-size", 0)
    short = ("--size", "small", "--epochs", 1, "--iterations-per-epoch", 1, "--patch", 32, *CPU)
    image, contours, closed = (given / f"{n}.tif" for n in ("image", "contours", "closed"))
    return {
        "annotate compare": (
            (given / "project", "--new", "shipped", "--old", "shipped", *CPU),
            True,
        ),
        "annotate create": (("--image", image), False),
        "annotate export": ((given / "project",), False),
        "baselines": (
            (contours, "--truth", closed, "--methods", "threshold", "--train-slices", "0-2"),
            True,
        ),
        "cells": ((closed,), True),
        "close": ((contours, "--closing-model", tiny["closing"], "--max-iterations", 1), True),
        "contours": ((image, "--contour-model", tiny["contours"], *CPU), True),
        "demo": (("--no-gui", *CPU), True),
        "evaluate": (("--pred", closed, "--truth", closed), True),
        "export": (
            (given / "labels.tif", "--voxel-size", "1,1,1", "--to", "rois,labels16,ome-zarr,stl"),
            True,
        ),
        "grid-search": (
            ("--truth", given / "labels.tif", "--contours", contours, "--validation", "12-13",
             "--grid", "N2=0,3", "--contour-width", 1, "--input-size", 0, *short),
            True,
        ),
        "measure": ((given / "labels.tif",), True),
        "model export": ((tiny["contours"],), False),
        "model import": ((given / TRAINED, "--name", "mine"), False),
        "preprocess": ((image, "--size", 32), True),
        "rerun": ((given / "real-run",), True),
        "run": ((image, "--size", 32, "--max-iterations", 1, *networks, *CPU), True),
        "sample": (("--slices", 2, "--size", 96), True),
        "session create": ((given / "run",), False),
        "session export": ((given / "session",), True),
        "simulate": ((closed, "--per-slice", 1), True),
        "sizes": ((image, "--sizes", 64, "--max-iterations", 1, *networks, *CPU), False),
        "train closing": ((*truth, *short), False),
        "train contours": (("--image", image, *truth, *short), False),
    }  # fmt: skip


def with_out(group, path=()):
    """Yield the name of every command that has --out."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from with_out(command, (*path, name))
        elif any("--out" in parameter.opts for parameter in command.params):
            yield " ".join((*path, name))


def every_command():
    made = typer.Typer()
    for module in modules():
        module.add_to(made)
    return sorted(with_out(typer.main.get_command(made)))


@pytest.fixture(autouse=True)
def surroundings(given, tiny_models, monkeypatch):
    """The user's models, a small demo, and trainings that end at once."""
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(given / "models"))
    tissue = make_tissue(TissueParams(slices=2, size=96, cell_diameter=2.0, vessel=False), 3)
    monkeypatch.setattr(demo, "sample_stack", lambda: tissue)

    def run_child(work, params):
        model = load_package(tiny_models[json.loads((work / "config.json").read_text())["kind"]])
        facts = {"plan": model.plan.as_dict(), "scores": {}, "seconds": 1, "steps": 1, "batch": 1,
                 "device": "cpu", "precision": "float32"}  # fmt: skip
        (work / "trained.json").write_text(json.dumps(facts))
        weights = model.weights()
        for name, values in weights.items():
            if "seg_layers" in name:
                # Its answer is no contour anywhere.
                values[:] = np.array([9, -9])[:, *[None] * (values.ndim - 1)] * ("bias" in name)
        save_file(weights, work / "trained.safetensors")
        yield from ()

    monkeypatch.setattr(fit, "_run_child", run_child)


def thesis_in(folder):
    """Fill a folder with what somebody works on, some of it called as files of ours."""
    for name in (
        "thesis.docx",
        "model.json",
        "weights.bin",
        "work/mine.npz",
        "store-of-mine/mine.npz",
        "work/chen/notes.txt",
        "runs/0/notes.txt",
        "contours.ome.zarr/thesis.docx",
        ".writing-mine/thesis.docx",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"my {name}")
    beside = folder.with_name(f"{folder.name}.training")
    (beside / "dataset").mkdir(parents=True)
    for name in ("checkpoint-best.pt", "config.json", "losses.csv", "dataset/thesis.docx"):
        (beside / name).write_text(f"my {name}")
    return folder


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_each_command_with_out_is_tried(given, tiny_models):
    assert every_command() == sorted(commands(given, tiny_models))


@pytest.mark.parametrize("name", every_command())
def test_a_folder_with_a_thesis_is_never_emptied(name, copnet, given, tiny_models, tmp_path):
    arguments, joins = commands(given, tiny_models)[name]
    out = thesis_in(tmp_path / "out")
    before = contents(tmp_path)
    done = copnet(*name.split(), *arguments, "--out", out)
    after = contents(tmp_path)
    assert {path: after.get(path) for path in before} == before
    assert "unexpected problem" not in done.output
    assert done.exit_code == (0 if joins else 1), done.output
    if not joins:
        assert after == before and done.output.strip().endswith((".", ")"))


@pytest.mark.parametrize("name", every_command())
def test_a_file_is_never_replaced(name, copnet, given, tiny_models, tmp_path):
    arguments, _ = commands(given, tiny_models)[name]
    thesis = tmp_path / "thesis.png"
    thesis.write_text("mine")
    done = copnet(*name.split(), *arguments, "--out", thesis)
    assert done.exit_code == 1 and "unexpected problem" not in done.output, done.output
    assert contents(tmp_path) == {thesis.relative_to(tmp_path): b"mine"}


NEW = [n for n in every_command() if n not in ("demo", "grid-search", "baselines")]


@pytest.mark.parametrize("name", NEW)
def test_into_a_new_place_each_command_succeeds(name, copnet, given, tiny_models, tmp_path):
    """Else the tests above would show nothing of those that refuse."""
    arguments, _ = commands(given, tiny_models)[name]
    done = copnet(*name.split(), *arguments, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


MODELS = ("model import", "train contours", "train closing")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_replaced_when_asked_and_nothing_beside_it(
    name, copnet, given, tiny_models, tmp_path
):
    arguments, _ = commands(given, tiny_models)[name]
    command, out = (*name.split(), *arguments, "--out", tmp_path / "out"), tmp_path / "out"
    assert copnet(*command).exit_code == 0
    (out / "model.json").write_text((out / "model.json").read_text() + " ")
    before = contents(out)
    refused = copnet(*command)
    assert refused.exit_code == 1 and "--replace" in refused.output
    assert contents(out) == before
    assert copnet(*command, "--replace").exit_code == 0
    assert (out / "model.json").read_bytes() != before[(out / "model.json").relative_to(out)]
    load_package(out)
    (out / "thesis.docx").write_text("mine")
    before = contents(out)
    assert copnet(*command, "--replace").exit_code == 1
    assert contents(out) == before


@pytest.mark.parametrize("format", ["zip", "folder", "bioimageio"])
def test_an_export_is_replaced_when_asked(format, copnet, tiny_models, tmp_path):
    out = tmp_path / "out.zip"
    command = ("model", "export", tiny_models["contours"], "--format", format, "--out", out)
    command += ("--author", "Ada") if format == "bioimageio" else ()
    assert copnet(*command).exit_code == 0
    assert copnet(*command).exit_code == 1
    assert copnet(*command, "--replace").exit_code == 0
    shutil.rmtree(out) if format == "folder" else out.unlink()
    out.write_text("mine")
    assert copnet(*command, "--replace").exit_code == 1
    assert out.read_text() == "mine"


def test_a_training_goes_on_into_its_model(copnet, given, tiny_models, tmp_path):
    arguments, _ = commands(given, tiny_models)["train closing"]
    command = ("train", "closing", *arguments, "--out", tmp_path / "m")
    assert copnet(*command).exit_code == 0
    assert copnet(*command).exit_code == 1
    assert copnet(*command, "--resume").exit_code == 0


def test_an_import_never_takes_a_name_without_being_asked(copnet, given, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path))
    command = ("model", "import", given / TRAINED, "--name", "mine", "--kind")
    assert copnet(*command, "contours").exit_code == 0
    refused = copnet(*command, "closing")
    assert refused.exit_code == 1 and "already a model 'mine'" in refused.output
    assert load_package(tmp_path / "mine").kind == "contours"
    assert copnet(*command, "closing", "--replace").exit_code == 0
    assert load_package(tmp_path / "mine").kind == "closing"


FOREIGN = [
    ("measure", "measures.json"),
    ("measure", "cells.csv"),
    ("measure", "pairs.parquet"),
    ("export", "rois.zip"),
    ("export", "cells16.tif"),
    ("export", "labels.ome.zarr/thesis.docx"),
    ("export", "meshes-stl/thesis.docx"),
    ("rerun", "rerun.json"),
    ("rerun", "cells.tif"),
]


@pytest.mark.parametrize(("name", "file"), FOREIGN)
def test_a_file_of_somebody_under_a_name_of_ours_stays(
    name, file, copnet, given, tiny_models, tmp_path
):
    arguments, _ = commands(given, tiny_models)[name]
    path = tmp_path / "out" / file
    path.parent.mkdir(parents=True)
    path.write_text('{"command": "mine"}')
    done = copnet(name, *arguments, "--out", tmp_path / "out")
    assert done.exit_code == 1 and "did not write" in done.output, done.output
    assert path.read_text() == '{"command": "mine"}'


def test_results_in_folders_replace_only_ours(copnet, given, tmp_path):
    command = ("cells", given / "closed.tif", "--format", "ome-zarr", "--out", tmp_path)
    assert copnet(*command).exit_code == copnet(*command).exit_code == 0
    (tmp_path / "cells.ome.zarr" / "thesis.docx").write_text("mine")
    before = contents(tmp_path)
    done = copnet(*command)
    assert done.exit_code == 1 and "did not write" in done.output
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("command", "file"),
    [("contours", "image.tif"), ("close", "contours.tif"), ("run", "image.tif")],
)
def test_the_results_of_another_command_make_no_room(command, file, copnet, given, tmp_path):
    """A run's contours take hours: a step into its folder does not remove them."""
    (tmp_path / "cells.tif").write_bytes(b"hours of work")
    record = '{"command": "baselines", "files": {"cells": "cells.tif"}}'
    (tmp_path / "run.json").write_text(record)
    before = contents(tmp_path)
    done = copnet(command, given / file, "--out", tmp_path)
    assert done.exit_code == 1 and "did not write the results" in done.output
    assert contents(tmp_path) == before


def test_tables_and_pages_replace_only_theirs(copnet, given, tmp_path):
    closed = given / "closed.tif"
    for option, name in (("--csv", "mine.csv"), ("--report", "mine.html")):
        command = ("evaluate", "--pred", closed, "--truth", closed, option, tmp_path / name)
        assert copnet(*command).exit_code == copnet(*command).exit_code == 0
        (tmp_path / name).write_text("mine")
        assert copnet(*command).exit_code == 1
        assert (tmp_path / name).read_text() == "mine"


def test_a_run_without_resume_removes_what_one_with_it_kept(copnet, given, tiny_models, tmp_path):
    arguments, _ = commands(given, tiny_models)["run"]
    command = ("run", *arguments, "--out", tmp_path)
    assert copnet(*command).exit_code == 0
    assert (tmp_path / "store" / "cells").is_dir()
    assert copnet(*command, "--no-resume").exit_code == 0
    assert not (tmp_path / "store").exists()


def test_a_run_that_starts_anew_waits_for_the_one_at_work(copnet, given, tiny_models, tmp_path):
    arguments, _ = commands(given, tiny_models)["run"]
    command = ("run", *arguments, "--out", tmp_path, "--no-resume")
    store = FolderStore(tmp_path / "store")
    with store.alone():
        kept = store.stage("contours", "key").array("contours", (1, 2, 2), np.float32)
        kept[0] = 1
        done = copnet(*command)
        assert done.exit_code == 1 and "Another run" in done.output
        assert np.asarray(kept[0]).all()
