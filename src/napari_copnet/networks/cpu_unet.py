"""nnU-Net's plain 2D U-Net in float32 on the CPU, with convolutions of our own.

There a pass takes as long as its multiplications, which `winograd` reduces, and as walking
through memory for norms, activations and concatenations, which are folded into the convolutions.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_copnet.networks.direct import direct, pack
from napari_copnet.networks.plan import NetworkPlan
from napari_copnet.networks.vectors import COLUMNS, FAST, LANES, ROWS
from napari_copnet.networks.winograd import STEPS, TILE, winograd, winograd_weights

if TYPE_CHECKING:
    import torch

_ROOM = 1 << 18  # numbers that a thread works on at once: 1 MiB, a core's cache
_PARTS = 4  # parts of a layer for each thread, at least, so that none waits long for another
_FEWEST_TILES = 16  # with fewer the transformed weights take longer to read than they save


def is_faster(plan: NetworkPlan) -> bool:
    """Return whether `CpuUNet` can run networks of a plan, and faster than torch."""
    return (
        FAST
        and plan.architecture == "PlainConvUNet"
        and plan.dimensions == 2
        and not any(count % LANES for count in plan.features_per_stage)
    )


@dataclass(frozen=True)
class _Maps:
    """Maps with axes (Y, X, C), flat, and how they are to be read."""

    height: int
    width: int
    values: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    slope: np.ndarray

    @classmethod
    def as_they_are(cls, height: int, width: int, values: np.ndarray) -> _Maps:
        channels = values.size // (height * width)
        one, none = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        return cls(height, width, values, one, none, one)

    @property
    def source(self) -> tuple[np.ndarray, ...]:
        return self.values, self.scale, self.shift, self.slope


_NOTHING = _Maps.as_they_are(1, 1, np.empty(0, np.float32))


@dataclass(frozen=True)
class _Team:
    """Threads that share the parts of a layer."""

    pool: Executor
    threads: int

    def work(self, job: Callable[[np.ndarray], None]) -> None:
        counter = np.zeros(1, np.int64)
        others = [self.pool.submit(job, counter) for _ in range(self.threads - 1)]
        job(counter)
        for other in others:
            other.result()


class CpuUNet:
    """A plain U-Net that predicts in float32 on the CPU.

    It holds its weights packed: 4 times as large as they were where Winograd's way is taken
    (nnU-Net's default network for 512×512: 430 MB instead of 180). A pass needs the maps of the
    network, which are not copied, and room for each thread: 1 MiB, or what 24 rows need where
    that is more (5 MB there). The kernels are compiled when first used, in about 5 s, and kept by
    numba.

    Parameters
    ----------
    network : torch.nn.Module
        A network of `build_network`, without deep supervision, on the CPU.
    plan : NetworkPlan
        Its plan, for which `is_faster` holds. Weights are packed for the size of its tiles; other
        sizes give the same result.
    """

    def __init__(self, network: Any, plan: NetworkPlan) -> None:
        sizes = [plan.tile_size]
        for stride in plan.strides:
            sizes.append(tuple(ceil(n / s) for n, s in zip(sizes[-1], stride, strict=True)))
        encoder, decoder = network.encoder, network.decoder
        self._down = [
            [_block(block, size) for block in stage[-1].convs]
            for stage, size in zip(encoder.stages, sizes[1:], strict=True)
        ]
        self._up = [_Transposed(conv) for conv in decoder.transpconvs]
        self._merge = [
            [_block(block, size) for block in stage.convs]
            for stage, size in zip(decoder.stages, sizes[-2:0:-1], strict=True)
        ]
        self._last = _Direct(decoder.seg_layers[-1])

    def to(self, device: str) -> CpuUNet:
        """Return itself: it can't leave the CPU."""
        if device != "cpu":
            raise ValueError(f"not on {device}")
        return self

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits of images, with as many threads as torch is set to use.

        Parameters
        ----------
        images : torch.Tensor, shape (N, C, Y, X), float32
            Y and X are multiples of the plan's total stride.

        Returns
        -------
        torch.Tensor, shape (N, classes, Y, X), float32
        """
        import torch

        threads = torch.get_num_threads()
        with ThreadPoolExecutor(max(1, threads - 1)) as pool:
            team = _Team(pool, threads)
            logits = [self._one(team, image) for image in images.numpy()]
        return torch.from_numpy(np.stack(logits))

    def _one(self, team: _Team, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[1:]
        values = np.ascontiguousarray(image.transpose(1, 2, 0), np.float32).ravel()
        maps = _Maps.as_they_are(height, width, values)
        skips = []
        for stage in self._down:
            for layer in stage:
                maps = layer(team, maps)
            skips.append(maps)
        skips.pop()
        for up, stage in zip(self._up, self._merge, strict=True):
            maps = stage[0](team, up(team, maps), skips.pop())
            for layer in stage[1:]:
                maps = layer(team, maps)
        maps = self._last(team, maps)
        return maps.values.reshape(height, width, -1).transpose(2, 0, 1)


class _Direct:
    """A convolution as one product, and the norm and activation after it."""

    def __init__(self, conv: Any, norm: Any = None, slope: float = 1.0) -> None:
        self._bias = np.zeros(conv.out_channels, np.float32)
        if conv.bias is not None:
            self._bias[:] = conv.bias.detach().numpy()
        self._kernel, self._stride, self._up = conv.kernel_size, tuple(conv.stride), (1, 1)
        self._weights = self._packed(conv)
        self._norm = None
        if norm is not None:
            gain, offset = (values.detach().numpy() for values in (norm.weight, norm.bias))
            self._norm = gain.astype(np.float64), offset.astype(np.float64), norm.eps
        self._slope = np.full(conv.out_channels, slope, np.float32)

    def _packed(self, conv: Any) -> np.ndarray:
        weight = conv.weight.detach().numpy()
        return pack(weight.transpose(2, 3, 1, 0).reshape(1, -1, len(weight)))

    def __call__(self, team: _Team, first: _Maps, second: _Maps = _NOTHING) -> _Maps:
        """Return the maps of one or two inputs of the same size."""
        (tall, wide), (up_y, up_x) = self._kernel, self._up
        height = ceil(first.height / self._stride[0])
        width = ceil(first.width / self._stride[1])
        columns = len(self._bias) * up_y * up_x
        terms = tall * wide * (len(first.scale) + len(second.scale))
        terms += -terms % LANES
        chunk, splits = _shares(height * width, 1, terms, columns, team.threads)
        sizes = np.minimum(chunk, height * width - np.arange(0, height * width, chunk))
        tallies = np.zeros((3, len(sizes), len(self._bias)), np.float32)
        out = _empty(height * width * columns)

        def job(counter: np.ndarray) -> None:
            direct(
                counter,
                (first.source, second.source),
                first.height,
                first.width,
                self._kernel,
                self._stride,
                self._up,
                self._weights,
                self._bias,
                out,
                chunk,
                splits,
                _empty(chunk * terms),
                _empty(chunk * _widest(columns, splits)),
                tallies,
            )

        team.work(job)
        return self._read(height * up_y, width * up_x, out, tallies, sizes)

    def _read(
        self, height: int, width: int, values: np.ndarray, tallies: np.ndarray, sizes: np.ndarray
    ) -> _Maps:
        """Return the output with its norm and activation, from tallies of parts of `sizes` px."""
        if self._norm is None:
            return _Maps.as_they_are(height, width, values)
        gain, offset, eps = self._norm
        centre, sums, squares = tallies.astype(np.float64)
        pixels = sizes[:, None]
        means = centre + sums / pixels
        mean = (means * pixels).sum(0) / (height * width)
        # Chan, Golub & LeVeque 1983: the spread within the parts, and that of their means.
        spread = squares - sums**2 / pixels + pixels * (means - mean) ** 2
        scale = gain / np.sqrt(np.maximum(spread.sum(0), 0) / (height * width) + eps)
        shift = (offset - mean * scale).astype(np.float32)
        return _Maps(height, width, values, scale.astype(np.float32), shift, self._slope)


class _Transposed(_Direct):
    """A transposed convolution whose kernel is its stride."""

    def _packed(self, conv: Any) -> np.ndarray:
        self._kernel, self._stride, self._up = (1, 1), (1, 1), self._kernel
        weight = conv.weight.detach().numpy()
        return pack(weight.transpose(0, 2, 3, 1).reshape(1, len(weight), -1))


class _Winograd(_Direct):
    """A convolution with a 3×3 kernel in steps of 1, by Winograd's way."""

    def _packed(self, conv: Any) -> np.ndarray:
        return winograd_weights(conv.weight.detach().numpy())

    def __call__(self, team: _Team, first: _Maps, second: _Maps = _NOTHING) -> _Maps:
        height, width = first.height, first.width
        rows = np.minimum(TILE, height - np.arange(0, height, TILE))
        columns = np.minimum(TILE, width - np.arange(0, width, TILE))
        pixels = np.outer(rows, columns).ravel()
        terms, count = len(first.scale) + len(second.scale), len(self._bias)
        chunk, splits = _shares(len(pixels), STEPS, terms, count, team.threads)
        sizes = np.add.reduceat(pixels, np.arange(0, len(pixels), chunk))
        tallies = np.zeros((3, len(sizes), count), np.float32)
        out = _empty(height * width * count)

        def job(counter: np.ndarray) -> None:
            winograd(
                counter,
                (first.source, second.source),
                height,
                width,
                self._weights,
                self._bias,
                out,
                chunk,
                splits,
                _empty(STEPS * (chunk * terms + LANES)),
                _empty(STEPS * (chunk * _widest(count, splits) + LANES)),
                tallies,
            )

        team.work(job)
        return self._read(height, width, out, tallies, sizes)


def _block(block: Any, size: tuple[int, ...]) -> _Direct:
    """Return a layer for nnU-Net's block of convolution, norm and activation."""
    conv = block.conv
    good = (
        conv.kernel_size == (3, 3)
        and tuple(conv.stride) == (1, 1)
        and conv.in_channels % LANES == 0
        and ceil(size[0] / TILE) * ceil(size[1] / TILE) >= _FEWEST_TILES
    )
    return (_Winograd if good else _Direct)(conv, block.norm, block.nonlin.negative_slope)


def _shares(rows: int, steps: int, terms: int, columns: int, threads: int) -> tuple[int, int]:
    """Return how many rows make a part, and into how many shares its columns are split.

    Parameters
    ----------
    rows, steps, terms, columns : int
        Of the products of a layer: `steps` times (rows, terms) @ (terms, columns).
    """
    most = _ROOM // (steps * (terms + columns))
    parts = ceil(rows / min(16 * ROWS, max(24, most)))
    chunk = ceil(rows / parts / ROWS) * ROWS
    parts = ceil(rows / chunk)
    splits = 1
    # Each share reads the rows again, which counts for little beside 64 columns.
    while parts * splits < _PARTS * threads and columns // (2 * splits) >= 64:
        splits *= 2
    return chunk, splits


def _widest(columns: int, splits: int) -> int:
    """Return how many columns the widest share has, in whole panels."""
    return ceil(ceil(columns / COLUMNS) / splits) * COLUMNS


def _empty(count: int) -> np.ndarray:
    """Return room for float32 numbers that begins where a line of the cache does."""
    room = np.empty(count + LANES, np.float32)
    first = -room.ctypes.data % (4 * LANES) // 4
    return room[first : first + count]
