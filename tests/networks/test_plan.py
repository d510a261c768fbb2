"""Plans are plain values: all that is not understood is refused, and nothing is imported."""

import copy
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_networks import made_plan, nnunet_plans
from napari_copnet.errors import ModelError
from napari_copnet.networks.plan import plan_from_dict, plan_from_nnunet

GOOD = made_plan(2).as_dict()


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("residual", [False, True])
def test_a_plan_survives_json(dimensions, residual):
    plan = made_plan(dimensions, residual=residual)
    assert plan_from_dict(json.loads(json.dumps(plan.as_dict()))) == plan
    assert plan.dimensions == dimensions and plan.tile_size == plan.patch_size
    assert plan.total_stride == (4,) * dimensions


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("architecture", "os.system"),
        ("dimensions", 4),
        ("in_channels", 0),
        ("in_channels", True),
        ("classes", 1),
        ("features_per_stage", [4, 8]),
        ("features_per_stage", [4, 8, 10**9]),
        ("kernel_sizes", [[3, 3], [2, 3], [3, 3]]),
        ("kernel_sizes", [[3, 3], [3, 3, 3], [3, 3]]),
        ("strides", [[2, 2], [2, 2], [2, 2]]),
        ("n_conv_per_stage_decoder", [2, 2, 2]),
        ("patch_size", [30, 32]),
        ("patch_size", "32"),
        ("tile_size", [1 << 20, 32]),
        ("normalisation", ["ct"]),
        ("normalisation", ["none", "none"]),
        ("spacing", [1.0, float("nan")]),
        ("spacing", [1.0]),
        ("mirror_axes", [2]),
        ("mirror_axes", [0, 0]),
    ],
)
def test_values_that_can_not_be_are_refused(key, value):
    with pytest.raises(ModelError, match=f"has ({key}|n_conv_per_stage) ="):
        plan_from_dict({**GOOD, key: value})


def test_unknown_and_missing_keys_are_named():
    with pytest.raises(ModelError, match="unknown key 'extra'"):
        plan_from_dict({**GOOD, "extra": 1})
    with pytest.raises(ModelError, match="no 'strides'"):
        plan_from_dict({key: value for key, value in GOOD.items() if key != "strides"})
    with pytest.raises(ModelError):
        plan_from_dict([1])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(key=st.sampled_from(sorted(GOOD)), value=JSON)
def test_any_json_gives_a_plan_or_a_model_error(key, value):
    try:
        plan = plan_from_dict({**GOOD, key: value})
    except ModelError:
        return
    assert plan_from_dict(plan.as_dict()) == plan


def edited(path, value):
    plans, dataset, configuration = copy.deepcopy(nnunet_plans())
    here = plans["configurations"]["2d"]
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    return plans, configuration, dataset


HOSTILE = "made_hostile_module.Payload"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("architecture", "network_class_name"), "os.system"),
        (("architecture", "network_class_name"), HOSTILE),
        (("architecture", "arch_kwargs", "conv_op"), HOSTILE),
        (("architecture", "arch_kwargs", "norm_op"), HOSTILE),
        (("architecture", "arch_kwargs", "nonlin"), HOSTILE),
        (("architecture", "arch_kwargs", "nonlin"), ["torch.nn.LeakyReLU"]),
        (("normalization_schemes",), [HOSTILE]),
        (("preprocessor_name",), HOSTILE),
    ],
)
def test_names_outside_the_allow_lists_are_refused_and_not_imported(
    path, value, tmp_path, monkeypatch
):
    (tmp_path / "made_hostile_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match="not allowed"):
        plan_from_nnunet(*edited(path, value))
    assert "made_hostile_module" not in sys.modules


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("architecture", "arch_kwargs", "conv_op"), "torch.nn.modules.conv.Conv3d", "conv_op"),
        (("architecture", "arch_kwargs", "dropout_op"), "torch.nn.Dropout", "dropout_op"),
        (("architecture", "arch_kwargs", "more"), 1, "more"),
        (("previous_stage",), "3d_lowres", "cascade"),
        (("use_mask_for_norm",), [True], "mask"),
        (("inherits_from",), "2d", "circle"),
        (("inherits_from",), "other", "no configuration 'other'"),
        (("patch_size",), None, "can't be understood"),
    ],
)
def test_what_is_not_done_is_said(path, value, words):
    with pytest.raises(ModelError, match=words):
        plan_from_nnunet(*edited(path, value))


def test_regions_and_transposed_axes_are_refused():
    plans, dataset, configuration = nnunet_plans()
    with pytest.raises(ModelError, match="regions"):
        regions = {**dataset, "labels": {"background": 0, "both": [1, 2]}}
        plan_from_nnunet(plans, configuration, regions)
    with pytest.raises(ModelError, match="transposed"):
        plan_from_nnunet({**plans, "transpose_forward": [1, 0, 2]}, configuration, dataset)


def test_a_configuration_inherits():
    plans, dataset, _ = nnunet_plans()
    plans["configurations"]["child"] = {"inherits_from": "2d", "patch_size": [64, 64]}
    plan = plan_from_nnunet(plans, "child", dataset)
    assert plan.patch_size == (64, 64)
    assert plan.features_per_stage == (4, 8, 16)


def test_plans_of_older_versions_mean_the_same():
    plans, dataset, configuration = nnunet_plans()
    new = plan_from_nnunet(plans, configuration, dataset)
    chosen = plans["configurations"]["2d"]
    del chosen["architecture"]
    chosen |= {
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 4,
        "unet_max_num_features": 16,
        "n_conv_per_stage_encoder": [2, 2, 2],
        "n_conv_per_stage_decoder": [2, 2],
        "conv_kernel_sizes": [[3, 3]] * 3,
        "pool_op_kernel_sizes": [[1, 1], [2, 2], [2, 2]],
    }
    assert plan_from_nnunet(plans, configuration, dataset) == new
