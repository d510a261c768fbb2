"""Fit how likely a carried cell is right; print the weights, and how well they do elsewhere.

    python -m research.fit_carry_trust --data ../shared/data

Cells are carried from single slices to those on either side, whatever the trust. Each stack counts
as much as any other. What is fitted to are training slices of fib25 and snemi3d at several pixel
sizes, and synthetic tumours; what is scored are validation slices of these, fib25 cut the other
way, and synthetic tissue of other seeds, kinds and settings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from benchmarks.bench_teach import LEAST, as_source, thin_sliced
from napari_copnet.evaluation.metrics import LABELLED, partition
from napari_copnet.params import CarryParams
from napari_copnet.teaching.carrying import trust
from napari_copnet.teaching.carrying.given import GivenSlice
from napari_copnet.teaching.carrying.look import Look, displacements
from napari_copnet.training.cases import read_array
from research.splits import FIB25, SNEMI3D

Stacks = dict[str, tuple[np.ndarray, np.ndarray, Sequence[int], int]]
# Largest side of a slice of snemi3d, px.
CROP = 300
PENALTY, STEPS = 1e-3, 30


def outcomes(
    image: np.ndarray, labels: np.ndarray, starts: Sequence[int], reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Carry from some slices to those on either side.

    Parameters
    ----------
    image, labels : ndarray, shape (Z, Y, X)
        Every pixel has a label; those of a cell are the same in all slices.
    starts : sequence of int
    reach : int

    Returns
    -------
    values : ndarray, shape (N, 5)
        `trust.agreements` of each true cell that both slices have.
    right : ndarray, shape (N,), bool
    """
    values, rights = [], []
    for start in starts:
        names, numbered = np.unique(labels[start], return_inverse=True)
        source = (numbered.reshape(image.shape[1:]) + 2).astype(np.uint32)
        given, count = GivenSlice.of_labels(source), int(source.max())
        for step in (1, -1):
            way = [start + step * n for n in range(1, reach + 1)]
            way = [z for z in way if 0 <= z < len(image)]
            look = Look(image.__getitem__)
            look.learn({start: given}, start)
            for z, field in displacements(look, start, way):
                moved = trust.move(look, start, given, field)
                cells = trust.settle(look, z, moved)
                found = partition(as_source(labels[z], names), cells)
                known = (found.ids < names.size + 2) & (found.sizes >= LEAST)
                known &= np.isin(found.ids, cells)
                values.append(trust.agreements(look, z, moved, cells, count)[found.ids[known]])
                rights.append(((found.fates == LABELLED) & (found.predicted == found.ids))[known])
                look.forget(z)
    return np.concatenate(values), np.concatenate(rights)


