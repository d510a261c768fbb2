"""The gallery: what "default" means, and that what is discarded can come back."""

import pytest

from napari_copnet.errors import ModelError, OutputError
from napari_copnet.networks.package import (
    SHIPPED,
    adopt,
    find_model,
    list_models,
    load_package,
    save_package,
)
from napari_copnet.teaching import gallery


@pytest.fixture
def mine(models, tiny_models):
    """A fine-tuned model of the user's own."""
    tiny = load_package(tiny_models["contours"])
    return save_package(
        models / "mine",
        name="mine",
        kind="contours",
        plan=tiny.plan,
        weights=tiny.weights(),
        card={
            "parent": {"name": "default-contours", "sha256": "ab"},
            "learnt": [{"stack": "x", "slices": [0, 10]}],
        },
    )


def test_adopted_is_default_until_another_is(mine):
    assert find_model("default", "contours").folder == SHIPPED / "contours"
    adopt(mine)
    assert find_model("default", "contours").folder == mine.folder
    # the other kind and the shipped one by name are as before
    assert find_model("default", "closing").folder == SHIPPED / "closing"
    assert find_model("shipped", "contours").folder == SHIPPED / "contours"
    gallery.adopt_shipped("contours")
    assert find_model("default", "contours").folder == SHIPPED / "contours"


def test_the_gallery_shows_parents_and_which_is_adopted(mine):
    adopt(mine)
    shown = {entry.model.name: entry for entry in gallery.entries()}
    assert shown["mine"].adopted and not shown["mine"].shipped
    assert shown["mine"].parent == "default-contours" and shown["mine"].slices == 2
    assert "from default-contours, 2 annotated slices" in shown["mine"].text
    first = gallery.entries("contours")[0]
    assert first.shipped and not first.adopted
    assert {entry.model.kind for entry in gallery.entries("closing")} == {"closing"}


def test_discarded_is_out_of_every_list_and_comes_back(mine):
    adopt(mine)
    work = mine.folder.with_name("mine.training")
    work.mkdir()
    (work / "losses.csv").write_text("epoch\n")
    gallery.discard(mine)
    assert "mine" not in {model.name for model in list_models()} and not work.exists()
    assert find_model("default", "contours").folder == SHIPPED / "contours"
    assert [model.name for model in gallery.discarded()] == ["mine"]
    back = gallery.restore("mine")
    assert back.sha256 == mine.sha256 and back.folder == mine.folder
    assert (work / "losses.csv").exists() and gallery.discarded() == []
    with pytest.raises(ModelError, match="was discarded"):
        gallery.restore("mine")


def test_of_two_of_one_name_the_last_discarded_comes_back_and_nothing_is_overwritten(
    mine, tiny_models
):
    first = mine.sha256
    gallery.discard(mine)
    tiny = load_package(tiny_models["contours"])
    weights = {name: values + 1 for name, values in tiny.weights().items()}
    second = save_package(
        mine.folder, name="mine", kind="contours", plan=tiny.plan, weights=weights, card={}
    )
    with pytest.raises(ModelError, match="already a model"):
        gallery.restore("mine")
    gallery.discard(second)
    assert gallery.restore("mine").sha256 == second.sha256
    gallery.discard(load_package(mine.folder))
    assert {model.sha256 for model in gallery.discarded()} == {first, second.sha256}


def test_shipped_and_foreign_models_are_neither_discarded_nor_adopted(models, tiny_models):
    with pytest.raises(ModelError, match="came with the package"):
        gallery.discard(find_model("shipped", "closing"))
    foreign = load_package(tiny_models["contours"])
    for refuse in (gallery.discard, adopt):
        with pytest.raises(ModelError, match="is not in the models folder"):
            refuse(foreign)


def test_an_adopted_model_that_is_gone_is_told(mine):
    adopt(mine)
    mine.folder.rename(mine.folder.with_name("elsewhere"))
    with pytest.raises(ModelError, match="adopted contours model 'mine' no longer exists"):
        find_model("default", "contours")
    assert [entry.model.name for entry in gallery.entries("closing")] == ["default-closing"]
    adopt(find_model("shipped", "contours"))
    assert find_model("default", "contours").folder == SHIPPED / "contours"


def test_a_folder_export_is_a_model(mine, tmp_path):
    out = gallery.export_folder(mine, tmp_path / "given")
    assert load_package(out).sha256 == mine.sha256
    with pytest.raises(OutputError, match="already holds an earlier result"):
        gallery.export_folder(mine, out)
