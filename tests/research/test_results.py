"""The result tables on made data: what is measured, kept, and written."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from napari_copnet.errors import InputError
from napari_copnet.evaluation.baselines.threshold import Threshold
from napari_copnet.progress import finish
from research import datasets
from research import methods as module
from research.datasets import DATASETS, DataSet, Slices, isbi2012
from research.goals import goals_of
from research.methods import Choices, measure
from research.results import main
from research.results_document import write_results
from research.splits import DataSplit


def walls(door):
    """Two rooms with a door of so much probability between them."""
    u = np.full((48, 92), 0.02, np.float32)
    u[:4] = u[-4:] = u[:, :4] = u[:, 44:48] = u[:, -4:] = 0.9
    u[18:30, 44:48] = door
    return u


def block(*doors):
    truth = np.stack([walls(0.9) > 0.5] * len(doors)).astype(np.uint8)
    return Slices(None, truth, list(range(len(doors))), np.stack([walls(door) for door in doors]))


class Closer:
    """In place of a closing network: closes a quarter of a door in one pass, all in the next."""

    def predict(self, images, **_):
        yield from ()
        out = images[:, 0].copy()
        for door in out[:, 18:30, 44:48]:
            door[: 12 if door[0, 0] > 0.5 else 3] = 0.8
        return out


@pytest.fixture
def models(monkeypatch):
    package = SimpleNamespace(name="closer", sha256="0" * 64)
    monkeypatch.setattr(module, "find_model", lambda name, kind: package)
    monkeypatch.setattr(module, "Network", SimpleNamespace(load=lambda *_: Closer()))
    return package


@pytest.fixture
def dataset():
    return DataSet(
        "rooms", "Rooms", "Two rooms.", "given",
        lambda data: (block(0.2), block(0.1, 0.3, 0.9, 0.9, 0.3, 0.1)),
    )  # fmt: skip


class Counted(Threshold):
    """Counts how often it was tuned, over all instances."""

    tuned = 0

    def tune(self, block, work):
        type(self).tuned += 1
        return (yield from super().tune(block, work))


def test_all_methods_are_measured_and_kept(dataset, models, tmp_path):
    choices = Choices(tmp_path, tmp_path / "work", iterations=3)
    Counted.tuned = 0
    outcome = finish(measure(dataset, [Counted()], choices))
    labelled = {name: one.scores.mean("labelled") for name, one in outcome.methods.items()}
    assert labelled == {
        "step1": pytest.approx(2 / 6), "threshold": pytest.approx(4 / 6),
        # Of a door at .3 the certainty of the map is raised above one half before the first pass.
        "once": pytest.approx(4 / 6), "network": 1, "closed": 1, "truth": 1,
    }  # fmt: skip
    assert outcome.over.means("labelled") == pytest.approx([2 / 6, 4 / 6, 1, 1])
    assert outcome.methods["closed"].scores.baseline is outcome.methods["step1"].scores
    again = finish(measure(dataset, [Counted()], choices))
    assert Counted.tuned == 1
    assert again.methods["threshold"].as_dict() == outcome.methods["threshold"].as_dict()
    np.testing.assert_array_equal(again.methods["closed"].mask, outcome.methods["closed"].mask)
    models.sha256 = "1" * 64  # another closing model: only closing is done anew
    finish(measure(dataset, [Counted()], choices))
    assert Counted.tuned == 1
    fewer = dataclasses.replace(choices, limit=2)
    assert finish(measure(dataset, [Counted()], fewer)).methods["step1"].mask.shape[0] == 2
    assert Counted.tuned == 2


def test_the_rival_called_closing_is_kept_beside_ours(dataset, models, tmp_path, monkeypatch):
    monkeypatch.setattr(Counted, "name", "closing")
    monkeypatch.setattr(Counted, "tuned", 0)
    for _ in range(2):
        outcome = finish(measure(dataset, [Counted()], Choices(tmp_path, tmp_path, iterations=0)))
        assert Counted.tuned == 1
        assert outcome.methods["closing"].scores.mean("labelled") == pytest.approx(4 / 6)
        assert outcome.methods["closed"].scores.mean("labelled") == 1


def test_the_document_has_a_table_a_star_and_pictures(dataset, models, tmp_path):
    choices = Choices(tmp_path, tmp_path / "work", iterations=2)
    outcome = finish(measure(dataset, [Threshold()], choices))
    path = write_results([outcome], ["Cellpose is left out: absent."], tmp_path / "docs", choices)
    text = path.read_text()
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:-1]]
        for line in text.splitlines()
        if line.startswith("| ") and (cells := line.split("|"))
    }
    assert rows["Step 1 alone"][0] == "33.3 ± 47.1"
    # 6 slices of 1 against 2 of 1 and 4 of 0: p is 0.01
    assert rows["closing, converged"][0] == "100.0 ± 0.0 *"
    assert rows["lower threshold"][0] == "66.7 ± 47.1"
    assert rows["labelled, against Step 1"] == ["+66.7"]
    assert rows["labelled, against the best baseline"] == ["+33.3 (> 0: holds)"]
    assert rows["split, against Step 1"] == ["+0.0 (<= 3: holds)"]
    assert rows["labelled, after 2 iterations against convergence"] == ["+0.0 (>= -1: holds)"]
    assert "labelled +66.7, split +0.0 points, after" in text
    assert "The best baseline on labelled is lower threshold (66.7 %)." in text
    assert "Cellpose is left out" in text and "closer 000000000000" in text
    for name in ("slice", "scores", "iterations"):
        picture = f"images/results-rooms-{name}.png"
        assert picture in text and (tmp_path / "docs" / picture).stat().st_size > 1000
    record = json.loads((tmp_path / "work" / "results.json").read_text())
    assert record["datasets"]["rooms"]["methods"]["closed"]["labelled"] == 1


@pytest.mark.parametrize(("name", "holds"), [("hela", True), ("fib25", True), ("rooms", None)])
def test_goals_are_those_of_the_data_set(dataset, models, tmp_path, name, holds):
    named = dataclasses.replace(dataset, name=name)
    outcome = finish(measure(named, [Threshold()], Choices(tmp_path, tmp_path / "work")))
    goals = {goal.name: goal for goal in goals_of(outcome)}
    gain = goals["labelled, against Step 1"]
    assert gain.value == pytest.approx(200 / 3) and gain.holds is holds
    assert goals["NSD, against Step 1"].holds and goals["NSD, against Step 1"].value > 0
    # Closing swapped with Step 1 reaches nothing.
    swapped = {**outcome.methods, "closed": outcome.methods["step1"]}
    worse = {goal.name: goal for goal in goals_of(dataclasses.replace(outcome, methods=swapped))}
    assert worse["labelled, against the best baseline"].holds is False
    assert worse["labelled, against Step 1"].holds is (None if holds is None else False)
    assert worse["labelled, against the ceiling"].value == pytest.approx(-200 / 3)


def test_probabilities_kept_as_bytes_round_alike():
    p = np.arange(0, 1.0001, 1 / 1024).astype(np.float16)
    kept = module.as_bytes(p)
    np.testing.assert_array_equal(kept / np.float32(255) > 0.5, p > 0.5)
    assert np.abs(kept / 255 - p).max() <= 1 / 255


def test_the_gala_crops_are_read_at_network_size(tmp_path, monkeypatch):
    short = DataSplit(range(6), range(6), range(0, 6, 5), stacks=("train", "test"))
    monkeypatch.setattr(datasets, "GALA", short)
    (gala,) = (dataset for dataset in DATASETS if dataset.name == "gala")
    with pytest.raises(InputError, match="missing"):
        gala.read(tmp_path)
    folder = tmp_path / "gala-fibsem"
    folder.mkdir()
    labels = np.ones((6, 50, 100), np.uint16)
    labels[:, :, 50] = 0
    labels[:, :, 51:] = 2
    for part in ("train", "test"):
        tifffile.imwrite(folder / f"{part}-instances-3d.tif", labels)
        tifffile.imwrite(folder / f"{part}-image.tif", (labels * 90).astype(np.uint8))
        given = (labels == 0).astype(np.uint8) * 255
        tifffile.imwrite(folder / f"{part}-boundary-prob.tif", given)
    training, scored = gala.read(tmp_path)
    assert training.numbers == [0, 5] and scored.numbers == list(range(6))
    assert scored.contours.shape == scored.truth.shape == scored.image.shape == (6, 256, 512)
    assert scored.contours.max() == pytest.approx(1, abs=0.1)
    # The line of one pixel is 5.1 px now; the true one is 3 px wide in its midst.
    assert int(scored.truth[0, 100].sum()) == pytest.approx(3, abs=1)
    assert scored.contours[0, 100][scored.truth[0, 100] > 0].min() > 0.5
    assert np.unique(scored.true.slice(0).cells).tolist() == [0, 1, 2]


def test_missing_data_is_one_sentence(tmp_path, capsys):
    code = main(
        ["--data", str(tmp_path), "--out", str(tmp_path / "o"), "--work", str(tmp_path / "w"),
         "--methods", "threshold", "--datasets", "isbi2012"]
    )  # fmt: skip
    assert code == 1
    assert "train-volume.tif is missing. Name the folder" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_masks_are_scored_at_the_size_of_the_truth(models, dataset, tmp_path):
    """Networks may see a data set at another size than it is scored at, as HeLa."""
    training, scored = dataset.read(tmp_path)
    large = dataclasses.replace(scored, truth=scored.truth.repeat(2, 1).repeat(2, 2))
    dataset = dataclasses.replace(dataset, read=lambda data: (training, large))
    outcome = finish(measure(dataset, [Threshold()], Choices(tmp_path, tmp_path, iterations=2)))
    for method in outcome.methods.values():
        assert method.mask.shape == large.truth.shape
    # Doors of 0.9 are contour at either size: Step 1 parts the two rooms there, all over the wall.
    np.testing.assert_array_equal(outcome.methods["step1"].mask[2], large.truth[2])
    assert outcome.methods["truth"].scores.mean("labelled") == 1
    assert len(outcome.over.means("labelled")) == 3


def test_pictures_of_cells_are_drawn_only_where_terms_allow(models, dataset, tmp_path):
    for is_free in (True, False):
        chosen = dataclasses.replace(dataset, is_free=is_free)
        choices = Choices(tmp_path, tmp_path / "work", iterations=0)
        outcome = finish(measure(chosen, [Threshold()], choices))
        out = tmp_path / f"free-{is_free}"
        text = write_results([outcome], [], out, choices).read_text()
        assert (out / "images" / "results-rooms-slice.png").exists() == is_free
        assert ("results-rooms-slice.png" in text) == is_free
        assert (out / "images" / "results-rooms-scores.png").exists()


def test_isbi2012_is_seen_smaller_than_it_is_scored(tmp_path):
    folder = tmp_path / "isbi2012"
    folder.mkdir()
    cells = np.full((20, 64, 64), 255, np.uint8)
    cells[:, :, 32] = 0
    tifffile.imwrite(folder / "train-labels.tif", cells)
    tifffile.imwrite(folder / "train-volume.tif", cells // 2 + np.arange(64, dtype=np.uint8))
    training, scored = isbi2012(tmp_path, size=48)
    # Baselines are tuned at the size they see, all are scored at that of the tables.
    assert training.image.shape == training.truth.shape == (5, 48, 48)
    assert scored.image.shape == (10, 48, 48)
    assert scored.truth.shape == (10, 512, 512)
    assert scored.numbers == list(range(10, 20))
    assert np.unique(scored.true.slice(0).cells).tolist() == [0, 1, 2]
