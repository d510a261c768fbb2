"""Folders appear whole, never in place of what others put there, and a kill leaves nothing."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from napari_copnet import leftovers
from napari_copnet.errors import ModelError, OutputError
from napari_copnet.files import check_file, whole_file
from napari_copnet.folders import check_free, holds_only, whole_folder
from napari_copnet.networks import package


def ours(folder):
    return holds_only(folder, {"ours"})


def write(path, text, **options):
    with whole_folder(path, ours, **options) as beside:
        (beside / "ours").write_text(text)


def test_ours_is_replaced_only_when_the_new_one_is_complete(tmp_path):
    path = tmp_path / "run"
    write(path, "one")
    with pytest.raises(ZeroDivisionError), whole_folder(path, ours):
        raise ZeroDivisionError
    assert (path / "ours").read_text() == "one"
    write(path, "two")
    assert (path / "ours").read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_ours_stays_unless_it_may_be_replaced(tmp_path):
    write(tmp_path / "run", "one")
    with pytest.raises(OutputError, match="already holds"):
        write(tmp_path / "run", "two", replace=False)
    with pytest.raises(OutputError, match="did not write"), whole_folder(tmp_path / "run"):
        pass
    assert (tmp_path / "run" / "ours").read_text() == "one"


@pytest.mark.parametrize("name", ["thesis", "sub/ours", ".hidden"])
def test_anything_else_stays(tmp_path, name):
    path = tmp_path / "run"
    write(path, "one")
    (path / name).parent.mkdir(exist_ok=True)
    (path / name).write_text("mine")
    with pytest.raises(OutputError, match="did not write"):
        check_free(path, ours)
    with pytest.raises(OutputError, match="did not write"):
        write(path, "two")
    assert (path / name).read_text() == "mine" and (path / "ours").read_text() == "one"


def test_what_file_browsers_put_beside_does_not_matter(tmp_path):
    write(tmp_path / "run", "one")
    (tmp_path / "run" / ".DS_Store").write_bytes(b"")
    write(tmp_path / "run", "two")
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["ours"]


@pytest.mark.parametrize("replace", [True, False])
def test_what_comes_meanwhile_stays(tmp_path, replace):
    path = tmp_path / "run"
    with (
        pytest.raises(OutputError, match="did not write"),
        whole_folder(path, ours, replace=replace),
    ):
        path.mkdir()
        (path / "thesis").write_text("mine")
    assert (path / "thesis").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_what_comes_at_the_last_moment_stays(tmp_path, monkeypatch):
    path = tmp_path / "run"
    write(path, "one")
    rename, done = os.rename, []

    def late(source, target):
        if not done and str(source) == str(path):
            done.append(True)
            (path / "thesis").write_text("mine")
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    with pytest.raises(OutputError, match="did not write"):
        write(path, "two")
    assert done and (path / "thesis").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_an_empty_folder_is_filled_and_a_link_followed(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    write(tmp_path / "link", "one")
    assert (tmp_path / "there" / "ours").read_text() == "one"
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        write(tmp_path / "file", "one")


@pytest.mark.parametrize("replace", [True, False])
def test_of_many_at_once_one_is_there_whole(tmp_path, replace):
    path, told, gate = tmp_path / "run", [], threading.Barrier(8)

    def one(number):
        gate.wait()
        try:
            write(path, str(number), replace=replace)
            told.append(number)
        except OutputError as error:
            told.append(error)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = [n for n in told if isinstance(n, int)]
    assert len(told) == 8 and int((path / "ours").read_text()) in written
    assert replace or len(written) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


KILLED = """
import os, sys
from pathlib import Path
from napari_copnet.folders import whole_folder
from napari_copnet.files import whole_file
rename, left = os.rename, int(sys.argv[2])
def killing(source, target):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)
    rename(source, target)
os.rename = os.replace = killing
if sys.argv[3] == "file":
    with whole_file(Path(sys.argv[1]) / "run") as beside:
        beside.write_text("two")
else:
    with whole_folder(Path(sys.argv[1]) / "run", lambda path: True) as beside:
        (beside / "ours").write_text("two")
