"""Carrying: cells of annotated slices in the slices beside and between them, without a network.

Beside each figure stands what a plain copy of the nearest given slice would give. On synthetic
tumour tissue every tenth slice is given, and a cell is right when the package's own score counts it
as labelled, from contours to contours. On fib25 and snemi3d single slices are given, and their true
label maps are carried: of the true cells of at least `LEAST` px that show in both slices, those
are right of which `evaluation.metrics.partition` says labelled (at least 85 % of the cell, and at
most 15 % of its size beside it) by their own name. No filter and no probability was fitted to the
slices scored here; the threshold of trust, .85, was set after those of fib25 and snemi3d had been
seen, so the figures of trusted cells may be somewhat too good. With ``--models``, the same is done
with the help of contour models that never saw the set.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from benchmarks.figure import Figure, machine_name
from napari_copnet.errors import InputError
from napari_copnet.evaluation.metrics import LABELLED, partition
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage, find_model, load_package
from napari_copnet.params import CarryParams, CellParams, DeviceParams, TissueParams
from napari_copnet.progress import finish
from napari_copnet.steps.cells import label_slice
from napari_copnet.steps.contours import predict_contours
from napari_copnet.steps.frame import to_original
from napari_copnet.synthetic import make_tissue
from napari_copnet.teaching.carrying.carried import drawn
from napari_copnet.teaching.carrying.carry import carry_cells
from napari_copnet.teaching.carrying.given import GivenSlice
from napari_copnet.training.truth import resize_image
from napari_copnet.types import Frame
from research.splits import FIB25, SNEMI3D

SEED = 90_310
# Smallest cell that counts, and area of one of 40 px diameter.
LEAST, LARGE = 30, 1257
GOALS = (0.80, 0.70, 0.58)
GOALS_LARGE = (0.97, 0.97, 0.92)
EVERY = 10
# How much larger contour models see the slices, about as a run would choose.
FIB25_SEEN, SNEMI3D_SEEN = 2.0, 4.0
# Diameter of the smallest cells of the synthetic tissue that the goal is about, px; bundles of thin
# processes lie between them.
WIDE = 35
# Distance of every step a window would take while carrying works, s, and what it may take.
TICK, ALIVE = 0.005, 0.050


@dataclass
class Tally:
    """Outcomes of true cells: right or not, by what was tried."""

    copied: list[bool] = field(default_factory=list)
    carried: list[bool] = field(default_factory=list)
    large: list[bool] = field(default_factory=list)
    large_copied: list[bool] = field(default_factory=list)
    trusted: list[bool] = field(default_factory=list)


def run(quick: bool = False, data: Path | None = None, models: Path | None = None) -> list[Figure]:
    """Measure all of it.

    Parameters
    ----------
    quick : bool
        One stack of tissue, fewer slices.
    data : Path, optional
        Folder with fib25, snemi3d and isbi2012, for figures on these as well.
    models : Path, optional
        Folder with ``contours-without-fib25`` and ``contours-without-snemi3d``, of `make models`.

    Raises
    ------
    InputError
        A data set is not there.
    """
    figures = _tissue(quick)
    if data is not None:
        image, labels = _fib25(data)
        starts = range(FIB25.validation.start, FIB25.validation.stop, 16 if quick else 5)
        for name, model in _helped("fib25", image, models, FIB25_SEEN):
            figures += _single(name, image, labels, starts, LEAST, GOALS, GOALS_LARGE, model)
        image, labels = _snemi3d(data)
        starts = range(SNEMI3D.validation.start, SNEMI3D.validation.stop, 8 if quick else 3)
        for name, model in _helped("snemi3d at 24 nm", image, models, SNEMI3D_SEEN):
            figures += _single(name, image, labels, starts, LEAST, None, None, model)
        figures.append(_stops(data))
    return figures + _speed(quick)


# Synthetic tumour tissue ---------------------------------------------------------------------


def thin_sliced(
    slices: int,
    size: int,
    diameter: float,
    seed: int,
    *,
    kind: str = "tumour",
    thickness: float = 0.003,
    faded: float = 0.3,
) -> Any:
    """Make tissue whose slices are thin beside a cell.

    Parameters
    ----------
    slices, size : int
    diameter : float
        Of a cell, px.
    seed : int
    kind : str
        As in `TissueParams`.
    thickness : float
        Of a slice, as a share of a cell's diameter.
    faded : float
        Share of the membrane.
    """
    pixel = 0.1
    params = TissueParams(
        kind=kind,
        slices=slices,
        size=size,
        pixel_size=pixel,
        slice_thickness=thickness * diameter * pixel,
        cell_diameter=diameter * pixel,
        membrane=3.0 * pixel,
        faded=faded,
        noise=0.15,
        drift=0.5,
        vessel=False,
    )
    return make_tissue(params, seed=seed)


def _tissue(quick: bool) -> list[Figure]:
    diameters = (60.0,) if quick else (35.0, 60.0, 120.0)
    depth, size = (EVERY + 1, 256) if quick else (2 * EVERY + 1, 384)
    rights: dict[str, list[np.ndarray]] = {"carried": [], "copied": []}
    sizes: list[np.ndarray] = []
    for number, diameter in enumerate(diameters):
        tissue = thin_sliced(depth, size, diameter, SEED + number)
        image = np.asarray(tissue.stack.data)
        given = {
            z: GivenSlice.of(tissue.contours[z], tissue.excluded[z]) for z in range(0, depth, EVERY)
        }
        wanted = [z for z in range(depth) if z not in given]
        # whatever the trust, every slice is asked for
        params = CarryParams(doubt=1.0)
        came = finish(carry_cells(image.__getitem__, given, wanted, params))
        made = {one.z: drawn(one, tissue.contours[one.z]).contour for one in came}
        for z in wanted:
            nearest = round(z / EVERY) * EVERY
            sides = {"carried": made[z], "copied": tissue.contours[nearest]}
            for name, contour in sides.items():
                right, areas = _labelled(tissue, z, contour)
                rights[name].append(right)
            sizes.append(areas)
    areas = np.concatenate(sizes)
    found = {name: np.concatenate(right) for name, right in rights.items()}
    stacks = (
        f"{len(diameters)} stack(s) of {depth} slices of {size} px, cells of "
        f"{', '.join(f'{one:g}' for one in diameters)} px, 0.3 % of it a slice"
    )
    figures = []
    for what, least, goal in (
        (f"cells of {WIDE} px and more", _area(WIDE), 0.93),
        ("all cells", LEAST, None),
    ):
        counted = areas >= least
        value, copied = (float(found[name][counted].mean()) for name in ("carried", "copied"))
        bound = copied if goal is None else goal
        figures.append(
            _figure(
                f"synthetic tumour tissue, every tenth slice given: {what} right in all others",
                value,
                f">= {bound:.2f}" + ("" if goal else ", as copies"),
                value >= bound,
                f"{counted.sum()} cells; {stacks}",
                f"{copied:.3f} by copies of the nearest given slice",
            )
        )
    return figures


def _labelled(tissue: Any, z: int, contour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which true cells of a slice are labelled, and their sizes."""
    excluded = tissue.excluded[z]
    params = CellParams(min_size=0)
    truth, predicted = (
        label_slice(one, params, excluded=excluded) for one in (tissue.contours[z], contour)
    )
    found = partition(truth, predicted)
    return found.fates == LABELLED, found.sizes


