"""nnU-Net behind one adapter: prediction by its sliding window, in this process."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_copnet.errors import DeviceError, InputError, ModelError
from napari_copnet.networks import device as devices
from napari_copnet.networks import tiles
from napari_copnet.networks.architecture import (
    build_network,
    network_with_weights,
    round_convolutions,
)
from napari_copnet.networks.package import ModelPackage
from napari_copnet.networks.plan import NetworkPlan
from napari_copnet.params import DeviceParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.types import SliceResult

if TYPE_CHECKING:
    import torch

__all__ = ["Network", "build_network", "network_with_weights"]


@dataclass(frozen=True)
class _Way:
    """How tiles are computed; when memory runs out, the next one is tried."""

    device: str
    batch: int
    tile: tuple[int, ...]
    bfloat16: bool


class _Lacking(Exception):
    """Memory ran out, or the device lacks an operation: take the next way."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Network:
    """A network ready to predict.

    Attributes
    ----------
    plan : NetworkPlan
        What it is made of.
    device : str
        ``"cuda"``, ``"mps"`` or ``"cpu"``.
    bfloat16 : bool
        Whether it computes in bfloat16.
    """

    def __init__(self, plan: NetworkPlan, weights: dict[str, np.ndarray], params: DeviceParams):
        self.plan = plan
        self.device = devices.choose_device(params)
        self.bfloat16 = _takes_bfloat16(plan, params, self.device)
        self._params = params
        self._module: Any = network_with_weights(plan, weights)
        if self.bfloat16:
            round_convolutions(self._module)
        elif self.device == "cpu":
            self._module = _faster_on_cpu(self._module, plan)
        if devices.keep_freed_memory():
            weakref.finalize(self, devices.give_memory_back)

    @classmethod
    def load(cls, package: ModelPackage, params: DeviceParams = DeviceParams()) -> Network:
        """Load a model.

        Raises
        ------
        ModelError
            The weights are damaged or do not fit the plan.
        DeviceError
            The requested device is missing.
        """
        return cls(package.plan, package.weights(), params)

    def predict(
        self,
        images: np.ndarray,
        *,
        mirror: bool = False,
        overlap: float = 0.5,
        batch: int = 0,
        order: Sequence[int] | None = None,
    ) -> Steps[np.ndarray]:
        """Predict the probability of class 1 by nnU-Net's sliding window.

        Parameters
        ----------
        images : ndarray, shape (N, C, Y, X) for a 2D network, (C, Z, Y, X) for a 3D one
            Normalised here, each image on its own, as the plan says; padded with zeros when
            smaller than a tile.
        mirror : bool
            Average the logits over all mirrored copies.
        overlap : float
            Share by which tiles overlap, 0 to 0.9.
        batch : int
            Tiles computed at once; 0 chooses by device.
        order : sequence of int, optional
            2D: which images to compute, and in which order; all by default. Those left out are 0.

        Returns
        -------
        ndarray, shape (N, Y, X) or (Z, Y, X), float32
            0 to 1. Each `Progress` counts slices (2D, with fractions) or tiles (3D); a finished
            slice is its `partial`, a `SliceResult`.

        Raises
        ------
        InputError
            Values that are not finite, or an impossible shape.
        ModelError
            The number of channels is not the network's, or it computes NaN.
        DeviceError
            Memory ran out, even on every fallback.
        """
        stack = self._checked(images)
        wanted = list(range(len(stack)) if order is None else order)
        result = np.zeros((len(stack), *stack.shape[2:]), np.float32)
        plan = self.plan
        tile = tiles.fitting_tile(
            stack.shape[2:], plan.tile_size, plan.patch_size, plan.total_stride
        )
        way = _Way(
            self.device,
            batch or devices.choose_batch(plan, self.device, tile),
            tile,
            self.bfloat16,
        )
        pending = list(wanted)
        flat = self.plan.dimensions == 2
        while pending:
            lacking = ""
            tiles_done = self._run(stack, list(pending), result, way, mirror, overlap)
            try:
                for done, count, index in tiles_done:
                    if done == count:
                        pending.remove(index)
                    if not flat:
                        yield Progress("predict", done, count, "tiles")
                        continue
                    slices = len(wanted) - len(pending) + done / count % 1
                    ready = SliceResult(index, result[index]) if done == count else None
                    yield Progress("predict", slices, len(wanted), "slices", partial=ready)
            except _Lacking as error:
                lacking = error.what
            # Outside of the handler, so that no traceback holds on to the memory.
            if lacking:
                way, note = self._next_way(way, lacking)
                slices = len(wanted) - len(pending)
                yield Progress("predict", slices, len(wanted), "slices", note=note)
        return result if flat else result[0]

    def _checked(self, images: np.ndarray) -> np.ndarray:
        """Return images as (N, C, ...) after checking them."""
        images = np.asarray(images)
        if images.ndim != 4 or 0 in images.shape:
            axes = "(N, C, Y, X)" if self.plan.dimensions == 2 else "(C, Z, Y, X)"
            raise InputError(
                f"This network takes an array with axes {axes}, not one of shape {images.shape}.",
                "Give a stack of slices.",
            )
        stack = images if self.plan.dimensions == 2 else images[None]
        if stack.shape[1] != self.plan.in_channels:
            raise ModelError(
                f"This model takes {self.plan.in_channels} channel(s), but the input has "
                f"{stack.shape[1]}.",
                "Choose another model, or use one channel of the input.",
            )
        tiles.check_finite(stack, "slice" if self.plan.dimensions == 2 else "stack")
        return stack

    def _run(
        self,
        stack: np.ndarray,
        order: Sequence[int],
        result: np.ndarray,
        way: _Way,
        mirror: bool,
        overlap: float,
    ) -> Iterator[tuple[int, int, int]]:
        """Compute images into `result`; yield (tiles done of an image, tiles of it, its index)."""
        import torch

        pad = tiles.padding(stack.shape[2:], way.tile)
        shape = tuple(size + sum(width) for size, width in zip(stack.shape[2:], pad, strict=True))
        inside = tuple(
            slice(before, before + size)
            for size, (before, _) in zip(stack.shape[2:], pad, strict=True)
        )
        boxes = tiles.tile_boxes(shape, way.tile, overlap)
        # A volume's sums may not fit beside the network on a GPU; a slice's do.
        sums_on = way.device if self.plan.dimensions == 2 else "cpu"
        weight = torch.from_numpy(tiles.gaussian_weight(way.tile)).to(sums_on)
        total = torch.zeros(shape, device=sums_on)
        for box in boxes:
            total[box] += weight
        jobs = [(index, number) for index in order for number in range(len(boxes))]
        padded: dict[int, np.ndarray] = {}
        sums: dict[int, torch.Tensor] = {}
        for first in range(0, len(jobs), way.batch):
            group = jobs[first : first + way.batch]
            for index, _ in group:
                if index not in padded:
                    image = tiles.normalised(stack[index], self.plan.normalisation)
                    padded[index] = np.pad(image, [(0, 0), *pad])
            batch = np.stack([padded[index][(slice(None), *boxes[box])] for index, box in group])
            logits = self._forward(batch, way, mirror).to(sums_on)
            for (index, number), values in zip(group, logits, strict=True):
                if len(boxes) == 1:
                    sums[index] = values
                else:
                    if index not in sums:
                        sums[index] = torch.zeros((len(values), *shape), device=sums_on)
                    sums[index][(slice(None), *boxes[number])] += values * weight
                if number == len(boxes) - 1:
                    values = sums.pop(index)
                    if len(boxes) > 1:
                        values /= total
                    del padded[index]
                    result[index] = _foreground(values)[inside].cpu().numpy()
                    if not np.isfinite(result[index]).all():
                        raise ModelError(
                            f"The network returned values that are not numbers in slice {index}.",
                            "Its weights may be damaged; with precision bfloat16, try float32.",
                        )
                yield number + 1, len(boxes), index

    def _forward(self, batch: np.ndarray, way: _Way, mirror: bool) -> torch.Tensor:
        """Return float32 logits (N, K, ...) of tiles; for two classes their difference, K = 1.

        No global state of torch is left changed, because the caller runs between tiles.
        """
        import torch

        axes = self.plan.mirror_axes
        spatial = range(self.plan.dimensions) if axes is None else axes
        flips = [
            tuple(axis + 2 for axis in some)
            for count in range(len(spatial) + 1 if mirror else 1)
            for some in combinations(spatial, count)
        ]
        try:
            self._module.to(way.device)
            with (
                torch.inference_mode(),
                _threads(self._params.threads if way.device == "cpu" else 0),
                torch.autocast(way.device, torch.bfloat16) if way.bfloat16 else nullcontext(),
            ):
                x = torch.from_numpy(batch).to(way.device)
                logits = None
                for flip in flips:
                    seen = self._module(torch.flip(x, flip) if flip else x).float()
                    if self.plan.classes == 2:
                        seen = seen[:, 1:] - seen[:, :1]
                    seen = torch.flip(seen, flip) if flip else seen
                    logits = seen if logits is None else logits + seen
                assert logits is not None
                return logits if len(flips) == 1 else logits / len(flips)
        except (RuntimeError, MemoryError, NotImplementedError) as error:
            if way.device == "mps" and isinstance(error, NotImplementedError):
                raise _Lacking("operation") from error
            if devices.is_out_of_memory(error):
                raise _Lacking("memory") from error
            raise ModelError(
                f"The network can't run on this input: {str(error).splitlines()[0][:200]}",
                "Choose another model or device.",
            ) from error

    def _next_way(self, way: _Way, lacking: str) -> tuple[_Way, str]:
        """Return what to try next, and a sentence that says so."""
        if way.device == "cuda":
            import torch

            torch.cuda.empty_cache()
        if lacking == "memory":
            if way.batch > 1:
                batch = way.batch // 2
                return replace(way, batch=batch), f"Out of memory: continuing with batch {batch}."
            tile = tiles.smaller_tile(way.tile, self.plan.total_stride)
            if tile is not None:
                sides = "×".join(map(str, tile))
                return replace(way, tile=tile), f"Out of memory: continuing with tiles of {sides}."
        if way.device == "cpu":
            raise DeviceError(
                "There is not enough memory for this network, even tile by tile.",
                "Close other programs, or use a smaller model.",
            )
        reason = "is out of memory" if lacking == "memory" else "lacks an operation"
        bfloat16 = _takes_bfloat16(self.plan, replace(self._params, device="cpu"), "cpu")
        if not bfloat16:
            self._module = _faster_on_cpu(self._module.float().to("cpu"), self.plan)
        return (
            _Way("cpu", 1, self.plan.tile_size, bfloat16),
            f"The GPU {reason}: continuing on the CPU, which is slower.",
        )