"""


def killed(folder, renames, kind):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(renames), kind], check=False
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
@pytest.mark.parametrize("renames", [1, 2, 3])
def test_killed_at_any_rename_a_folder_comes_back_and_nothing_is_left(tmp_path, renames):
    write(tmp_path / "run", "one")
    killed(tmp_path, renames, "folder")
    leftovers.tidy(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run" / "ours").read_text() == "one"


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
def test_the_next_one_clears_what_a_killed_one_left(tmp_path):
    (tmp_path / "run").write_text("one")
    killed(tmp_path, 1, "file")
    (tmp_path / ".writing-mine").write_text("not of ours")
    assert len(list(tmp_path.iterdir())) == 3
    with whole_file(tmp_path / "other") as beside:
        beside.write_text("x")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".writing-mine", "other", "run"]
    assert (tmp_path / "run").read_text() == "one"


def test_what_another_process_has_in_work_stays(tmp_path):
    parent = os.getppid()
    theirs = tmp_path / leftovers.in_work("writing").replace(f"-{os.getpid()}-", f"-{parent}-")
    theirs = theirs.with_name(theirs.name + "abc")
    theirs.mkdir()
    leftovers.tidy(tmp_path)
    assert theirs.is_dir()


def test_a_file_that_is_not_ours_stays(tmp_path):
    path = tmp_path / "a"
    check_file(path, lambda _: False)
    path.write_text("mine")
    with pytest.raises(OutputError, match="did not write it"):
        check_file(path, lambda _: False)
    check_file(path, lambda _: True)
    with pytest.raises(OutputError, match="Replace it"):
        check_file(path, lambda _: True, replace=False)
    with pytest.raises(OutputError, match="is a folder"):
        check_file(tmp_path, lambda _: True)
    with (
        pytest.raises(OutputError, match="there is a folder where"),
        whole_file(tmp_path) as beside,
    ):
        beside.write_text("x")


# Models ----------------------------------------------------------------------


@pytest.fixture
def models(tmp_path, monkeypatch, tiny_models):
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def save(folder, tiny_models, **options):
    tiny = package.load_package(tiny_models["closing"])
    return package.save_package(
        folder, name=folder.name, kind="closing", plan=tiny.plan, weights=tiny.weights(), card={},
        **options,
    )  # fmt: skip


def dead(name, kind):
    """A name such as a process that has ended leaves."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    begin = leftovers.in_work(kind).replace(f"-{os.getpid()}-", f"-{process.pid}-")
    return begin + name


def test_what_killed_imports_left_is_no_model(models, tiny_models):
    save(models / "mine", tiny_models)
    begun = models / dead("abc", "writing")
    (models / "mine").rename(begun)
    assert [m.name for m in package.list_models() if m.folder.parent == models] == []
    assert not begun.exists()
    # Of earlier versions, which did not say whose it was: not removed, and not listed.
    save(models / "mine", tiny_models).folder.rename(models / ".writing-k3j2h1")
    assert [m.name for m in package.list_models() if m.folder.parent == models] == []


def test_a_model_killed_between_two_renames_is_there_by_name(models, tiny_models):
    made = save(models / "mine", tiny_models)
    (models / "mine").rename(models / dead("mine", "replaced"))
    assert package.find_model("mine", "closing").sha256 == made.sha256
    (models / "mine").rename(models / dead("mine", "replaced"))
    assert package.load_package(models / "mine").sha256 == made.sha256


def test_no_model_is_called_as_the_file_of_adopted_ones(models, tiny_models):
    for name in ("adopted.json", "Adopted.JSON"):
        with pytest.raises(ModelError, match="can't be called"):
            save(models / name, tiny_models)
    # One that an earlier version let be called so breaks nothing.
    save(models / "mine", tiny_models).folder.rename(models / "adopted.json")
    assert package.find_model("default", "closing").folder == package.SHIPPED / "closing"
    assert package.list_models()


def test_a_model_is_replaced_only_when_asked(models, tiny_models):
    made = save(models / "mine", tiny_models)
    with pytest.raises(OutputError, match="Replace it"):
        save(models / "mine", tiny_models)
    assert save(models / "mine", tiny_models, replace=True).sha256 == made.sha256
    (models / "mine" / "thesis").write_text("mine")
    with pytest.raises(OutputError, match="did not write"):
        save(models / "mine", tiny_models, replace=True)
    # A damaged one of ours may be replaced; a description of another program is not ours.
    (models / "mine" / "thesis").unlink()
    (models / "mine" / "weights.safetensors").unlink()
    save(models / "mine", tiny_models, replace=True)
    (models / "mine" / "model.json").write_text('{"weights": 1}')
    with pytest.raises(OutputError, match="did not write"):
        save(models / "mine", tiny_models, replace=True)
