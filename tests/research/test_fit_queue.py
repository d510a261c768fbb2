"""The queue's weights: the fit against an independent one, and what examples say of drawn walls."""

import json

import numpy as np
import pytest
from scipy import optimize

from napari_copnet.boundaries.gaps import CLOSURE, GAP, SPLIT, Membrane, Suspect
from napari_copnet.params import CellParams
from napari_copnet.progress import finish
from napari_copnet.proofreading.error_probability import (
    DRAWN,
    FEATURES,
    MISSING,
    OF_IMAGE,
    WEIGHTS_FILE,
    features,
    judged,
    read_weights,
    weights_for,
)
from napari_copnet.proofreading.session_start import Start
from research.fit_queue import examples, fit, logistic_fit, write
from research.known_runs import KnownRun

NONE = np.zeros(0, np.int64)


def rooms(closed):
    """Two rooms of 40×40 px, and a doorway between them that is open or closed."""
    contour = np.ones((44, 86), np.uint8)
    contour[2:42, 2:42] = contour[2:42, 44:84] = 0
    if not closed:
        contour[20:24, 42:44] = 0
    return contour


def test_the_fit_is_where_the_penalised_likelihood_is_highest():
    rng = np.random.default_rng(3)
    values = np.column_stack([np.ones(300), rng.normal(2, 3, 300), rng.normal(size=300)])
    outcome = (rng.random(300) < 1 / (1 + np.exp(1 - values[:, 1] + 2 * values[:, 2]))) * 1.0
    spread = values[:, 1:].std(axis=0)

    def loss(weights):
        strength = values @ weights
        fits = np.logaddexp(0, strength) - outcome * strength
        return fits.sum() + 0.5 * 2.0 * ((weights[1:] * spread) ** 2).sum()

    reference = optimize.minimize(loss, np.zeros(3), tol=1e-10).x
    assert logistic_fit(values, outcome, ridge=2.0) == pytest.approx(reference, abs=2e-2)


def test_examples_tell_a_missing_wall_and_a_false_one():
    closed, opened = rooms(True), rooms(False)

    def wins(contour, truth):
        stack = np.stack([contour] * 2)
        start = Start(stack, stack * np.float32(0.9), cells=CellParams(min_size=0))
        known = KnownRun("rooms", start, np.stack([truth] * 2) > 0)
        return finish(examples(known))

    # Truth has two rooms and the doorway is open: drawing the wall wins both cells.
    found = wins(opened, closed)
    assert not len(found[DRAWN])
    wrong, gain = found[MISSING][:, -2], found[MISSING][:, -1]
    assert gain.max() == 2 and wrong[gain == 2].all()
    # Truth is one cell and a wall is drawn: taking it away wins one.
    found = wins(closed, opened)
    assert found[DRAWN][:, -2:].tolist() == [[1, 1]] * 2
    # All is right.
    found = wins(closed, closed)
    assert found[DRAWN][:, -2:].tolist() == [[0, -2]] * 2


def test_fitted_weights_are_written_and_read_back(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, len(FEATURES)))
    values[:, 0] = 1
    wrong = (values[:, 7] > 0) * 1.0
    block = {sort: np.column_stack([values, wrong, 2 * wrong]) for sort in (DRAWN, MISSING)}
    fitted = fit([block, block])
    write({"fitted to": ["here"], "weights": fitted}, tmp_path / "weights.json")
    read = read_weights(tmp_path / "weights.json")
    assert read[DRAWN].gain == 2 and np.argmax(np.abs(read[MISSING].wins)) == 7
    assert fitted[DRAWN]["examples"] == 400 and fitted[DRAWN]["errors"] == 2 * wrong.sum()


def test_without_an_image_what_it_tells_has_no_weight():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(300, len(FEATURES)))
    values[:, 0] = 1
    # The image tells it, and the probability half of it.
    image, half = FEATURES.index(OF_IMAGE[0]), 1
    wrong = (values[:, image] + 0.5 * values[:, half] > 0) * 1.0
    block = {sort: np.column_stack([values, wrong, wrong]) for sort in (DRAWN, MISSING)}
    fitted = fit([block])
    seen, blind = (fitted[weights_for(MISSING, seen)]["error"] for seen in (True, False))
    assert seen[OF_IMAGE[0]] > seen[FEATURES[half]] > 0
    assert blind[FEATURES[half]] > 0 and not any(blind[name] for name in OF_IMAGE)


def suspect(kind, probability, fits, membrane=None):
    return Suspect(
        kind, NONE, (NONE, NONE), 500, 1500, probability, probability, probability, 0.5, 0.0, fits,
        0.5, 0.2, 0.4, 0.3, 5.0, (12.0, 20.0), (0.9, 0.9, 0.8), membrane,
    )  # fmt: skip


def test_the_shipped_weights_know_what_speaks_for_a_wall():
    record = json.loads(WEIGHTS_FILE.read_text())
    # Nothing that the queue is measured on.
    assert not any("isbi" in name or "seed 21" in name for name in record["fitted to"])
    apart, whole = (0.9, 0.9, 0.4), (0.3, 0.5, 0.9)
    for kind, more in ((GAP, apart), (CLOSURE, whole)):
        less = whole if more == apart else apart
        # Cells of the slices around that fit both sides speak for a wall, one that fits both
        # together against it.
        assert judged(suspect(kind, 0.3, more), 1000) > judged(suspect(kind, 0.3, less), 1000)


def test_the_shipped_weights_believe_the_image():
    seen, bare = Membrane(2.0, 0.5, 0.95, 5.0), Membrane(-3.0, -4.0, 0.05, 0.0)
    fits = (0.6, 0.6, 0.6)
    for kind, more, less in ((GAP, seen, bare), (SPLIT, bare, seen)):
        first, second = (suspect(kind, 0.4, fits, membrane) for membrane in (more, less))
        assert judged(first, 1000) > judged(second, 1000)
        assert features(first, 1000)[-len(OF_IMAGE) :] == tuple(vars(more).values())
    # Without one there is an answer between.
    blind = suspect(GAP, 0.4, fits)
    assert not any(features(blind, 1000)[-len(OF_IMAGE) :])
    assert 0 < judged(blind, 1000)[0] < judged(suspect(GAP, 0.4, fits, seen), 1000)[0]