def _takes_bfloat16(plan: NetworkPlan, params: DeviceParams, device: str) -> bool:
    """Return whether to compute in bfloat16: as asked, else what is faster for this network."""
    takes = devices.uses_bfloat16(params, device)
    if takes and params.precision == "auto" and device == "cpu":
        from napari_copnet.networks import cpu_unet

        # Without matrix units (AMX) float32 without torch is faster, and exact.
        return devices.has_matrix_units() or not cpu_unet.is_faster(plan)
    return takes


def _faster_on_cpu(module: torch.nn.Module, plan: NetworkPlan) -> Any:
    """Return what computes a float32 network on the CPU fastest."""
    # Not before it is needed: it loads numba.
    from napari_copnet.networks import cpu_unet

    return cpu_unet.CpuUNet(module, plan) if cpu_unet.is_faster(plan) else module


def _foreground(logits: torch.Tensor) -> torch.Tensor:
    """Return the softmax probability of class 1 from `Network._forward`'s logits (K, ...)."""
    import torch

    return torch.sigmoid(logits[0]) if len(logits) == 1 else torch.softmax(logits, 0)[1]


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use `count` CPU threads; 0 leaves it as it is."""
    import torch

    before = torch.get_num_threads()
    if count and count != before:
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)
    else:
        yield
