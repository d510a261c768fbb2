"""What a card says, and that cards from elsewhere can say anything."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_copnet.networks.model_card import (
    card_lines,
    learning_curve,
    tissue_scores,
    training_scores,
)
from napari_copnet.networks.package import find_model, load_package, save_package

ROW = {"data": "cortex, slices 0–9", "knows": "never saw it", "size": 512, "before": 0.514,
       "after": 0.6}  # fmt: skip


def with_card(model, folder, **card):
    found = load_package(model)
    return save_package(
        folder, name="small", kind=found.kind, plan=found.plan, weights=found.weights(), card=card
    )


def test_a_card_tells_the_tissues_it_was_tried_on(tiny_models, tmp_path):
    model = with_card(
        tiny_models["contours"],
        tmp_path / "model",
        data=["fly at 512 px", "mouse"],
        seconds=5400,
        device="cpu",
        steps=7,
        scores={"validation_dice": 0.712, "epoch": 3},
        curve=[[2, 0.5], [4, 0.66], [7, 0.712]],
        tissues=[ROW],
        licence="CC BY",
        parent={"name": "older"},
    )
    assert card_lines(model)[2:] == [
        f"  made: {model.card['created'][:10]}",
        "  began as: older",
        "  trained: 90 minutes on cpu, 7 steps",
        "  scores: contour Dice on held-out slices 71.2 %, 3 epochs",
        "  contour Dice on the way: 50.0 % after 2 steps, 66.0 % after 4 steps, "
        "71.2 % after 7 steps",
        "  learnt from:",
        "    fly at 512 px",
        "    mouse",
        "  labelled in slices that it has not learnt from:",
        "    51 % of the cells of cortex, slices 0–9 (never saw it), 60 % after closing, at 512 px",
        "  licence: CC BY",
    ]


@pytest.mark.parametrize(
    "wrong", [{"before": "much"}, {"size": None}, {"after": 1.2}, {"before": float("nan")}]
)
def test_rows_that_are_no_scores_are_left_out(wrong):
    assert len(tissue_scores({"tissues": [{**ROW, **wrong}, ROW]})) == 1


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(anything, anything, anything | st.lists(st.lists(anything, min_size=2, max_size=2)))
def test_no_card_from_elsewhere_raises(tissues, scores, curve):
    tissue_scores({"tissues": tissues})
    training_scores({"scores": scores})
    learning_curve({"curve": curve})


def test_of_a_long_curve_evenly_spaced_points_are_told():
    curve = [[100 * n, n / 10] for n in range(1, 10)]
    told = learning_curve({"curve": curve})
    assert told.split(", ") == [f"{n}0.0 % after {n}00 steps" for n in (1, 3, 5, 7, 9)]
    assert learning_curve({"curve": curve[:1]}) == learning_curve({}) == ""


@pytest.mark.parametrize("kind", ["contours", "closing"])
def test_shipped_cards_say_how_the_models_do_on_unseen_tissue(kind):
    found = tissue_scores(find_model("default", kind).card)
    assert {one.knows for one in found} >= {"never saw it", "saw other slices of it"}
    assert json.dumps(find_model("default", kind).card["tissues"])
