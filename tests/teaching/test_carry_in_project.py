"""Contours carried within a project: states, findings, files, and a killed program."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from moving_tissue import moving_tissue

from napari_copnet.errors import InputError
from napari_copnet.evaluation.metrics import LABELLED, partition
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import find_model
from napari_copnet.params import CarryParams, CellParams, DeviceParams
from napari_copnet.progress import Progress, finish
from napari_copnet.proofreading.session_start import Start
from napari_copnet.teaching.annotated_dataset import (
    carried_slices,
    corrected,
    corrected_slices,
    split,
    write_slices,
)
from napari_copnet.teaching.carrying.carried import drawn
from napari_copnet.teaching.carrying.carry import carry_cells
from napari_copnet.teaching.carrying.one_cell import carry_cell, outline_from_beside
from napari_copnet.teaching.carrying.project_carry import carry, known_cells, named_range, targets
from napari_copnet.teaching.project import DONE, IN_WORK, UNTOUCHED, Project
from napari_copnet.teaching.slice_check import DOUBT
from napari_copnet.training.truth import IGNORE
from napari_copnet.types import Stack, VoxelSize

DEPTH = 9
HERE = Path(__file__).parent


@pytest.fixture
def tissue():
    return moving_tissue(DEPTH, speed=1.0)


@pytest.fixture
def project(tmp_path, tissue):
    image, contours, _ = tissue
    start = Start(
        np.zeros_like(contours),
        np.zeros(contours.shape, np.float32),
        Stack(image, VoxelSize(0.05, 0.01, 0.01), name="moving"),
        cells=CellParams(min_size=0),
        record={"settings": {"preprocess": {"size": 0}}},
    )
    with Project.create(tmp_path / "project", start) as opened:
        opened.draw(4, contours[4])
        opened.finish(4, despite=True)
        yield opened


def take_all(project, params=CarryParams(), slices=None):
    found = finish(carry(project, params, slices))
    return [one.z for one in found if project.take_carried(one)]


def labelled(project, z, cells):
    found = partition(cells[z], project.session.ids(z).astype(np.uint32), 0.75)
    return float(np.mean((found.fates == LABELLED)[found.sizes >= 200]))


def test_contours_come_to_untouched_slices_and_stay_when_opened_again(project, tissue):
    cells = tissue[2]
    assert targets(project, [4], 10) == [0, 1, 2, 3, 5, 6, 7, 8]
    taken = take_all(project)
    assert taken == [0, 1, 2, 3, 5, 6, 7, 8] == project.carried_slices
    assert all(labelled(project, z, cells) > 0.8 for z in (3, 5, 6))
    assert {project.state(z) for z in taken} == {UNTOUCHED} and project.state(4) == DONE
    assert project.carried(4) is None
    project.close()
    with Project.open(project.folder) as again:
        assert again.carried_slices == taken
        kept, made = again.carried(5), project.carried(5)
        np.testing.assert_array_equal(kept.contour, again.session.contour[5] > 0)
        np.testing.assert_array_equal(kept.known, made.known)
        assert kept.sources == (4,) and kept.doubtful == made.doubtful


def test_the_model_is_asked_about_the_slices_on_the_way_unless_it_shall_not_be(
    project, tissue, monkeypatch
):
    image, contours, _ = tissue
    asked, devices = [], []

    class Knowing:
        plan = SimpleNamespace(dimensions=2)

        def predict(self, images, **_):
            yield Progress("predict", 1, 1)
            # networks see the slice with other grey values
            alike = [np.corrcoef(images[0, 0].ravel(), one.ravel())[0, 1] for one in image]
            z = int(np.argmax(alike))
            assert alike[z] > 0.999
            asked.append(z)
            return 0.9 * contours[z][None].astype(np.float32)

    monkeypatch.setattr(
        Network, "load", lambda model, device: devices.append((model.name, device)) or Knowing()
    )
    near = CarryParams(reach=2)
    one = DeviceParams(device="cpu", threads=1)
    helped = finish(carry(project, near, device=one))
    assert devices == [(find_model("default", "contours").name, one)]
    assert sorted(asked) == [2, 3, 4, 5, 6]
    given = {4: known_cells(project, 4)}
    expected = finish(
        carry_cells(
            image.__getitem__, given, [2, 3, 5, 6], near, lambda z: np.float32(0.9) * contours[z]
        )
    )
    for mine, other in zip(helped, expected, strict=True):
        np.testing.assert_array_equal(
            mine.contour, drawn(other, project.session.contour[other.z]).contour
        )
    asked.clear()
    finish(carry(project, replace(near, ask_model=False)))
    assert not asked and len(devices) == 1


def test_an_edit_makes_a_carried_slice_one_in_work_that_is_not_replaced(project):
    take_all(project)
    drawn = np.array(project.session.contour[5])
    drawn[10:40, 62] = 1
    project.draw(5, drawn)
    assert project.state(5) == IN_WORK and project.carried(5) is None
    assert 5 not in targets(project, [4], 10)
    # what it hides is not passed either
    assert take_all(project, CarryParams(reach=4)) == [0, 1, 2, 3]
    np.testing.assert_array_equal(project.session.contour[5], drawn)
    # only what was drawn by hand was corrected, not all that was carried
    assert corrected_slices(project) == [5]
    assert 0 < corrected(project, 5).mean() < 0.2
    late = next(one for one in finish(carry(project, CarryParams(reach=1))))
    project.begin(late.z)
    assert not project.take_carried(late)


def test_undo_takes_a_carried_slice_back(project):
    taken = take_all(project, CarryParams(reach=1))
    assert taken == [3, 5]
    project.session.undo()
    assert project.carried_slices == [3] and project.state(5) == UNTOUCHED
    assert not project.session.contour[5].any()


def test_doubtful_cells_are_findings_until_the_slice_is_done(project, tissue):
    found = finish(carry(project, CarryParams(trust=0.99, doubt=1.0, reach=2)))
    one = next(one for one in found if one.doubtful)
    assert project.take_carried(one)
    kinds = [finding.kind for finding in project.check(one.z)]
    assert kinds.count(DOUBT) == len(one.doubtful)
    assert project.finish(one.z) and project.state(one.z) != DONE
    project.finish(one.z, despite=True)
    assert project.state(one.z) == DONE and project.doubts(one.z) == []


def test_a_part_that_was_reviewed_is_carried_and_the_rest_stays(project, tissue):
    contours = tissue[1]
    part = np.zeros(contours.shape[1:], bool)
    part[:, :48] = True
    project.set_reviewed(4, part)
    project.finish(4, despite=True)
    one = next(one for one in finish(carry(project, CarryParams(reach=1))) if one.z == 5)
    assert one.contour[:, :40].any() and not one.contour[:, 60:].any()
    assert not one.known[:, 60:].any()


def test_training_can_learn_from_what_was_carried_surely(project, tmp_path):
    take_all(project, CarryParams(reach=2, trust=0.9, doubt=1.0))
    parts = split(project.done, hold_out=False)
    carried = carried_slices(project, parts)
    assert carried == [2, 3, 5, 6]
    folder = finish(write_slices(project, tmp_path / "annotated", [4, *carried]))
    truth = tifffile.imread(folder / "truth.tif")
    assert IGNORE not in truth[0]
    for plane, z in zip(truth[1:], carried, strict=True):
        known = project.carried(z).known
        np.testing.assert_array_equal(plane == IGNORE, ~known)
        np.testing.assert_array_equal(plane[known], project.session.contour[z][known])
    # none that came from, or lies near to, a slice that is kept apart
    assert carried_slices(project, replace(parts, train=(), held_out=(4,))) == []
    assert carried_slices(project, replace(parts, held_out=(8,))) == [2, 3]


def test_nothing_to_carry_is_said(project):
    project.drop(4)
    with pytest.raises(InputError, match="no slice to carry from"):
        finish(carry(project))
    with pytest.raises(InputError, match="no cells"):
        # all of it is one cell that has no outline
        project.draw(2, np.ones(project.shape[1:]))
        finish(carry(project, slices=[2]))


def test_ranges_are_named_as_people_do():
    assert named_range([9, 3, 4, 5, 11]) == "3-5, 9, 11" and named_range([]) == ""


def test_one_cell_is_carried_and_drawn_into_other_slices(project, tissue):
    _, contours, cells = tissue
    point = 50, 47
    assert not contours[4][point]
    found = finish(carry_cell(project, 4, point, CarryParams(reach=2)))
    assert [one.z for one in found] == [2, 3, 5, 6]
    for one in found:
        project.take_outline(one)
        y, x = one.cell.box
        inside = np.argwhere(one.cell.mask).mean(axis=0).round().astype(int)
        label = project.session.id_at(one.z, y.start + inside[0], x.start + inside[1])
        mask = project.session.ids(one.z) == label
        true = cells[one.z] == cells[4][point]
        assert label and (mask & true).sum() / (mask | true).sum() > 0.75
    (moved,) = finish(carry_cell(project, 4, point, targets=[5]))
    assert moved.z == 5
    with pytest.raises(InputError, match="no cell"):
        finish(carry_cell(project, 4, tuple(np.argwhere(contours[4] > 0)[40])))


def test_the_outline_of_a_cell_comes_from_the_slice_beside(project):
    point = 50, 47
    moved = finish(outline_from_beside(project, 5, point))
    (same,) = finish(carry_cell(project, 4, point, targets=[5]))
    assert moved.z == 5 and np.array_equal(moved.cell.mask, same.cell.mask)
    # slice 2 has nothing: it comes from the slice after
    assert finish(outline_from_beside(project, 3, point)).z == 3
    project.take_outline(moved)
    # the slice before is not done, the one after is empty
    assert finish(outline_from_beside(project, 6, point)).z == 6
    with pytest.raises(InputError, match="No slice beside"):
        finish(outline_from_beside(project, 8, point))
    with pytest.raises(InputError, match="is done"):
        finish(outline_from_beside(project, 4, point))


KILLED = """
    import os, signal, sys
    from napari_copnet.params import CarryParams
    from napari_copnet.teaching.carrying.project_carry import carry
    from napari_copnet.teaching.project import Project

    project = Project.open(sys.argv[1])
    for progress in carry(project, CarryParams(reach=3)):
        if progress.partial is None:
            continue
        assert project.take_carried(progress.partial)
        if len(project.carried_slices) == 1:
            assert project.session.wait_saved()
        if len(project.carried_slices) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_a_killed_program_loses_no_slice_that_was_saved(project):
    project.close()
    script = textwrap.dedent(KILLED)
    done = subprocess.run(
        [sys.executable, "-c", script, str(project.folder)],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    with Project.open(project.folder) as again:
        kept = again.carried_slices
        assert 3 in kept and again.state(4) == DONE
        # each slice is as it was, or carried whole: none is drawn without being known as carried
        for z in range(DEPTH):
            assert z == 4 or z in kept or not again.session.contour[z].any()
        rest = finish(carry(again, CarryParams(reach=3)))
        assert all(again.take_carried(one) for one in rest)
        assert again.carried_slices == [1, 2, 3, 5, 6, 7]
