"""The data sets of the result tables: a block to tune baselines on, and one to score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.training.cases import read_array
from napari_copnet.training.truth import (
    CONTOUR,
    WIDTH,
    resize_image,
    resize_truth,
    resize_values,
    scale_for,
)
from research.default_sources import SEED
from research.splits import FIB25, GALA, HELA, ISBI2012, in_words

SIZE = 512
# HeLa cells are twice as large in pixels as those of tissue: at this size they are alike.
HELA_SIZE = 256
# Of 320, 384, 448, 512 and 640 px that at which closing labels most cells of the slices that
# baselines are tuned on: a pixel is 5.3 nm then, near the 4.9 nm of the fly tissue that the models
# know.
ISBI_SIZE = 384


@dataclass(frozen=True)
class Slices:
    """A block of slices at the size networks see.

    Attributes
    ----------
    image : ndarray, shape (Z, Y, X), float32, or None
        z-scored.
    truth : ndarray, shape (Z, Y, X) or (Z, Y', X')
        Contour mask, or labels where not every cell is labelled. Of the size at which it is
        scored, which may be another than the networks see.
    numbers : list of int
        What the slices are called.
    contours : ndarray, shape (Z, Y, X), float32, or None
        Step 1 probability, where it comes with the data.
    excluded : ndarray, shape (Z, Y, X), bool, or None
    """

    image: np.ndarray | None
    truth: np.ndarray
    numbers: list[int]
    contours: np.ndarray | None = None
    excluded: np.ndarray | None = None

    @property
    def true(self) -> TrueStack:
        """The truth, made ready for scoring."""
        return TrueStack(self.truth, exclude_pixels=self.excluded)

    def first(self, count: int) -> Slices:
        """Return the first `count` slices."""
        return self._part(slice(count))

    def every(self, step: int) -> Slices:
        """Return every `step`-th slice."""
        return self._part(slice(None, None, step))

    def _part(self, chosen: slice) -> Slices:
        def part(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[chosen]

        return Slices(
            part(self.image),
            self.truth[chosen],
            self.numbers[chosen],
            part(self.contours),
            part(self.excluded),
        )


@dataclass(frozen=True)
class DataSet:
    """A row of tables.

    Attributes
    ----------
    name, title : str
        For folders, and for people.
    about : str
        What was scored, and what was tuned on.
    step1 : str
        Where the Step 1 map comes from: ``"default"`` (the shipped contour model), ``"given"`` or
        ``"trained"`` (on the data set's own training frames).
    read : callable
        Takes the data folder and returns the training block and the one to score.
    is_free : bool
        Whether its terms let pictures of its cells be passed on.
    """

    name: str
    title: str
    about: str
    step1: str
    read: Callable[[Path], tuple[Slices, Slices]]
    is_free: bool = True


def _need(*paths: Path) -> None:
    for path in paths:
        if not path.exists():
            raise InputError(
                f"{path} is missing.", "Name the folder with the public data with --data."
            )


def _block(
    image: np.ndarray | None,
    truth: np.ndarray,
    chosen: Sequence[int],
    kind: str,
    zero: str,
    contours: np.ndarray | None = None,
    size: int = SIZE,
) -> Slices:
    rows = list(chosen)
    scale = scale_for(truth.shape, size)
    return Slices(
        None if image is None else _seen(image, rows, size),
        (resize_truth(truth[rows], scale, kind, WIDTH, zero) == CONTOUR).astype(np.uint8),
        rows,
        None if contours is None else np.clip(resize_values(contours[rows], scale), 0, 1),
    )


def _seen(image: np.ndarray, rows: list[int], size: int) -> np.ndarray:
    return resize_image(image[rows], scale_for(image.shape, size))


def _fib25(data: Path) -> tuple[Slices, Slices]:
    folder = data / "fib25"
    _need(folder / "raw.tif", folder / "instances.tif")
    image, truth = read_array(folder / "raw.tif")[0], read_array(folder / "instances.tif")[0]
    return (
        _block(image, truth, FIB25.tuning, "labels", "region"),
        _block(image, truth, FIB25.validation, "labels", "region"),
    )


def _gala(data: Path) -> tuple[Slices, Slices]:
    folder = data / "gala-fibsem"
    blocks = []
    for part, chosen in (("train", GALA.tuning), ("test", GALA.validation)):
        paths = [
            folder / f"{part}-{name}.tif" for name in ("image", "instances-3d", "boundary-prob")
        ]
        _need(*paths)
        image, truth, given = (read_array(path)[0] for path in paths)
        contours = given.astype(np.float32) / 255
        blocks.append(_block(image, truth, chosen, "labels", "contour", contours))
    return blocks[0], blocks[1]


def isbi2012(data: Path, size: int = ISBI_SIZE) -> tuple[Slices, Slices]:
    """Return the slices of isbi2012 that baselines are tuned on, and those that are scored.

    Parameters
    ----------
    data : Path
        Folder above ``isbi2012``.
    size : int
        At which networks and baselines see them, px; scored they are at `SIZE`.
    """
    folder = data / "isbi2012"
    _need(folder / "train-volume.tif", folder / "train-labels.tif")
    image, truth = (read_array(folder / f"train-{name}.tif")[0] for name in ("volume", "labels"))
    scored = _block(image, truth, ISBI2012.validation, "cells", "region")
    return (
        _block(image, truth, ISBI2012.tuning, "cells", "region", size=size),
        replace(scored, image=_seen(image, scored.numbers, size)),
    )


def _synthetic(_: Path) -> tuple[Slices, Slices]:
    from napari_copnet.params import TissueParams
    from napari_copnet.synthetic import make_tissue, sample_stack

    blocks = []
    # A seed that neither the default models' tissue nor the sample has.
    for tissue in (make_tissue(TissueParams(slices=4), seed=SEED + 9000), sample_stack()):
        image = resize_image(np.asarray(tissue.stack.data), 1.0)
        numbers = list(range(len(image)))
        blocks.append(
            Slices(image, tissue.contours.astype(np.uint8), numbers, excluded=tissue.excluded)
        )
    return blocks[0], blocks[1]


def hela_folders(data: Path) -> tuple[Path, Path]:
    """Return image and truth folders of DIC-C2DH-HeLa.

    Raises
    ------
    InputError
        They are missing.
    """
    folder = data / "DIC-C2DH-HeLa"
    paths = folder / "01", folder / "01_ST" / "SEG"
    _need(*paths)
    return paths


def _hela(data: Path) -> tuple[Slices, Slices]:
    image, truth = (read_array(path)[0] for path in hela_folders(data))
    scale = scale_for(image.shape, HELA_SIZE)
    # Not every cell is labelled: labels as they are tell the scores which.
    known, scored = list(HELA.tuning), list(HELA.validation)
    small = truth[known][:, :: round(1 / scale), :: round(1 / scale)]
    return (
        Slices(resize_image(image[known], scale), small, known),
        Slices(resize_image(image[scored], scale), truth[scored], scored),
    )


DATASETS = (
    DataSet(
        "hela",
        "DIC-C2DH-HeLa (light microscopy, the paper's public data)",
        f"Frames {in_words(HELA.validation)} of 512 px, labelled cells only; the networks and "
        "baselines saw them at 256 px, where cells are as large as those of tissue. Step 1 was "
        f"trained on frames {in_words(HELA.train)}, on which the baselines were tuned too (every "
        "eighth). The closing model has never seen such cells.",
        "trained",
        _hela,
        is_free=False,
    ),
    DataSet(
        "fib25",
        "fib25 (FIB-SEM, fly medulla)",
        f"Slices {in_words(FIB25.validation)} of 250 px, at 512 px. Baselines were tuned on every "
        f"tenth of slices {in_words(FIB25.train)}, from which both default models have learnt.",
        "default",
        _fib25,
    ),
    DataSet(
        "isbi2012",
        "ISBI 2012 (serial section TEM, fly nerve cord)",
        f"Slices {in_words(ISBI2012.validation)} of 512 px; the networks and baselines saw them at "
        "384 px, where a pixel is nearly as large as in the tissue that the models know. That size "
        f"and the baselines were tuned on slices {in_words(ISBI2012.tuning)}. New to both default "
        "models.",
        "default",
        isbi2012,
        is_free=False,
    ),
    DataSet(
        "gala",
        "gala (FIB-SEM, with another classifier's boundary probability as Step 1)",
        "The test crop; baselines were tuned on every fifth slice of the training crop, whose "
        "cells, but not its probability, the default models have learnt from. Its lines are 12 to "
        "20 px wide at this size, true ones 3: few cells can match to 85 %, whatever is done to "
        "gaps.",
        "given",
        _gala,
    ),
    DataSet(
        "synthetic",
        "Synthetic tissue (the bundled sample, exact truth)",
        "All 12 slices; baselines were tuned on four slices made with another seed.",
        "default",
        _synthetic,
    ),
)
