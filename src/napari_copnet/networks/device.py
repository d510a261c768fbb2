"""Which device runs a network, at which precision, and how its memory is treated."""

from __future__ import annotations

import ctypes
import platform
import sys
from functools import cache
from pathlib import Path

from napari_copnet.errors import DeviceError
from napari_copnet.networks.plan import NetworkPlan
from napari_copnet.params import DeviceParams

_NATIVE_BF16 = {"avx512_bf16", "amx_bf16"}
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def choose_device(params: DeviceParams) -> str:
    """Return ``"cuda"``, ``"mps"`` or ``"cpu"``.

    Raises
    ------
    DeviceError
        A device was asked for by name and is absent.
    """
    import torch

    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if params.device == "auto":
        return next(name for name, there in present.items() if there)
    if not present.get(params.device, False):
        name = {"cuda": "CUDA GPU", "mps": "Apple GPU (mps)"}.get(params.device, params.device)
        raise DeviceError(
            f"There is no {name} that PyTorch can use.",
            "Choose device auto or cpu, or install a PyTorch build and driver for the GPU.",
        )
    return params.device


def fix_seed(seed: int) -> None:
    """Have the networks made from now on begin with the same random weights each time."""
    import torch

    torch.manual_seed(seed)


def uses_bfloat16(params: DeviceParams, device: str) -> bool:
    """Return whether to compute in bfloat16: on request, or where the device has it natively.

    Raises
    ------
    DeviceError
        bfloat16 was asked for on an Apple GPU.
    """
    if params.precision == "float32":
        return False
    if params.precision == "bfloat16":
        if device == "mps":
            raise DeviceError(
                "bfloat16 is not used on Apple GPUs.", "Choose precision auto or float32."
            )
        return True
    if device == "cuda":
        import torch

        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and _cpu_has_bfloat16()


def has_matrix_units() -> bool:
    """Return whether this CPU multiplies matrices of bfloat16 in units of its own (AMX)."""
    return "amx_bf16" in _cpu_flags()


def _cpu_has_bfloat16() -> bool:
    # oneDNN also emulates bfloat16, slower than float32; only the processor's own counts.
    return not _NATIVE_BF16.isdisjoint(_cpu_flags())


@cache
def _cpu_flags() -> frozenset[str]:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("flags"):
                return frozenset(line.split())
    return frozenset()


def choose_batch(plan: NetworkPlan, device: str, tile: tuple[int, ...]) -> int:
    """Return how many tiles to compute at once: 1 on a CPU, where more gains nothing."""
    if device != "cuda":
        return 1
    import torch

    free, _ = torch.cuda.mem_get_info()
    pixels = 1
    for side in tile:
        pixels *= side
    # About eight full-resolution float32 maps of the first stage live at once.
    needed = pixels * plan.features_per_stage[0] * 4 * 8
    return max(1, min(32, int(0.5 * free // needed)))


@cache
def keep_freed_memory() -> bool:
    """Let glibc keep freed memory for the next pass; returns whether it could be set.

    Each pass of a network allocates and frees the same hundreds of megabytes. By default glibc
    maps them anew each time and the kernel zeroes every page, about a third of the time of a
    float32 pass. Threads share one arena because others can't hold blocks over 64 MB.
    """
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    largest = 2**31 - 1
    mallopt(_M_ARENA_MAX, 1)
    return bool(mallopt(_M_MMAP_THRESHOLD, largest) and mallopt(_M_TRIM_THRESHOLD, largest))


def give_memory_back() -> None:
    """Return freed memory to the system, after `keep_freed_memory`."""
    if sys.platform.startswith("linux") and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error from torch means that memory ran out."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
    )
