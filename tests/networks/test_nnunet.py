"""Our sliding window against nnU-Net's own predictor, and what happens when things go wrong."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from made_networks import made_network, made_plan, nnunet_plans, weights_of
from napari_copnet.errors import DeviceError, InputError, ModelError
from napari_copnet.networks import device as devices
from napari_copnet.networks.nnunet import Network, build_network
from napari_copnet.networks.package import save_package
from napari_copnet.networks.plan import plan_from_nnunet
from napari_copnet.params import DeviceParams
from napari_copnet.progress import finish
from napari_copnet.types import SliceResult

CPU = DeviceParams(device="cpu", precision="float32")
SHAPES = {2: (1, 1, 45, 70), 3: (1, 11, 20, 37)}


def image(dimensions, seed=1):
    # Away from 0, because nnU-Net crops to what is not 0.
    return np.random.default_rng(seed).random(SHAPES[dimensions], np.float32) + 0.1


def nnunet_predict(made, module, x, mirror):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    plans, dataset, configuration = made
    manager = PlansManager(plans)
    predictor = nnUNetPredictor(use_mirroring=mirror, device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        module,
        manager,
        manager.get_configuration(configuration),
        [module.state_dict()],
        dataset,
        "nnUNetTrainer",
        (0, 1) if configuration == "2d" else (0, 1, 2),
    )
    mask, probability = predictor.predict_single_npy_array(
        x, {"spacing": [1.0, 1.0, 1.0]}, save_or_return_probabilities=True
    )
    return mask, probability[1]


@pytest.fixture
def float32_sums(monkeypatch):
    """Let nnU-Net sum tiles in float32: its float16 loses the small weights at volume corners."""
    from nnunetv2.inference import predict_from_raw_data

    exact = partial(predict_from_raw_data.compute_gaussian.__wrapped__, dtype=torch.float32)
    exact.cache_clear = lambda: None
    monkeypatch.setattr(predict_from_raw_data, "compute_gaussian", exact)
    monkeypatch.setattr(torch, "half", torch.float32)


@pytest.mark.parametrize("normalisation", ["ZScoreNormalization", "NoNormalization"])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_probabilities_are_those_of_nnunet(dimensions, mirror, normalisation, float32_sums):
    made = nnunet_plans(dimensions, normalisation)
    plan = made_plan(dimensions, normalisation=normalisation)
    module = made_network(plan)
    x = image(dimensions)
    mask, probability = nnunet_predict(made, module, x, mirror)
    ours = finish(Network(plan, weights_of(module), CPU).predict(x, mirror=mirror))
    np.testing.assert_allclose(ours, probability, atol=2e-4)
    clear = np.abs(probability - 0.5) > 2e-4
    np.testing.assert_array_equal((ours > 0.5)[clear], mask[clear])
    assert 0.005 < mask.mean() < 0.995


@pytest.mark.parametrize(("dimensions", "different"), [(2, 0.0), (3, 0.002)])
def test_masks_are_those_of_nnunet_as_it_is(dimensions, different):
    made, plan = nnunet_plans(dimensions), made_plan(dimensions)
    module = made_network(plan)
    x = image(dimensions)
    mask, _ = nnunet_predict(made, module, x, False)
    ours = finish(Network(plan, weights_of(module), CPU).predict(x)) > 0.5
    assert (ours != mask).mean() <= different


@pytest.mark.parametrize("residual", [False, True])
def test_the_network_is_the_one_nnunet_builds(residual):
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    plans, dataset, configuration = nnunet_plans(2, residual=residual)
    architecture = plans["configurations"][configuration]["architecture"]
    theirs = get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        1,
        2,
        deep_supervision=True,
    )
    plan = plan_from_nnunet(plans, configuration, dataset)
    ours = build_network(plan, deep_supervision=True)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        for a, b in zip(ours(x), theirs(x), strict=True):
            torch.testing.assert_close(a, b)


@pytest.fixture(scope="module")
def plan():
    return made_plan(2)


@pytest.fixture(scope="module")
def weights(plan):
    return weights_of(made_network(plan))


STACK = np.random.default_rng(5).random((3, 1, 40, 50), np.float32)


def test_batches_change_nothing(plan, weights):
    network = Network(plan, weights, CPU)
    one = finish(network.predict(STACK, batch=1))
    many = finish(network.predict(STACK, batch=5))
    np.testing.assert_allclose(one, many, atol=1e-5)
    before = STACK.copy()
    np.testing.assert_array_equal(STACK, before)
    assert one.dtype == np.float32 and one.shape == (3, 40, 50)


def test_slices_come_in_the_order_asked_and_the_others_stay_0(plan, weights):
    seen = []
    network = Network(plan, weights, CPU)
    result = finish(network.predict(STACK, order=[2, 0]), seen.append)
    ready = [step.partial for step in seen if step.partial is not None]
    assert [part.index for part in ready] == [2, 0]
    assert all(isinstance(part, SliceResult) for part in ready)
    np.testing.assert_array_equal(ready[0].values, result[2])
    assert not result[1].any() and result[0].any()
    done = [step.done for step in seen]
    assert done == sorted(done) and done[-1] == seen[-1].total == 2
    # 40 × 50 px take 2 × 3 tiles of 32 px, halfway overlapping.
    assert len(seen) == 2 * 6


def test_half_precision_stays_close(plan, weights):
    exact = finish(Network(plan, weights, CPU).predict(STACK))
    network = Network(plan, weights, DeviceParams(device="cpu", precision="bfloat16"))
    rough = finish(network.predict(STACK))
    assert 0 < np.abs(exact - rough).max() < 0.2
    assert ((exact > 0.5) != (rough > 0.5)).mean() < 0.02


def test_torch_is_left_as_it_was_between_tiles(plan, weights):
    threads = torch.get_num_threads()
    network = Network(plan, weights, DeviceParams(device="cpu", threads=threads + 1))
    work = network.predict(STACK)
    next(work)
    assert torch.get_num_threads() == threads
    assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
    assert not torch.is_autocast_enabled("cpu")
    work.close()


def test_a_model_is_loaded_from_its_folder(plan, weights, tmp_path):
    package = save_package(
        tmp_path / "m", name="m", kind="closing", plan=plan, weights=weights, card={}, half=False
    )
    ours = finish(Network.load(package, CPU).predict(STACK))
    np.testing.assert_array_equal(ours, finish(Network(plan, weights, CPU).predict(STACK)))


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_weights_that_do_not_fit_are_refused(plan, weights, change):
    weights = dict(weights)
    name = "encoder.stages.0.0.convs.0.conv.weight"
    if change == "missing":
        del weights[name]
    elif change == "extra":
        weights["more"] = np.zeros(3, np.float32)
    else:
        weights[name] = weights[name][:2]
    with pytest.raises(ModelError, match="do not fit"):
        Network(plan, weights, CPU)


def test_wrong_inputs_are_refused_before_any_work(plan, weights):
    network = Network(plan, weights, CPU)
    with pytest.raises(ModelError, match=r"takes 1 channel.* has 2"):
        next(network.predict(np.zeros((1, 2, 32, 32), np.float32)))
    with pytest.raises(InputError, match="axes"):
        next(network.predict(np.zeros((32, 32), np.float32)))
    bad = STACK.copy()
    bad[1, 0, 3, 3] = np.inf
    with pytest.raises(InputError, match="slice 1"):
        next(network.predict(bad))


def test_values_that_are_not_numbers_are_not_handed_out(plan, weights):
    weights = {name: np.full_like(weight, 1e30) for name, weight in weights.items()}
    with pytest.raises(ModelError, match="not numbers in slice 0"):
        finish(Network(plan, weights, CPU).predict(STACK))


def test_an_absent_gpu_is_named():
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(DeviceError, match="CUDA") as caught:
        devices.choose_device(DeviceParams(device="cuda"))
    assert "cpu" in caught.value.hint
    assert devices.choose_device(DeviceParams(device="cpu")) == "cpu"


class Memory:
    """Lets a network fail when a batch has more pixels than there is room for."""

    def __init__(self, network, room):
        self.inner, self.room, self.sizes = network._module, room, []

    def __call__(self, x):
        self.sizes.append(tuple(x.shape[:1] + x.shape[2:]))
        if x.numel() > self.room:
            raise torch.OutOfMemoryError("out of memory")
        return self.inner(x)

    def to(self, device):
        return self


def test_out_of_memory_takes_smaller_batches_then_smaller_tiles(plan, weights):
    network = Network(plan, weights, CPU)
    expected = finish(network.predict(STACK))
    memory = network._module = Memory(network, 32 * 32)
    seen = []
    result = finish(network.predict(STACK, batch=4), seen.append)
    assert memory.sizes[:3] == [(4, 32, 32), (2, 32, 32), (1, 32, 32)]
    assert [step.note for step in seen if step.note] == [
        "Out of memory: continuing with batch 2.",
        "Out of memory: continuing with batch 1.",
    ]
    np.testing.assert_allclose(result, expected, atol=1e-5)

    network._module = Memory(network, 32 * 16)
    notes = []
    result = finish(network.predict(STACK), lambda step: notes.append(step.note))
    assert notes[0] == "Out of memory: continuing with tiles of 16×32."
    assert result.shape == expected.shape and np.isfinite(result).all()


def test_no_memory_at_all_is_an_error_of_our_own(plan, weights):
    network = Network(plan, weights, CPU)
    network._module = Memory(network, 0)
    with pytest.raises(DeviceError, match="not enough memory"):
        finish(network.predict(STACK))


def test_slices_done_before_memory_ran_out_are_not_computed_again(plan, weights):
    network = Network(plan, weights, CPU)
    expected = finish(network.predict(STACK[..., :32, :32]))
    inner, calls = network._module, []

    class Once(Memory):
        def __call__(self, x):
            calls.append(len(x))
            if len(calls) == 2:
                raise torch.OutOfMemoryError("out of memory")
            return inner(x)

    network._module = Once(network, 0)
    result = finish(network.predict(STACK[..., :32, :32], batch=2))
    assert calls == [2, 1, 1]
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "multiple", "takes"),
    [
        ({"avx2", "fma"}, 16, False),
        ({"avx512_bf16"}, 16, False),
        ({"avx512_bf16"}, 8, True),
        ({"avx512_bf16", "amx_bf16"}, 16, True),
    ],
)
def test_auto_takes_bfloat16_where_it_is_faster(monkeypatch, flags, multiple, takes):
    from napari_copnet.networks import cpu_unet, nnunet

    monkeypatch.setattr(devices, "_cpu_flags", lambda: frozenset(flags))
    monkeypatch.setattr(cpu_unet, "FAST", True)
    plan = made_plan(2)
    plan = replace(plan, features_per_stage=tuple(multiple for _ in plan.features_per_stage))
    assert nnunet._takes_bfloat16(plan, DeviceParams(), "cpu") is takes
    assert nnunet._takes_bfloat16(plan, DeviceParams(precision="bfloat16"), "cpu")
    assert not nnunet._takes_bfloat16(plan, DeviceParams(precision="float32"), "cpu")
