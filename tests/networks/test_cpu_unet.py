"""Our convolutions beside torch's in float64, and a network made of them beside nnU-Net's."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from made_networks import made_network, weights_of
from napari_copnet.errors import ModelError
from napari_copnet.networks import cpu_unet
from napari_copnet.networks.cpu_unet import _Direct, _Maps, _Team, _Transposed, _Winograd
from napari_copnet.networks.nnunet import Network, _Way
from napari_copnet.networks.plan import NetworkPlan
from napari_copnet.params import DeviceParams
from napari_copnet.progress import finish

sides = st.integers(1, 21)


class Now:
    """Runs what a thread would, at once."""

    def submit(self, job, *args):
        job(*args)
        return self

    def result(self):
        return None


def plan_of(features=(16, 32, 48), patch=(48, 64), **changes):
    stages = len(features)
    values = {
        "architecture": "PlainConvUNet",
        "dimensions": 2,
        "in_channels": 1,
        "classes": 2,
        "patch_size": patch,
        "features_per_stage": features,
        "kernel_sizes": ((3, 3),) * stages,
        "strides": ((1, 1),) + ((2, 2),) * (stages - 1),
        "n_conv_per_stage": (2,) * stages,
        "n_conv_per_stage_decoder": (2,) * (stages - 1),
        "normalisation": ("none",) * changes.get("in_channels", 1),
    }
    return NetworkPlan(**{**values, **changes})


def random_maps(channels, height, width, seed, activated=False):
    """Return maps, and the tensor (1, C, Y, X) that they are to be read as."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(height, width, channels)).astype(np.float32)
    scale, shift = random.normal(size=(2, channels)).astype(np.float32)
    slope = np.full(channels, 0.1, np.float32)
    if not activated:
        return _Maps.as_they_are(height, width, values.ravel()), tensor(values)
    scaled = torch.nn.functional.leaky_relu(tensor(values * scale + shift), 0.1)
    return _Maps(height, width, values.ravel(), scale, shift, slope), scaled


def tensor(values):
    return torch.from_numpy(values.astype(np.float64)).permute(2, 0, 1)[None]


def values_of(maps):
    """Return what maps are to be read as, (1, C, Y, X) in float64."""
    values = maps.values.reshape(maps.height, maps.width, -1).astype(np.float64)
    scaled = values * maps.scale + maps.shift
    return torch.from_numpy(np.maximum(scaled, scaled * maps.slope)).permute(2, 0, 1)[None]


def same_convolution(kind, *sizes, seed=0, **options):
    """Return a random convolution in float64 and in float32."""
    torch.manual_seed(seed)
    single = kind(*sizes, **options)
    double = kind(*sizes, **options).double()
    double.load_state_dict(single.state_dict())
    return double, single


def assert_near(ours, theirs, share=2e-5):
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= share * theirs.abs().max()


@pytest.mark.parametrize("threads", [1, 3])
@given(sides, sides, *[st.sampled_from([16, 32, 80])] * 2, st.sampled_from([0, 16, 48]))
@example(1, 1, 16, 16, 16)
@example(70, 53, 32, 48, 0)
@example(4, 4, 512, 512, 512)
@settings(max_examples=30, deadline=None)
def test_winograd_is_the_convolution(threads, height, width, channels, count, more):
    double, single = same_convolution(torch.nn.Conv2d, channels + more, count, 3, padding=1)
    first, x = random_maps(channels, height, width, 1, activated=True)
    sources = [first]
    if more:
        second, x2 = random_maps(more, height, width, 2)
        sources.append(second)
        x = torch.cat([x, x2], 1)
    ours = _Winograd(single)(_Team(Now(), threads), *sources)
    assert_near(values_of(ours), double(x).detach())


@given(
    sides,
    sides,
    st.sampled_from([1, 3, 16, 20, 48]),
    st.sampled_from([2, 5, 16, 80]),
    st.tuples(*[st.sampled_from([1, 3, 5])] * 2),
    st.tuples(*[st.integers(1, 3)] * 2),
)
@example(64, 65, 1, 32, (3, 3), (1, 1))
@settings(max_examples=40, deadline=None)
def test_a_product_is_the_convolution(height, width, channels, count, kernel, stride):
    padding = tuple(side // 2 for side in kernel)
    double, single = same_convolution(
        torch.nn.Conv2d, channels, count, kernel, stride=stride, padding=padding
    )
    maps, x = random_maps(channels, height, width, 1, activated=True)
    ours = _Direct(single)(_Team(Now(), 2), maps)
    assert_near(values_of(ours), double(x).detach())


@given(sides, sides, *[st.sampled_from([16, 48])] * 2, st.tuples(*[st.integers(1, 3)] * 2))
@settings(max_examples=20, deadline=None)
def test_a_product_is_the_transposed_convolution(height, width, channels, count, stride):
    double, single = same_convolution(
        torch.nn.ConvTranspose2d, channels, count, stride, stride=stride
    )
    maps, x = random_maps(channels, height, width, 1, activated=True)
    ours = _Transposed(single)(_Team(Now(), 2), maps)
    assert_near(values_of(ours), double(x).detach())


@pytest.mark.parametrize("kind", [_Winograd, _Direct])
@pytest.mark.parametrize("size", [(5, 6), (13, 30), (50, 61)])
def test_norm_and_activation_follow_even_far_from_zero(kind, size):
    double, single = same_convolution(torch.nn.Conv2d, 16, 32, 3, padding=1)
    norm = torch.nn.InstanceNorm2d(32, affine=True)
    with torch.no_grad():
        for layer in (double, single):
            layer.bias.copy_(torch.linspace(-300, 300, 32))
        norm.weight.copy_(torch.linspace(-1, 2, 32))
        norm.bias.copy_(torch.linspace(1, -1, 32))
    maps, x = random_maps(16, *size, 1)
    ours = values_of(kind(single, norm, 0.01)(_Team(Now(), 2), maps))
    theirs = torch.nn.functional.leaky_relu(norm.double()(double(x)), 0.01).detach()
    # What float32 holds of 300 beside a standard deviation of 0.4.
    assert_near(ours, theirs, 3e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"in_channels": 3, "classes": 4},
        {"kernel_sizes": ((1, 3), (3, 3), (5, 3)), "strides": ((1, 1), (1, 2), (2, 2))},
        {"features": (16, 32, 32, 32), "patch": (16, 64)},
    ],
)
def test_a_network_computes_what_torch_does(changes):
    plan = plan_of(**changes)
    module = made_network(plan)
    images = torch.rand(2, plan.in_channels, *plan.patch_size)
    ours = cpu_unet.CpuUNet(module, plan)(images)
    with torch.inference_mode():
        theirs = module.double()(images.double())
    assert_near(ours, theirs, 5e-5)
    assert (ours.argmax(1) == theirs.argmax(1)).float().mean() > 0.999
    assert 0.01 < (theirs.argmax(1) == 1).float().mean() < 0.99


