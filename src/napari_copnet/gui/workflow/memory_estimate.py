"""Estimate of the memory that a run will need, shown before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import psutil

from napari_copnet.params import Settings
from napari_copnet.plane_size import processed_plane
from napari_copnet.runs.run_record import default_outputs
from napari_copnet.steps.fixed_size import DEFAULT_SIZE

# PyTorch itself, and the activations of nnU-Net's default 2D network on one tile.
NETWORK_BYTES = 1_500_000_000
# Converged slices are held once, so that later iterations take little.
ITERATIONS_HELD = 6


@dataclass(frozen=True)
class Estimate:
    """Bytes a run needs, and bytes the machine has free."""

    needed: int
    free: int

    @property
    def fits(self) -> bool:
        """Whether the run is likely to fit."""
        return self.needed < self.free

    def __str__(self) -> str:
        return f"Needs about {size_text(self.needed)} of memory; {size_text(self.free)} are free."


def estimate(shape: tuple[int, int, int], settings: Settings) -> Estimate:
    """Estimate the memory of a run and of the layers it makes.

    Parameters
    ----------
    shape : tuple of int
        Of the stack, (Z, Y, X).
    settings : Settings
    """
    size = settings.preprocess.size
    plane = processed_plane(shape[1:], DEFAULT_SIZE if size is None else size)
    processed = shape[0] * math.prod(plane)
    original = math.prod(shape)
    # Processed: slices 4, margin 1, contours 4, closing 4 + 4 + 4 + 4, masks 3, cells 4 + 4, and
    # float16 iterations; shown: closed contour 1, its shadow 1/8, cells 4, and 4 while relabelled.
    needed = processed * (36 + 2 * ITERATIONS_HELD) + original * 9.125 + NETWORK_BYTES
    return Estimate(int(needed), int(psutil.virtual_memory().available))


def result_bytes(shape: tuple[int, int, int]) -> int:
    """Return how much disk the results of a stack (Z, Y, X) may take, packed: a rough guess."""
    each = {"contours": 4, "closed": 1, "cells": 4}
    return math.prod(shape) * sum(each.get(name, 0) for name in default_outputs(shape)) // 4


def iteration_bytes() -> int:
    """Return how much the iterations shown in the window may take: a quarter of what is free."""
    return int(psutil.virtual_memory().available) // 4


def size_text(count: float) -> str:
    """Return bytes for people, such as ``1.5 GB``."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            value = count / size
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{count:.0f} B"
