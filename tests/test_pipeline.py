"""All steps in order, on a stack small enough to draw, with networks made by hand."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.params import (
    CellParams,
    ClosingParams,
    ContourParams,
    DeviceParams,
    PreprocessParams,
    Settings,
)
from napari_copnet.pipeline import run
from napari_copnet.progress import Progress, finish
from napari_copnet.restored import restore
from napari_copnet.runs.run_record import save_run
from napari_copnet.store.folder import FolderStore
from napari_copnet.store.memory import MemoryStore
from napari_copnet.types import Closing, Iteration, SliceResult, Stack, VoxelSize

DRAWN = """
###########
#....#....#
#....#....#
#.........#
#....#....#
#....#....#
###########
"""


def drawn() -> np.ndarray:
    rows = DRAWN.split()
    return np.array([[character == "#" for character in row] for row in rows])


class FakeNetwork:
    """Step 1 takes dark pixels for contour; Step 2 fills short gaps in vertical lines."""

    plan = SimpleNamespace(dimensions=2)
    loaded: list = []

    def __init__(self, package, device):
        self.kind = package.kind
        self.loaded.append(package.kind)

    def predict(self, images, **options):
        images = np.asarray(images)[:, 0]
        if self.kind == "contours":
            result = (images < 0).astype(np.float32)
        else:
            above = np.maximum(np.roll(images, 1, axis=1), np.roll(images, 2, axis=1))
            below = np.maximum(np.roll(images, -1, axis=1), np.roll(images, -2, axis=1))
            result = np.maximum(images, above * below)
        for index, plane in enumerate(result):
            yield Progress(
                "predict", index + 1, len(images), "slices", partial=SliceResult(index, plane)
            )
        return result


@pytest.fixture
def settings(tiny_models):
    FakeNetwork.loaded.clear()
    return Settings(
        preprocess=PreprocessParams(size=0),
        device=DeviceParams(device="cpu"),
        contours=ContourParams(contour_model=str(tiny_models["contours"])),
        closing=ClosingParams(closing_model=str(tiny_models["closing"]), keep_iterations=True),
        cells=CellParams(min_size=0),
    )


def stack(slices=2):
    image = np.where(drawn(), 20, 200).astype(np.uint8)
    return Stack(np.stack([image] * slices), VoxelSize(0.1, 0.02, 0.02))


def test_a_gap_is_closed_and_two_cells_are_followed_through_the_stack(settings):
    result = finish(run(stack(), settings, load=FakeNetwork))
    assert np.array_equal(result.contours[0] > 0.5, drawn())
    closed = drawn()
    closed[3, 5] = True
    assert np.array_equal(result.closing.mask[0], closed)
    assert result.closing.changed[0] == pytest.approx(1 / 77)
    assert result.closing.converged.all()
    left, right = result.cells.labels[0, 1, 1], result.cells.labels[0, 1, 9]
    assert left != right
    assert np.array_equal(result.cells.labels[0], result.cells.labels[1])
    assert result.preprocessed.voxel_size == VoxelSize(0.1, 0.02, 0.02)


def test_results_come_back_in_the_size_of_the_stack(settings):
    wide = dataclasses.replace(settings, preprocess=PreprocessParams(size=22))
    result = finish(run(stack(), wide, load=FakeNetwork))
    assert result.contours.shape == (2, 14, 22)
    restored = finish(restore(result))
    assert restored.closed.shape == restored.cells.shape == (2, 7, 11)
    assert restored.iterations.shape == (len(result.closing.changed) + 1, 2, 7, 11)
    assert not (restored.cells[restored.closed > 0]).any()
    assert restored.cells.dtype == np.uint32
    assert restored.cells[0, 1, 2] != restored.cells[0, 1, 8]


def test_progress_shows_slices_iterations_and_each_finished_step(settings):
    seen = []
    finish(run(stack(), settings, load=FakeNetwork), seen.append)
    partials = [type(p.partial) for p in seen if p.partial is not None]
    assert partials.count(SliceResult) == 2
    assert partials.count(Iteration) == 2
    assert Closing in partials
    steps = list(dict.fromkeys(p.step for p in seen))
    assert steps == ["check", "preprocess", "contours", "closing", "cells", "verdict"]


@pytest.mark.parametrize("kind", [lambda folder: MemoryStore(), FolderStore])
def test_only_steps_behind_a_changed_setting_run_again(settings, tmp_path, kind):
    cache = kind(tmp_path)
    first = finish(run(stack(), settings, store=cache, load=FakeNetwork))
    assert FakeNetwork.loaded == ["contours", "closing"]
    again = dataclasses.replace(
        settings, closing=dataclasses.replace(settings.closing, unite=False)
    )
    second = finish(run(stack(), again, store=cache, load=FakeNetwork))
    assert FakeNetwork.loaded == ["contours", "closing", "closing"]
    assert np.array_equal(first.contours, second.contours)
    assert set(second.seconds) == {"closing", "cells", "verdict"}
    third = finish(run(stack(3), again, store=cache, load=FakeNetwork))
    assert set(third.seconds) == {"preprocess", "contours", "closing", "cells", "verdict"}


def test_an_unknown_model_stops_before_any_work(settings):
    wrong = dataclasses.replace(settings, closing=ClosingParams(closing_model="no-such-model"))
    seen = []
    with pytest.raises(CopnetError, match="no-such-model"):
        finish(run(stack(), wrong, load=FakeNetwork), seen.append)
    assert seen == []


def test_nan_is_named_by_slice_and_repaired_when_asked(settings):
    data = stack().data.astype(np.float32)
    data[1, 2, 2] = np.nan
    broken = Stack(data)
    with pytest.raises(InputError, match="1"):
        finish(run(broken, settings, load=FakeNetwork))
    result = finish(run(broken, settings, repair=True, load=FakeNetwork))
    assert np.array_equal(result.closing.mask[0], result.closing.mask[1])
    assert np.isnan(data[1, 2, 2])


def test_a_blank_slice_is_skipped_and_has_no_cells(settings):
    data = stack(3).data.copy()
    data[1] = 77
    result = finish(run(Stack(data), settings, load=FakeNetwork))
    assert result.preprocessed.blank == (1,)
    assert not result.cells.labels[1].any()
    assert result.cells.labels[0].any() and result.cells.labels[2].any()
    assert any("1" in note for note in result.notes)


class Walls(FakeNetwork):
    """Takes pixels for contour that are clearly darker than tissue."""

    def predict(self, images, **options):
        images = np.asarray(images)[:, 0]
        # Above 0 but not sure where tissue is only a little darker.
        sure = np.where(images < -1.2, 0.95, np.where(images < -0.9, 0.2, 0.0))
        result = sure.astype(np.float32) if self.kind == "contours" else images
        for index, plane in enumerate(result):
            yield Progress(
                "predict", index + 1, len(images), "slices", partial=SliceResult(index, plane)
            )
        return result


def noisy(depth=2, side=96):
    """A grid of dark walls with noise."""
    rng = np.random.default_rng(0)
    image = np.full((side, side), 170.0)
    for line in range(8, side, 20):
        image[line : line + 3] = image[:, line : line + 3] = 80
    return np.clip(image + rng.normal(0, 8, (depth, side, side)), 1, 255).round()


@pytest.mark.parametrize("size", [0, 150])
@pytest.mark.parametrize("value", [0, 130])
def test_nothing_is_found_in_padding_in_either_frame(settings, size, value):
    data = noisy()
    outside = np.ones(data.shape, bool)
    outside[0, 18:80, 10:-14] = False
    outside[1, 10:84, 18:-18] = False
    data[outside] = value
    wanted = dataclasses.replace(
        settings,
        preprocess=PreprocessParams(size=size, align=False),
        cells=CellParams(min_size=5),
    )
    result = finish(run(Stack(data.astype(np.uint8)), wanted, load=Walls))
    padding = result.preprocessed.padding
    for values in (result.contours, result.closing.mask, result.cells.labels):
        assert not values[padding].any()
        assert values[~padding].any()
    restored = finish(restore(result))
    for values in (restored.contours, restored.closed, restored.cells):
        assert not values[outside].any()
        assert values[~outside].any()
    assert not restored.iterations[:, outside].any()


def test_cells_in_the_tissue_are_those_without_padding(settings):
    data = noisy()
    outside = np.ones(data.shape, bool)
    # Cut in the midst of cells.
    outside[:, 18:80, 18:80] = False
    wanted = dataclasses.replace(settings, preprocess=PreprocessParams(size=0, align=False))
    plain = finish(run(Stack(data), wanted, load=Walls))
    padded = finish(run(Stack(np.where(outside, 0, data)), wanted, load=Walls))
    contours = plain.closing.mask[~outside] != padded.closing.mask[~outside]
    assert contours.mean() < 0.01


def test_light_walls_are_noticed_recorded_and_seen_as_dark_ones(settings, tmp_path):
    from napari_copnet.runs.run_record import save_run

    data = noisy(side=160)
    plain = finish(run(Stack(data), settings, load=Walls))
    turned = finish(run(Stack(255 - data), settings, load=Walls))
    assert not plain.preprocessed.inverted and turned.preprocessed.inverted
    assert any("light" in note for note in turned.notes)
    np.testing.assert_array_equal(plain.closing.mask, turned.closing.mask)
    assert save_run(turned, None, settings, tmp_path)["inverted"]
    no = dataclasses.replace(settings, preprocess=PreprocessParams(size=0, invert="no"))
    assert not finish(run(Stack(255 - data), no, load=Walls)).preprocessed.inverted


def test_light_walls_that_were_seen_at_one_size_are_seen_so_at_the_size_taken(
    settings, monkeypatch
):
    """The size is chosen anew for inverted slices, at which nothing may look light any more."""
    asked = []

    def light(data, network, *_, **__):
        asked.append(max(data.shape[1:]))
        yield from ()
        return len(asked) == 1

    monkeypatch.setattr("napari_copnet.run_steps.light_membranes", light)
    auto, data = with_size(settings), dataclasses.replace(squares(), data=255 - squares().data)
    chosen = finish(run(data, auto, load=FakeNetwork))
    assert chosen.preprocessed.inverted and len(asked) == 1
    again = finish(run(data, chosen.settings(auto), load=FakeNetwork))
    assert again.preprocessed.inverted
    np.testing.assert_array_equal(again.cells.labels, chosen.cells.labels)


def test_padding_is_kept_with_a_run(settings, tmp_path):
    from napari_copnet.io.read import read_image
    from napari_copnet.proofreading.session_start import from_run_folder
    from napari_copnet.runs.run_record import save_run

    data = noisy()
    data[:, :20] = 0
    cache = FolderStore(tmp_path / "work")
    wanted = dataclasses.replace(settings, preprocess=PreprocessParams(size=0, align=False))
    result = finish(run(Stack(data), wanted, store=cache, load=Walls))
    again = finish(run(Stack(data), wanted, store=cache, load=Walls))
    np.testing.assert_array_equal(again.preprocessed.padding, result.preprocessed.padding)
    np.testing.assert_array_equal(again.preprocessed.padding_bits, result.preprocessed.padding_bits)
    record = save_run(result, finish(restore(result)), wanted, tmp_path / "run")
    assert record["padding_by_slice"] == pytest.approx([20 / 96] * 2, abs=1e-5)
    saved = np.asarray(read_image(tmp_path / "run" / "padding.tif").data)
    assert saved[:, :20].all() and not saved[:, 20:].any()
    excluded = from_run_folder(tmp_path / "run").excluded
    np.testing.assert_array_equal(excluded, saved > 0)


def squares():
    """Two slices of 100 px with square cells of 20 px, parted by dark lines 2 px wide."""
    image = np.full((2, 100, 100), 200, np.uint8)
    for start in range(0, 100, 20):
        image[:, start : start + 2] = image[:, :, start : start + 2] = 20
    return Stack(image, VoxelSize(0.1, 0.02, 0.02))


def with_size(settings, **size):
    return dataclasses.replace(settings, preprocess=PreprocessParams(align=False, **size))


@pytest.mark.parametrize("kind", [lambda folder: MemoryStore(), FolderStore])
def test_a_run_chooses_its_size_and_is_what_a_run_at_this_size_gives(settings, tmp_path, kind):
    auto, cache, seen = with_size(settings), kind(tmp_path), []
    chosen = finish(run(squares(), auto, store=cache, load=FakeNetwork), seen.append)
    assert list(dict.fromkeys(p.step for p in seen))[:3] == ["check", "sizes", "preprocess"]
    assert FakeNetwork.loaded == ["contours", "closing"]
    assert [one["size"] for one in chosen.size.tried] == [128, 192, 256]
    assert chosen.size.reason in chosen.notes
    assert max(chosen.contours.shape) == chosen.size.size
    # With the size given nothing runs again, and the settings of the run are those.
    given = chosen.settings(auto)
    assert given == with_size(settings, size=chosen.size.size)
    again = finish(run(squares(), given, store=cache, load=FakeNetwork))
    assert again.seconds == {}
    assert again.size is None
    alone = finish(run(squares(), given, load=FakeNetwork))
    assert np.array_equal(alone.cells.labels, chosen.cells.labels)
    # Nor is it tried anew.
    third = finish(run(squares(), auto, store=cache, load=FakeNetwork))
    assert third.seconds == {}
    assert third.size == chosen.size


def test_the_record_holds_the_sizes_tried_and_the_size_taken(settings, tmp_path):
    auto = with_size(settings)
    result = finish(run(squares(), auto, load=FakeNetwork))
    record = save_run(result, finish(restore(result)), auto, tmp_path)
    saved = json.loads((tmp_path / "run.json").read_text())
    assert saved["settings"]["preprocess"]["size"] == result.size.size == saved["size"]["size"]
    assert [one["size"] for one in saved["size"]["tried"]] == [128, 192, 256]
    assert saved["size"]["reason"] in record["notes"]
    plain = finish(run(squares(), with_size(settings, size=0), load=FakeNetwork))
    assert save_run(plain, None, with_size(settings, size=0), tmp_path / "b")["size"] is None


def test_the_membrane_width_decides_without_trying(settings):
    # Lines of 40 nm are 2 px wide, and 4 px at twice the size.
    result = finish(run(squares(), with_size(settings, membrane_width=40.0), load=FakeNetwork))
    assert result.contours.shape == (2, 200, 200)
    assert result.size.tried == ()
    assert "40 nm" in result.size.reason
    both = with_size(settings, size=100, membrane_width=40.0)
    with pytest.raises(CopnetError, match="Both a size and a membrane width"):
        finish(run(squares(), both, load=FakeNetwork))


class FaintNetwork(FakeNetwork):
    """Step 1 is unsure of one wall: the one between the two cells has a probability of 0.3."""

    def predict(self, images, **options):
        if self.kind != "contours":
            return (yield from super().predict(images, **options))
        result = np.where(np.asarray(images)[:, 0] < 0, np.float32(0.95), np.float32(0.05))
        result[:, 1:-1, 5] = np.where(result[:, 1:-1, 5] > 0.5, np.float32(0.3), np.float32(0.05))
        for index, plane in enumerate(result):
            yield Progress(
                "predict", index + 1, len(images), "slices", partial=SliceResult(index, plane)
            )
        return result


def at(settings, threshold):
    contours = dataclasses.replace(settings.contours, threshold=threshold)
    return dataclasses.replace(settings, contours=contours)


def test_a_lower_threshold_takes_a_faint_wall_for_contour(settings):
    usual = finish(run(stack(), settings, load=FaintNetwork))
    assert len(np.unique(usual.cells.labels[usual.cells.labels > 0])) == 1
    seen = []
    lower = finish(run(stack(), at(settings, 0.2), load=FaintNetwork), seen.append)
    assert np.array_equal(lower.contours[0] > 0.5, drawn())
    assert lower.contours[0, 1, 5] == pytest.approx(0.3 * 0.8 / (0.3 * 0.8 + 0.7 * 0.2))
    assert len(np.unique(lower.cells.labels[lower.cells.labels > 0])) == 2
    assert np.array_equal(lower.closing.iterations[0], lower.contours.astype(np.float16))
    slices = [told.partial.values for told in seen if isinstance(told.partial, SliceResult)]
    assert np.array_equal(slices[0] > 0.5, drawn())


@pytest.mark.parametrize("on_disk", [False, True])
def test_another_threshold_leaves_size_and_step_1_as_they_are(settings, tmp_path, on_disk):
    store = FolderStore(tmp_path / "work") if on_disk else MemoryStore()
    results, masks = [], []
    for threshold in (0.5, 0.2, 0.5):
        FakeNetwork.loaded.clear()
        work = run(stack(), at(settings, threshold), load=FaintNetwork, store=store)
        results.append(finish(work))
        # A folder keeps the newest only.
        masks.append(np.array(results[-1].closing.mask))
        # What follows Step 1 is done again; at one half it may be there still.
        assert ("contours" in FakeNetwork.loaded) == (len(results) == 1)
    first, other, again = results
    assert first.key == again.key != other.key
    assert np.array_equal(np.asarray(first.contours), np.asarray(again.contours))
    assert np.array_equal(masks[0], masks[2]) and not np.array_equal(masks[0], masks[1])


def test_contours_from_elsewhere_have_a_threshold_too(settings):
    walls = np.where(drawn(), np.float32(0.3), np.float32(0.05))
    walls = np.where(np.arange(11) == 0, np.float32(0.9), walls)
    given = Stack(np.stack([walls] * 2), VoxelSize(None, None, None), name="walls")
    moved = finish(run(stack(), at(settings, 0.2), contours=given, load=FakeNetwork))
    assert np.array_equal(moved.contours[0] > 0.5, drawn())
    plain = finish(run(stack(), settings, contours=given, load=FakeNetwork))
    assert not (plain.contours[0, :, 1:] > 0.5).any()


@pytest.mark.parametrize("threshold", [0.2, 0.8])
def test_the_verdict_on_step_1_does_not_depend_on_the_threshold(settings, threshold):
    usual = finish(run(stack(), settings, load=FaintNetwork)).verdict.measures
    moved = finish(run(stack(), at(settings, threshold), load=FaintNetwork)).verdict.measures
    for name in ("certainty", "decided", "dark", "width"):
        assert moved[name] == pytest.approx(usual[name], abs=1e-4), name
