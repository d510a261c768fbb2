"""How closing went: by slice, for a wall, and scores by edit."""

import numpy as np
import pytest
from drawn_contours import two_rooms

from napari_copnet.evaluation.scores import evaluate
from napari_copnet.params import CellParams
from napari_copnet.progress import finish
from napari_copnet.proofreading.closing_history import (
    Birth,
    birth_of,
    closing_by_slice,
    scores_by_edit,
)
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start


@pytest.fixture
def session(tmp_path):
    """Slice 0 never changes; in 1 a pixel comes in iteration 2; in 2 one comes and goes."""
    contour = two_rooms(slices=3)
    contour[1, 3, 4] = 1
    iterations = np.repeat(contour[None] * np.float32(0.9), 4, axis=0)
    iterations[:2, 1, 3, 4] = 0.2, 0.4
    iterations[1::2, 2, 0, 0] = 0.8
    converged = np.array([True, True, False])
    start = Start(
        contour,
        iterations[0],
        iterations=iterations,
        converged=converged,
        cells=CellParams(min_size=0),
        record={"settings": {"closing": {"unite": False}}},
    )
    with Session.create(tmp_path / "s", start) as opened:
        yield opened


def patch(z, *points):
    mask = np.zeros((7, 9), bool)
    for point in points:
        mask[point] = True
    return Patch.of(z, mask)


def test_slices_that_settled_changed_or_go_to_and_fro(session):
    found = finish(closing_by_slice(session))
    assert [c.state for c in found] == ["converged", "converged", "oscillates"]
    assert found[0].changed == (0, 0, 0)
    assert np.allclose(found[1].changed, (0, 1 / 63, 0))
    assert np.allclose(found[2].changed, [1 / 63] * 3)


def test_a_wall_is_born_with_its_last_pixel(session):
    assert birth_of(session, patch(1, (0, 4), (1, 4))).iteration == 0
    birth = birth_of(session, patch(1, (2, 4), (3, 4)))
    assert birth.iteration == 2
    assert np.allclose(birth.probability, (0.55, 0.65, 0.9, 0.9), atol=1e-3)
    assert birth.text.startswith("Closed in iteration 2; ")
    assert birth_of(session, patch(1, (3, 1))).iteration is None
    assert birth_of(session, patch(2, (0, 0))).iteration == 3


def test_of_many_iterations_the_sentence_tells_the_first_and_the_last():
    text = Birth(3, tuple(n / 20 for n in range(12))).text
    assert text.endswith("0.00 → 0.05 → 0.10 → 0.15 → 0.20 → 0.25 → … → 0.55.")
    assert "…" not in Birth(None, (0.1,) * 7).text


def test_without_iterations_nothing_is_known(tmp_path, rooms):
    with Session.create(tmp_path / "other", rooms) as session:
        assert (
            finish(closing_by_slice(session)) == [] and birth_of(session, patch(1, (0, 4))) is None
        )


def test_scores_by_edit_are_those_of_each_state(tmp_path):
    contour = two_rooms(slices=3, height=60, width=101)
    contour[1, :, 50] = 1
    truth = np.zeros(contour.shape, np.uint8)
    truth[:, :, :50], truth[:, :, 51:] = 1, 2
    start = Start(contour, contour * np.float32(0.9), cells=CellParams(min_size=0))
    with Session.create(tmp_path / "large", start) as session:
        states = [session.contour.copy()]
        for z in (1, 2, 1):
            gap = np.zeros(contour.shape[1:], bool)
            gap[15:45, 50] = True
            session.apply(Edit("flip", (Flip("contour", Patch.of(z, gap)),)))
            states.append(session.contour.copy())
        session.apply(Edit("flip", (Flip("contour", patch(0, (0, 0))),)))
        session.undo()
        work = scores_by_edit(np.array(session.contour), session.history.packed(), truth)
        told = [p.partial for p in work if p.partial is not None]
    assert [position for position, _ in told] == [0, 1, 2, 3]
    for (_, scores), contour in zip(told, states, strict=True):
        whole = finish(evaluate(contour, truth))
        for name, value in scores.items():
            assert np.isclose(value, whole.mean(name))
    merged = [scores["merged"] for _, scores in told]
    assert merged[0] == 0 < merged[1] < merged[2] > merged[3] > 0


def test_a_slice_of_the_truth_with_a_single_cell_holds_a_cell():
    """Alone it would look like a mask, whose marked pixels are contour."""
    contour = np.zeros((2, 40, 60), np.uint8)
    contour[:, [0, -1]] = contour[:, :, [0, 20, 40, -1]] = 1
    truth = np.zeros(contour.shape, np.uint16)
    truth[0, 1:-1, 1:20], truth[0, 1:-1, 21:40], truth[0, 1:-1, 41:-1] = 1, 2, 3
    truth[1, 1:-1, 21:40] = 1
    (first,) = [p.partial for p in scores_by_edit(contour, [], truth) if p.partial is not None]
    whole = finish(evaluate(contour, truth))
    assert first == (0, {name: whole.mean(name) for name in ("labelled", "merged", "split")})
    assert [one.cells for one in whole.slices] == [3, 1]
