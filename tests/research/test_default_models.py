"""What the default models learn from, and the average that ships."""

import numpy as np

from made_networks import made_network, made_plan, weights_of
from napari_copnet.networks.package import load_package, save_package
from research.default_models import averaged, with_offset
from research.default_sources import default_sources


def package(folder, seed):
    plan = made_plan()
    return save_package(
        folder,
        name=folder.name,
        kind="contours",
        plan=plan,
        weights=weights_of(made_network(plan, seed)),
        card={"steps": seed},
    )


def test_an_average_has_the_weights_in_between_and_says_so(tmp_path):
    before, after = package(tmp_path / "before", 1), package(tmp_path / "after", 2)
    old, new = before.weights(), after.weights()
    made = averaged(before, after, 0.25)
    assert made.folder == after.folder and made.card["steps"] == 2
    assert made.card["averaged_with"] == {"sha256": before.sha256, "share": 0.25}
    for name, values in load_package(tmp_path / "after").weights().items():
        # Packages keep weights in half precision.
        expected = 0.25 * old[name].astype(np.float32) + 0.75 * new[name].astype(np.float32)
        np.testing.assert_allclose(values, expected, atol=2e-3)


def test_a_model_for_the_travel_table_has_not_seen_what_it_is_scored_on(tmp_path):
    import tifffile

    (tmp_path / "chm-sbfsem").mkdir()
    tifffile.imwrite(tmp_path / "chm-sbfsem" / "valid.tif", np.full((700, 64), 255, np.uint8))
    for left_out in ("fib25", "snemi3d"):
        sources = default_sources(f"contours-without-{left_out}", tmp_path, tmp_path / "out")
        named = {source.truth.parent.name for source in sources if hasattr(source, "truth")}
        assert left_out not in named
        assert {"fib25", "snemi3d"} - named == {left_out}
    everything = default_sources("contours", tmp_path, tmp_path / "out")
    named = {source.truth.parent.name for source in everything if hasattr(source, "truth")}
    assert named >= {"fib25", "snemi3d", "chm-sbfsem", "platelets"} and "isbi2012" not in named
    mask = tifffile.imread(tmp_path / "out" / "chm-sbfsem-top.tif")
    assert mask[:350].all() and not mask[350:].any()


def test_an_offset_makes_contour_likelier_everywhere_by_the_same_odds(tmp_path):
    import torch

    from napari_copnet.networks.architecture import network_with_weights

    def logit(model):
        weights = {name: values.astype(np.float32) for name, values in model.weights().items()}
        with torch.no_grad():
            image = torch.arange(32.0 * 32).reshape(1, 1, 32, 32)
            seen = network_with_weights(model.plan, weights)(image)
        return (seen[0, 1] - seen[0, 0]).numpy()

    model = package(tmp_path / "model", 3)
    before = logit(model)
    moved = with_offset(model, 0.75)
    np.testing.assert_allclose(logit(moved) - before, 0.75, atol=2e-3)
    assert moved.card["logit_offset"] == 0.75