def test_any_number_of_threads_computes_the_same_bits():
    plan = plan_of()
    network = cpu_unet.CpuUNet(made_network(plan), plan)
    images = torch.rand(1, 1, 96, 128)
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        results.append(network(images))
    torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_predictions_beside_each_other_do_not_mix():
    plan = plan_of()
    network = cpu_unet.CpuUNet(made_network(plan), plan)
    images = [torch.rand(1, 1, 48, 64) for _ in range(8)]
    alone = [network(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        for expected, result in zip(alone, pool.map(network, images), strict=True):
            assert torch.equal(expected, result)


@pytest.fixture
def no_torch(monkeypatch):
    def refuse(*args, **options):
        raise RuntimeError("torch was asked")

    monkeypatch.setattr(torch.nn.Conv2d, "forward", refuse)


def predicted(plan, **device):
    network = Network(plan, weights_of(made_network(plan)), DeviceParams(device="cpu", **device))
    return finish(network.predict(np.random.default_rng(0).random((1, 1, 50, 70), np.float32)))


@pytest.mark.skipif(not cpu_unet.FAST, reason="not measured to be faster here")
def test_float32_on_the_cpu_does_without_torch(no_torch):
    assert predicted(plan_of(), precision="float32").std() > 0


@pytest.mark.skipif(not cpu_unet.FAST, reason="not measured to be faster here")
def test_what_a_gpu_lacks_goes_on_with_ours(monkeypatch):
    plan = plan_of()
    with monkeypatch.context() as patch:
        patch.setattr(cpu_unet, "FAST", False)
        weights = weights_of(made_network(plan))
        network = Network(plan, weights, DeviceParams(device="cpu", precision="float32"))
    way, _ = network._next_way(_Way("mps", 1, plan.tile_size, False), "operation")
    assert way.device == "cpu"
    assert isinstance(network._module, cpu_unet.CpuUNet)


@pytest.mark.usefixtures("no_torch")
@pytest.mark.parametrize(
    ("changes", "precision"),
    [
        ({}, "bfloat16"),
        ({"architecture": "ResidualEncoderUNet"}, "float32"),
        ({"features": (8, 16, 32)}, "float32"),
    ],
)
def test_all_else_stays_with_torch(changes, precision):
    with pytest.raises(ModelError, match="torch was asked"):
        predicted(plan_of(**changes), precision=precision)


def test_processors_without_measurement_stay_with_torch(monkeypatch, no_torch):
    monkeypatch.setattr(cpu_unet, "FAST", False)
    with pytest.raises(ModelError, match="torch was asked"):
        predicted(plan_of(), precision="float32")


@pytest.mark.skipif(not cpu_unet.FAST, reason="not measured to be faster here")
def test_threads_are_those_asked_for(monkeypatch):
    seen = set()
    team = cpu_unet._Team

    def note(pool, threads):
        seen.add(threads)
        return team(pool, threads)

    monkeypatch.setattr(cpu_unet, "_Team", note)
    predicted(plan_of(), precision="float32", threads=3)
    assert seen == {3}


@pytest.mark.skipif(not cpu_unet.FAST, reason="not measured to be faster here")
def test_damaged_weights_are_told():
    plan = plan_of()
    weights = weights_of(made_network(plan))
    for name in weights:
        if "stages.0" in name and "encoder" in name:
            weights[name][:] = np.nan
    network = Network(plan, weights, DeviceParams(device="cpu", precision="float32"))
    with pytest.raises(ModelError, match="not numbers"):
        finish(network.predict(np.zeros((1, 1, 48, 64), np.float32)))


def test_work_is_split_among_many_threads_without_loss():
    for rows in (1, 5, 64, 16384):
        for columns in (16, 64, 512):
            chunk, splits = cpu_unet._shares(rows, 36, 64, columns, 16)
            assert chunk % cpu_unet.ROWS == 0
            assert 1 <= splits <= -(-columns // cpu_unet.COLUMNS)