def _area(diameter: float) -> float:
    return np.pi * diameter**2 / 4


# Single slices of real stacks ------------------------------------------------------------------


def _fib25(data: Path) -> tuple[np.ndarray, Any]:
    image, labels = (_read(data / "fib25" / f"{name}.tif") for name in ("raw", "instances"))
    return image, lambda z: labels[z]


def _snemi3d(data: Path) -> tuple[np.ndarray, Any]:
    """Return image and labels of a quarter of the size: 24 nm."""
    image, labels = (_read(data / "snemi3d" / f"{name}.tif") for name in ("raw", "instances"))
    small = {}
    for z in SNEMI3D.validation:
        blocks = np.asarray(image[z], np.float32).reshape(image.shape[1] // 4, 4, -1, 4)
        small[z] = blocks.mean(axis=(1, 3))
    whole = np.zeros((image.shape[0], *small[SNEMI3D.validation[0]].shape), np.float32)
    for z, plane in small.items():
        whole[z] = plane

    def of(z: int) -> np.ndarray:
        plane = labels[z, 2::4, 2::4]
        # membranes are no cells: their pixels go to the nearest
        at = ndimage.distance_transform_edt(plane == 0, return_indices=True)[1]
        return plane[tuple(at)]

    return whole, of


def _helped(
    name: str, image: np.ndarray, models: Path | None, seen: float
) -> Iterator[tuple[str, Callable[[int], np.ndarray] | None]]:
    """Yield how carrying is done, and the contours of a model or None: without one, and with it."""
    yield name, None
    folder = None if models is None else models / f"contours-without-{name.split()[0]}"
    if folder is None or not folder.is_dir():
        return
    yield f"{name}, with a contour model", _contours(image, load_package(folder), seen)


def _contours(image: np.ndarray, model: ModelPackage, seen: float) -> Callable[[int], np.ndarray]:
    """Return what predicts the contours of a slice."""
    network = Network.load(model, DeviceParams(device="cpu"))

    @cache
    def contours(z: int) -> np.ndarray:
        plane = np.asarray(image[z])[None]
        large = resize_image(plane, seen)
        frame = Frame(plane.shape, large.shape, np.zeros((1, 2)))
        return to_original(finish(predict_contours(large, network)), frame, "probability")[0]

    return contours


def _single(
    name: str,
    image: np.ndarray,
    labels: Any,
    starts: range,
    least: int,
    goals: tuple[float, ...] | None,
    goals_large: tuple[float, ...] | None,
    contours: Callable[[int], np.ndarray] | None = None,
) -> list[Figure]:
    """Carry from single slices, three to either side."""
    tallies = {step: Tally() for step in (1, 2, 3)}
    low, high = starts.start, min(image.shape[0], starts.stop)
    for start in starts:
        names, numbered = np.unique(labels(start), return_inverse=True)
        # from 2: 1 is what belongs to no cell
        source = (numbered.reshape(image.shape[1:]) + 2).astype(np.uint32)
        wanted = [z for z in range(start - 3, start + 4) if low <= z < high]
        params = CarryParams(reach=3, doubt=1.0)
        given = {start: GivenSlice.of_labels(source)}
        for cells in finish(carry_cells(image.__getitem__, given, wanted, params, contours)):
            truth = as_source(labels(cells.z), names)
            tally = tallies[abs(cells.z - start)]
            copied, carried = (partition(truth, one) for one in (source, cells.labels))
            counted = (copied.ids < names.size + 2) & (copied.sizes >= least)
            large = counted & (copied.sizes >= LARGE)
            for found, every, larges in (
                (copied, tally.copied, tally.large_copied),
                (carried, tally.carried, tally.large),
            ):
                right = (found.fates == LABELLED) & (found.predicted == found.ids)
                every += right[counted].tolist()
                larges += right[large].tolist()
            trusted = counted & (
                cells.trust[np.minimum(copied.ids, len(cells.trust) - 1)] >= cells.least
            )
            tally.trusted += right[trusted].tolist()
    figures = []
    for index, (step, tally) in enumerate(tallies.items()):
        kept = len(tally.trusted) / max(len(tally.carried), 1)
        rows = [
            ("cells right", tally.carried, tally.copied, goals[index] if goals else None),
            (
                "cells over 40 px right",
                tally.large,
                tally.large_copied,
                goals_large[index] if goals_large else None,
            ),
            (
                f"trusted cells right ({kept:.0%} of all)",
                tally.trusted,
                [],
                0.90,
            ),
        ]
        for what, ours, theirs, goal in rows:
            value, copies = _mean(ours), _mean(theirs)
            bound = copies if goal is None else goal
            figures.append(
                _figure(
                    f"{name} +{step}, {what}",
                    value,
                    f">= {bound:.2f}" + ("" if goal else ", as copies"),
                    value >= bound,
                    f"{len(ours)} cells, from {len(starts)} slices to either side",
                    f"{copies:.3f} by copies" if theirs else "",
                )
            )
    return figures


def as_source(plane: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Number true cells as the given slice does; those it has not follow behind."""
    at = np.searchsorted(names, plane).clip(0, names.size - 1)
    known = names[at] == plane
    _, others = np.unique(plane, return_inverse=True)
    return np.where(known, at + 2, others.reshape(plane.shape) + names.size + 2).astype(np.uint32)


def _stops(data: Path) -> Figure:
    """Count how far carrying goes in sections of 50 nm of small processes, at its defaults."""
    from napari_copnet.training.cases import read_array

    image, cells = (
        read_array(data / "isbi2012" / f"train-{name}.tif")[0] for name in ("volume", "labels")
    )
    start = 10
    given = {start: GivenSlice.of(cells[start] == 0)}
    wanted = [z for z in range(len(image)) if z != start]
    came = finish(carry_cells(image.__getitem__, given, wanted))
    farthest = max((abs(one.z - start) for one in came), default=0)
    return _figure(
        "isbi2012 (50 nm), slices until carrying stops by itself",
        farthest,
        "<= 2",
        farthest <= 2,
        f"{len(came)} of {len(wanted)} slices got contours, from one in the middle",
        "",
        unit="slices",
    )


# Speed -----------------------------------------------------------------------------------------


def _speed(quick: bool) -> list[Figure]:
    """Time ten neighbours of a slice of 512 px with the default contour model, as in a project.

    A thread beside counts how long it waits.
    """
    tissue = thin_sliced(3 if quick else 11, 512, 60.0, SEED + 9)
    image = np.asarray(tissue.stack.data)
    start, waits = len(image) // 2, []
    given = {start: GivenSlice.of(tissue.contours[start], tissue.excluded[start])}
    wanted = [z for z in range(len(image)) if z != start]
    contours = _contours(image, find_model("default", "contours"), 1.0)
    free = CarryParams(doubt=1.0)
    work = threading.Thread(
        target=lambda: finish(carry_cells(image.__getitem__, given, wanted, free, contours))
    )
    begun, busy = time.perf_counter(), time.process_time()
    last = begun
    work.start()
    while work.is_alive():
        time.sleep(TICK)
        now = time.perf_counter()
        waits.append(now - last - TICK)
        last = now
    seconds = (time.perf_counter() - begun) * 10 / len(wanted)
    busy = (time.process_time() - busy) * 10 / len(wanted)
    late = float(np.percentile(waits, 99))
    return [
        _figure(
            "ten neighbours of a slice of 512 x 512 px",
            seconds,
            "< 15",
            seconds < 15,
            f"measured on {len(wanted)} neighbours; {busy:.1f} s of processor time",
            "",
            unit="s",
        ),
        _figure(
            "wait of another thread while carrying, p99",
            1000 * late,
            f"< {1000 * ALIVE:g}",
            late < ALIVE,
            f"{len(waits)} steps, longest {1000 * max(waits):.0f} ms",
            "",
            unit="ms",
        ),
    ]


def _read(path: Path) -> np.ndarray:
    from napari_copnet.training.cases import read_array

    if not path.is_file():
        raise InputError(
            f"There is no {path.parent.name}/{path.name} in {path.parent.parent}.",
            "Name the folder above fib25, snemi3d and isbi2012.",
        )
    return read_array(path)[0]


def _mean(values: list[bool]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _figure(
    name: str, value: float, goal: str, holds: bool, ours: str, theirs: str, unit: str = "share"
) -> Figure:
    return Figure(name, float(value), unit, goal, bool(holds), ours, theirs, machine_name())
