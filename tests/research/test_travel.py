"""What the travel table writes into the cards of models."""

import numpy as np
import pytest

from made_networks import made_network, made_plan, weights_of
from napari_copnet.networks.model_card import tissue_scores
from napari_copnet.networks.package import KINDS, load_package, save_package
from research import travel


@pytest.fixture
def models(tmp_path):
    for kind in KINDS:
        save_package(
            tmp_path / kind,
            name=kind,
            kind=kind,
            plan=made_plan(),
            weights=weights_of(made_network(made_plan(), 1)),
            card={"steps": 3},
        )
    return tmp_path


def row(model, before, after):
    scores = {"Step 1": {"labelled": before}, "closed": {"labelled": after}}
    return {"data": "fly", "knows": "saw it", "size": 64, "model": model, "scores": scores}


def test_cards_get_the_scores_of_the_default_models_and_keep_the_rest(models):
    before = {kind: load_package(models / kind) for kind in KINDS}
    travel.write_cards([row("contours-without-fly", 0.1, 0.2), row("default", 0.5, 0.75)], models)
    for kind in KINDS:
        model = load_package(models / kind)
        assert [(one.before, one.after) for one in tissue_scores(model.card)] == [(0.5, 0.75)]
        assert model.card["steps"] == 3 and model.sha256 == before[kind].sha256
        for name, values in model.weights().items():
            np.testing.assert_array_equal(values, before[kind].weights()[name])


@pytest.mark.parametrize("more", [["--sets", "fib25"], ["--closing", "other"], []])
def test_cards_are_not_written_from_part_of_the_sets_or_for_other_models(models, more, capsys):
    with pytest.raises(SystemExit):
        travel.main(["--data", "d", "--models", "m", "--out", "o", "--cards", str(models), *more])
    assert "--cards needs" in capsys.readouterr().err or not more
    assert "tissues" not in load_package(models / "contours").card
