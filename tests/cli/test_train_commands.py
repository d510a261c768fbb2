"""`copnet train`: what the options name reaches the training, and what does not pair up is said."""

import json
from types import SimpleNamespace

import pytest

from napari_copnet.params import DegradeParams, TrainParams
from napari_copnet.training.sources import Source, SyntheticTissue


@pytest.fixture
def asked(monkeypatch):
    """Every training asked for, in place of doing it."""
    seen = []

    def train(*given, **named):
        seen.append((given, named))
        return SimpleNamespace(
            name="n", kind=given[0], sha256="0", folder=given[2], card={"scores": {"epoch": 1}}
        )
        yield

    monkeypatch.setattr("napari_copnet.training.fit.train", train)
    return seen


def test_options_reach_the_training_of_a_closing_network(asked, answer, tmp_path):
    result = answer(
        "train", "closing", "--truth", "a.tif", "--truth", "b.tif", "--contours", "u.tif",
        "--contours", "v.tif", "--slices", "0-9", "--validation", "12", "--validation", "14",
        "--planes", "xy, xz", "--zero", "contour", "--truth-kind", "labels", "--synthetic", "3",
        "--synthetic-kind", "tumour",
        "--epochs", "7", "--radius-max", "9", "--input-size", "256", "--contour-width", "2",
        "--name", "mine", "--licence", "CC0", "--resume", "--out", tmp_path / "m",
    )  # fmt: skip
    ((kind, sources, out, params, degrade), named) = asked[0]
    assert (kind, out) == ("closing", tmp_path / "m")
    first, second, made = sources
    shared = {"slices": "0-9", "planes": ("xy", "xz"), "truth_kind": "labels", "zero": "contour"}
    for source, name, contours, held in (
        (first, "a.tif", "u.tif", "12"),
        (second, "b.tif", "v.tif", "14"),
    ):
        assert isinstance(source, Source) and source.image is None
        assert (source.truth.name, source.contours.name) == (name, contours)
        assert source.validation == held
        assert {key: getattr(source, key) for key in shared} == shared
    assert made == SyntheticTissue(count=3, kind="tumour")
    assert params == TrainParams(epochs=7) and degrade == DegradeParams(radius_max=9)
    assert named.pop("card")["licence"] == "CC0"
    assert named.pop("device").device == "auto"
    assert named == {
        "start_from": None, "resume": True, "replace": False, "name": "mine", "size": 256,
        "width": 2.0,
    }  # fmt: skip
    assert result["scores"] == {"epoch": 1} and result["kind"] == "closing"


def test_the_contour_network_learns_from_images(asked, answer, tmp_path):
    answer("train", "contours", "--truth", "a.tif", "--image", "i.tif", "--out", tmp_path / "m")
    ((kind, (source,), _, _, degrade), _) = asked[0]
    assert kind == "contours" and degrade is None
    assert source.image.name == "i.tif" and source.contours is None and source.validation == ""


def test_a_partner_for_some_truths_only_is_refused(asked, copnet, tmp_path):
    for option in ("--image", "--slices", "--validation"):
        values = [option, "x.tif"] if option == "--image" else [option, "1", option, "2"]
        truths = ["--truth", "a.tif", "--truth", "b.tif", "--truth", "c.tif"]
        done = copnet("train", "contours", *truths, *values, "--out", tmp_path / "m", "--json")
        assert done.exit_code == 1 and option in json.loads(done.stdout)["error"]
    assert asked == []


def test_options_are_understood_by_the_names_they_had_before(asked, answer, copnet, tmp_path):
    common = ("train", "closing", "--truth", "a.tif", "--out", tmp_path / "m")
    answer(*common, "--made", "3", "--no-harder")
    ((_, sources, _, params, _), _) = asked[0]
    assert sources[-1] == SyntheticTissue(count=3) and params == TrainParams(artefacts=False)
    shown = copnet("train", "closing", "--help").output
    assert "--synthetic" in shown and "--made" not in shown and "--harder" not in shown