def fitted(values: Sequence[np.ndarray], rights: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
    """Return weights and constant of a logistic regression in which each set counts alike."""
    table, right = np.concatenate(values), np.concatenate(rights).astype(float)
    weight = np.concatenate([np.full(len(one), 1e3 / len(one)) for one in rights])
    middle, spread = table.mean(axis=0), table.std(axis=0)
    scaled = np.column_stack([(table - middle) / spread, np.ones(len(table))])
    found = np.zeros(scaled.shape[1])
    for _ in range(STEPS):
        share = 1 / (1 + np.exp(-scaled @ found))
        curvature = (scaled * (weight * share * (1 - share))[:, None]).T @ scaled
        slope = scaled.T @ (weight * (right - share)) - PENALTY * found
        found += np.linalg.solve(curvature + PENALTY * np.eye(len(found)), slope)
    weights = found[:-1] / spread
    return weights, float(found[-1] - weights @ middle)


def area_under_curve(scores: np.ndarray, right: np.ndarray) -> float:
    """Return how often a right cell has a higher score than a wrong one."""
    ranks = np.argsort(np.argsort(scores)) + 1.0
    count = int(right.sum())
    return float((ranks[right].sum() - count * (count + 1) / 2) / (count * (len(right) - count)))


def _stacks(data: Path) -> tuple[Stacks, Stacks]:
    """Return what to fit to, and what to score."""
    raw, cells = (read_array(data / "fib25" / f"{one}.tif")[0] for one in ("raw", "instances"))
    train, scored = (
        (raw[part], cells[part]) for part in map(_part, (FIB25.train, FIB25.validation))
    )
    cut, cut_cells = (np.ascontiguousarray(one.swapaxes(0, 1)[100:230]) for one in (raw, cells))
    return {
        "fib25": (*train, (10, 40, 70, 100), 5),
        "fib25, enlarged": (*_enlarged(*(one[20:35] for one in train)), (7,), 5),
        "snemi3d at 24 nm": (*_snemi3d(data, SNEMI3D.train, 4), (8, 24, 40), 3),
        "snemi3d at 12 nm": (*_snemi3d(data, SNEMI3D.train, 2), (15, 35), 3),
        "snemi3d at 6 nm": (*_snemi3d(data, SNEMI3D.train, 1), (12, 35), 3),
        "tumour, 60 px, 0.3 %": (*_tissue(60, 0.003, 1), (0, 6), 8),
        "tumour, 35 px, 0.3 %": (*_tissue(35, 0.003, 2), (0, 6), 8),
        "tumour, 60 px, 2 %": (*_tissue(60, 0.02, 3), (0, 6), 8),
        "tumour, 90 px, 1 %": (*_tissue(90, 0.01, 4, faded=0.1), (0, 6), 8),
    }, {
        "fib25": (*scored, (5, 17, 29), 5),
        "fib25, enlarged": (*_enlarged(*(one[:15] for one in scored)), (7,), 4),
        "fib25, cut along xz": (cut, cut_cells, (60,), 5),
        "snemi3d at 24 nm": (*_snemi3d(data, SNEMI3D.validation, 4), (4,), 3),
        "snemi3d at 12 nm": (*_snemi3d(data, SNEMI3D.validation, 2), (4,), 3),
        "snemi3d at 6 nm": (*_snemi3d(data, SNEMI3D.validation, 1), (4,), 3),
        "tumour, 50 px, 0.3 %, faded": (*_tissue(50, 0.003, 11, faded=0.5), (0, 6), 8),
        "tumour, 120 px, 0.5 %": (*_tissue(120, 0.005, 12), (0, 6), 8),
        "tumour, 60 px, 3 %": (*_tissue(60, 0.03, 13), (0, 6), 8),
        "tumour, 200 px, 0.5 %": (*_tissue(200, 0.005, 22), (0, 6), 8),
        "cortex, 60 px, 1 %": (*_tissue(60, 0.01, 21, kind="cortex"), (0, 6), 8),
        "neuropil, 60 px, 1 %": (*_tissue(60, 0.01, 14, kind="neuropil"), (0, 6), 8),
        "neuropil, 30 px, 3 %": (*_tissue(30, 0.03, 23, kind="neuropil"), (0, 6), 8),
    }


def _part(slices: range) -> slice:
    return slice(slices.start, slices.stop)


def _enlarged(raw: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slices twice as large: what is trusted shall not depend on the pixel size."""
    image = np.stack([ndimage.zoom(one.astype(np.float32), 2, order=1) for one in raw])
    return image, cells.repeat(2, axis=1).repeat(2, axis=2)


def _snemi3d(data: Path, slices: range, factor: int) -> tuple[np.ndarray, np.ndarray]:
    raw, cells = (
        read_array(data / "snemi3d" / f"{one}.tif")[0][_part(slices)]
        for one in ("raw", "instances")
    )
    side = raw.shape[1] // factor
    image = raw.reshape(len(raw), side, factor, side, factor).astype(np.float32).mean(axis=(2, 4))
    middle = slice(factor // 2, None, factor)
    labels = np.stack([_filled(plane[middle, middle]) for plane in cells])
    return image[:, :CROP, :CROP], labels[:, :CROP, :CROP]


def _tissue(
    diameter: float, thickness: float, seed: int, **more: Any
) -> tuple[np.ndarray, np.ndarray]:
    made = thin_sliced(13, 256, diameter, seed, thickness=thickness, **more)
    return np.asarray(made.stack.data), np.stack([_filled(np.asarray(one)) for one in made.cells])


def _filled(labels: np.ndarray) -> np.ndarray:
    at = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    return labels[tuple(at)]


def _lines(
    weights: np.ndarray, constant: float, scored: dict[str, tuple[np.ndarray, np.ndarray]]
) -> Iterator[str]:
    least = CarryParams().trust
    yield f"weights {', '.join(f'{one:.2f}' for one in weights)}, constant {constant:.2f}"
    for name, (values, right) in scored.items():
        scores = values @ weights + constant
        trusted = 1 / (1 + np.exp(-scores)) >= least
        share = right[trusted].mean() if trusted.any() else float("nan")
        yield (
            f"{name}: {len(right)} cells, {right.mean():.2f} right, area under the curve "
            f"{area_under_curve(scores, right):.2f}; {trusted.mean():.2f} trusted, {share:.2f} of "
            "these right"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, and print."""
    parser = argparse.ArgumentParser(prog="fit_carry_trust", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with fib25 and snemi3d")
    given = parser.parse_args(arguments)
    to_fit, to_score = (
        {name: outcomes(*stack) for name, stack in stacks.items()} for stacks in _stacks(given.data)
    )
    weights, constant = fitted(*zip(*to_fit.values(), strict=True))
    for heading, one, other in (
        ("fitted", weights, constant),
        ("in use", trust.AGREEMENT, -trust.USUAL),
    ):
        sys.stdout.write(f"{heading}: " + "\n".join(_lines(one, other, to_score)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
