"""Model folders and zips: what is saved comes back, and what is broken is said."""

import json
import zipfile

import numpy as np
import pytest

from made_networks import made_plan
from napari_copnet.errors import ModelError, OutputError
from napari_copnet.networks import package as packages
from napari_copnet.networks.model_zip import export_zip, import_zip
from napari_copnet.networks.package import (
    find_model,
    list_models,
    load_package,
    save_package,
)

WEIGHTS = {"a.weight": np.array([[0.5, -1.25]], np.float32), "b.bias": np.zeros(3, np.float32)}
CARD = {"data": "drawn by hand", "licence": "CC0", "command": "none", "scores": {"labelled": 0.5}}


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Keep the user's and the shipped models out of it."""
    monkeypatch.setenv(packages.MODELS_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setattr(packages, "SHIPPED", tmp_path / "shipped")
    return tmp_path


def save(folder, name="small", kind="closing", **options):
    plan = made_plan(2)
    return save_package(
        folder, name=name, kind=kind, plan=plan, weights=WEIGHTS, card=CARD, **options
    )


@pytest.mark.parametrize("half", [False, True])
def test_a_model_comes_back_as_saved(places, half):
    saved = save(places / "m", half=half)
    loaded = load_package(places / "m")
    assert loaded == saved
    assert loaded.plan == made_plan(2) and loaded.card["data"] == "drawn by hand"
    assert loaded.card["created"]
    weights = loaded.weights()
    assert weights.keys() == WEIGHTS.keys()
    for name, values in WEIGHTS.items():
        np.testing.assert_array_equal(weights[name], values)
        assert weights[name].dtype == np.float32


def test_second_names_of_shared_weights_are_not_stored(places):
    weights = {
        "encoder.conv.weight": np.ones(2, np.float32),
        "encoder.all_modules.0.weight": np.ones(2, np.float32),
        "decoder.encoder.conv.weight": np.ones(2, np.float32),
    }
    made = save_package(
        places / "m", name="m", kind="closing", plan=made_plan(2), weights=weights, card={}
    )
    assert list(made.weights()) == ["encoder.conv.weight"]


def test_weights_that_half_precision_can_not_hold_are_not_saved(places):
    large = {"a": np.array([1e6], np.float32)}
    common = {"name": "m", "kind": "closing", "plan": made_plan(2), "card": {}}
    with pytest.raises(ModelError, match="float16"):
        save_package(places / "m", weights=large, **common)
    assert not (places / "m").exists()
    made = save_package(places / "m", weights=large, half=False, **common)
    assert made.weights()["a"] == 1e6


@pytest.mark.parametrize("name", ["", "../up", "a/b", "default", ".hidden", "x" * 65, None])
def test_names_that_can_not_be(places, name):
    with pytest.raises(ModelError, match="can't be called"):
        save(places / "m", name=name)


def damage(folder, how):
    path = folder / "model.json"
    values = json.loads(path.read_text())
    weights = folder / "weights.safetensors"
    if how == "json":
        path.write_text("{")
    elif how == "deep json":
        path.write_text("[" * 100_000)
    elif how == "keys":
        path.write_text(json.dumps({**values, "run": "me"}))
    elif how == "format":
        path.write_text(json.dumps({**values, "format": 99}))
    elif how == "kind":
        path.write_text(json.dumps({**values, "kind": "other"}))
    elif how == "plan":
        path.write_text(json.dumps({**values, "plan": {}}))
    elif how == "cut weights":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif how == "no weights":
        weights.unlink()
    elif how == "no json":
        path.unlink()


WAYS = [
    "json", "deep json", "keys", "format", "kind", "plan", "cut weights", "no weights", "no json",
]  # fmt: skip


@pytest.mark.parametrize("how", WAYS)
def test_a_broken_model_is_a_sentence_and_a_hint(places, how):
    save(places / "m")
    damage(places / "m", how)
    with pytest.raises(ModelError) as caught:
        load_package(places / "m")
    assert caught.value.message.endswith(".") and caught.value.hint


def test_weights_that_are_no_safetensors_are_refused_even_with_the_right_hash(places):
    made = save(places / "m")
    data = b"\x80\x04" + bytes(100)
    (places / "m" / "weights.safetensors").write_bytes(data)
    import dataclasses
    import hashlib

    forged = dataclasses.replace(made, sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(ModelError, match="can't be read"):
        forged.weights()


def test_models_are_found_by_name_path_and_default(places):
    save(places / "shipped" / "closing", name="tissue-closing")
    save(places / "models" / "mine", name="mine")
    save(places / "elsewhere", name="far")
    assert find_model("default", "closing").name == "tissue-closing"
    assert find_model("tissue-closing", "closing").name == "tissue-closing"
    assert find_model("mine", "closing").folder == places / "models" / "mine"
    assert find_model(places / "elsewhere", "closing").name == "far"
    assert [model.name for model in list_models()] == ["tissue-closing", "mine"]


def test_an_unknown_model_lists_those_known(places):
    save(places / "models" / "mine", name="mine")
    save(places / "models" / "step1", name="step1", kind="contours")
    with pytest.raises(ModelError, match="no closing model 'yours'") as caught:
        find_model("yours", "closing")
    assert "default, shipped, mine;" in caught.value.hint


def test_a_model_of_the_other_kind_is_refused(places):
    save(places / "models" / "step1", name="step1", kind="contours")
    with pytest.raises(ModelError, match="is a contours model"):
        find_model("step1", "closing")


def test_a_broken_model_is_left_out_of_the_list_but_explained_by_name(places):
    save(places / "models" / "mine", name="mine")
    damage(places / "models" / "mine", "keys")
    assert list_models() == []
    with pytest.raises(ModelError, match="keys of a model"):
        find_model("mine", "closing")


def test_a_zip_carries_a_model(places):
    made = save(places / "m")
    path = export_zip(made, places / "m.zip")
    imported = import_zip(path)
    assert imported.folder == places / "models" / "small"
    assert imported.sha256 == made.sha256
    with pytest.raises(ModelError, match="already"):
        import_zip(path)
    assert import_zip(path, replace=True).sha256 == made.sha256
    # Under a name of the user's choice, both are there.
    again = import_zip(path, name="other")
    assert (again.name, again.folder) == ("other", places / "models" / "other")
    assert again.sha256 == made.sha256
    assert find_model("other", made.kind).card == made.card
    assert find_model(made.name, made.kind).name == made.name


def test_a_zip_can_not_write_where_it_should_not(places):
    save(places / "m")
    model_json = json.loads((places / "m" / "model.json").read_text())
    weights = (places / "m" / "weights.safetensors").read_bytes()
    model_json["name"] = "../outside"
    for members in (
        {"../model.json": b"{}", "weights.safetensors": weights},
        {"model.json": b"{}", "weights.safetensors": weights, "extra.py": b""},
        {"model.json": json.dumps(model_json).encode(), "weights.safetensors": weights},
        {"model.json": b"{}"},
        {"model.json": b" " * (2 << 20), "weights.safetensors": weights},
    ):
        with zipfile.ZipFile(places / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        with pytest.raises(ModelError):
            import_zip(places / "bad.zip")
    assert sorted(path.name for path in places.iterdir()) == ["bad.zip", "m"]


def test_a_zip_with_other_weights_is_not_taken_in(places):
    made = save(places / "m")
    with zipfile.ZipFile(places / "bad.zip", "w") as archive:
        archive.write(made.folder / "model.json", "model.json")
        archive.writestr("weights.safetensors", b"other")
    with pytest.raises(ModelError, match="do not match"):
        import_zip(places / "bad.zip")
    assert not (places / "models" / "small").exists()


def test_what_is_no_zip(places):
    (places / "no.zip").write_bytes(b"no")
    for path in (places / "no.zip", places / "absent.zip"):
        with pytest.raises(ModelError, match="not a readable zip"):
            import_zip(path)


def test_no_place_to_write_is_an_output_error(places):
    (places / "file").write_text("")
    with pytest.raises(OutputError):
        save(places / "file" / "m")
