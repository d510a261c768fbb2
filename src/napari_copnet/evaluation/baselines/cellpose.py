"""Cellpose (Stringer et al. 2021), fine-tuned; contours of its cell probability.

The paper used cyto3, the network of Cellpose 3. Cellpose 4 is another method: a transformer with
fifty times its weights.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.evaluation.baselines.base import (
    Baseline,
    SliceBlock,
    fingerprint,
    mask_of,
)
from napari_copnet.evaluation.metrics import LABELLED
from napari_copnet.evaluation.stats import mean_sd
from napari_copnet.files import whole_file
from napari_copnet.networks.device import choose_device, fix_seed
from napari_copnet.params import BaselineParams, DeviceParams
from napari_copnet.progress import Progress, Steps

# From an even chance outwards.
THRESHOLDS = (0.5, 0.6, 0.4, 0.7, 0.3, 0.8, 0.2, 0.9, 0.1)
# Cellpose's own advice for fine-tuning.
RATE, DECAY = 0.1, 1e-4
BATCH = 8
POLL = 0.2
# In place of a file of weights: the network is trained from random ones.
SCRATCH = "scratch"
_INSTALL = "Install it with pip install 'napari-copnet[cellpose]', or leave it out of --methods."


class _Stopped(Exception):
    """The fine-tuning is to stop."""


class Cellpose(Baseline):
    """The real package: fine-tuned on the training slices, then its probability's contours.

    It sees the image, not Step 1's map, and is not united with Step 1's contour.

    Parameters
    ----------
    params : BaselineParams
        Weights to begin with, epochs.
    device : DeviceParams
    """

    name, title, needs_image = "cellpose", "Cellpose", True

    def __init__(
        self, params: BaselineParams = BaselineParams(), device: DeviceParams = DeviceParams()
    ) -> None:
        self.params = params
        self.device = device

    def check(self) -> None:
        """Check that the package and its weights are available.

        Raises
        ------
        CopnetError
            Cellpose is missing or is not version 3, or there are no weights.
        """
        if importlib.util.find_spec("cellpose") is None:
            raise CopnetError("Cellpose is not installed.", _INSTALL)
        version = importlib.metadata.version("cellpose")
        if version.split(".")[0] != "3":
            raise CopnetError(
                f"Cellpose {version} is installed, but the baseline needs Cellpose 3.",
                _INSTALL,
            )
        self.weights()

    def weights(self) -> Path | None:
        """Return the file of weights to begin with; None where those are random.

        Raises
        ------
        InputError
            There is none, or random weights are not to be trained.
        """
        given = self.params.cellpose_model
        if given == SCRATCH:
            if not self.params.cellpose_epochs:
                raise InputError(
                    "Cellpose is to begin from scratch, but not to be trained.",
                    "Set --cellpose-epochs.",
                )
            return None
        if given:
            if not Path(given).is_file():
                raise InputError(f"There are no Cellpose weights at {given}.", "Check the path.")
            return Path(given)
        own = os.environ.get("CELLPOSE_LOCAL_MODELS_PATH")
        fetched = (Path(own) if own else Path.home() / ".cellpose" / "models") / "cyto3"
        if not fetched.is_file():
            raise InputError(
                "Cellpose has no weights on this machine.",
                "Name a file such as cyto3 with --cellpose-model, or scratch to train it from "
                "random weights.",
            )
        return fetched

    def tune(self, block: SliceBlock, work: Path) -> Steps[dict[str, Any]]:
        """Fine-tune in ``WORK/cellpose`` and choose the threshold; a finished model is kept.

        The package trains on lists of images, so all slices to train on are in memory while it
        does; those to score are read one by one.
        """
        assert block.true is not None
        assert block.image is not None
        start, epochs = self.weights(), self.params.cellpose_epochs
        depth = len(block.true)
        name = SCRATCH if start is None else start.name
        model = start
        settings: dict[str, Any] = {"epochs": epochs, "weights": name}
        if epochs:
            model = work / "cellpose" / "models" / "fine-tuned"
            recipe = fingerprint(block, start=str(start or name), epochs=epochs)
            note = work / "cellpose" / "recipe.txt"
            if not (model.exists() and note.exists() and note.read_text() == recipe):
                yield from fine_tune(
                    self._load(start),
                    [np.asarray(block.image[z]) for z in range(depth)],
                    [block.true.slice(z).cells for z in range(depth)],
                    model,
                    epochs,
                )
                with whole_file(note) as beside:
                    beside.write_text(recipe)
            yield Progress(self.name, epochs, epochs, "epochs")
        network = self._load(model)
        labelled: list[list[float]] = [[] for _ in THRESHOLDS]
        for z in range(depth):
            one = block.true.slice(z)
            probability = cell_probability(network, np.asarray(block.image[z]))
            for number, threshold in enumerate(THRESHOLDS):
                fates = one.fates(contour_of(probability > threshold))
                if fates.ids.size:
                    labelled[number].append(fates.share(LABELLED))
            yield Progress(self.name, z + 1, depth, "slices")
        means = [mean_sd(values)[0] for values in labelled]
        best = int(np.argmax(means))
        settings |= {"threshold": THRESHOLDS[best], "labelled": means[best], "model": str(model)}
        return settings

    def apply(self, block: SliceBlock, settings: Mapping[str, Any], out: Any = None) -> Steps[Any]:
        """Return the contours of where the cell probability exceeds the threshold."""
        assert block.image is not None
        network = self._load(Path(settings["model"]))
        masks, depth = mask_of(block, out), block.image.shape[0]
        for z in range(depth):
            inside = cell_probability(network, np.asarray(block.image[z]))
            masks[z] = contour_of(inside > settings["threshold"])
            yield Progress(self.name, z + 1, depth, "slices")
        return masks

    def _load(self, weights: Path | None) -> Any:
        from cellpose.models import CellposeModel

        fix_seed(0)
        # oneDNN's layout for prediction can't be trained, and is no faster here.
        return CellposeModel(
            gpu=choose_device(self.device) == "cuda",
            pretrained_model=False if weights is None else str(weights),
            mkldnn=False,
        )


def fine_tune(
    model: Any,
    images: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    out: Path,
    epochs: int,
) -> Steps[None]:
    """Fine-tune a Cellpose model on images and their cells and write its weights.

    The package trains in one call. It runs in a thread here, in which a hook before each batch
    tells how far it is, and ends it when the generator is closed.

    Parameters
    ----------
    model : cellpose.models.CellposeModel
    images, labels : sequence of ndarray, shape (Y, X)
        Grey values, and cells from 1 on.
    out : Path
        File to write, in a folder ``models``.
    epochs : int
        Passes over all images.

    Yields
    ------
    Progress
        In epochs.

    Raises
    ------
    InputError
        No image has a cell.
    CopnetError
        The training broke off.
    """
    from cellpose.train import train_seg

    kept = [number for number, cells in enumerate(labels) if cells.any()]
    if not kept:
        raise InputError("There are no cells to fine-tune Cellpose on.", "Choose other slices.")
    stop = threading.Event()
    batches: list[None] = []
    problem: list[BaseException] = []

    def before_batch(*_: Any) -> None:
        if stop.is_set():
            raise _Stopped
        batches.append(None)

    def run() -> None:
        try:
            train_seg(
                model.net,
                train_data=[np.asarray(images[number], np.float32) for number in kept],
                train_labels=[np.asarray(labels[number], np.int32) for number in kept],
                channels=[0, 0],
                n_epochs=epochs,
                learning_rate=RATE,
                weight_decay=DECAY,
                batch_size=BATCH,
                SGD=True,
                min_train_masks=1,
                save_path=str(out.parent.parent),
                model_name=out.name,
            )
        except BaseException as error:
            problem.append(error)

    out.parent.mkdir(parents=True, exist_ok=True)
    hook = model.net.register_forward_pre_hook(before_batch)
    per_epoch = -(-len(kept) // BATCH)
    thread = threading.Thread(target=run, daemon=True, name="Cellpose")
    thread.start()
    try:
        while thread.is_alive():
            yield Progress("cellpose", min(epochs, len(batches) / per_epoch), epochs, "epochs")
            thread.join(POLL)
    finally:
        stop.set()
        thread.join()
        hook.remove()
    if problem:
        raise CopnetError(
            f"Fine-tuning Cellpose failed: {problem[0]}.", "Check its weights."
        ) from problem[0]


def cell_probability(model: Any, image: np.ndarray) -> np.ndarray:
    """Return Cellpose's probability that a pixel lies in a cell: shape (Y, X), float32, 0 to 1.

    Parameters
    ----------
    model : cellpose.models.CellposeModel
        Its network scales the image so that the cells it learnt from have their usual size.
    image : ndarray, shape (Y, X)
    """
    _, flows, _ = model.eval(
        np.asarray(image, np.float32), channels=[0, 0], diameter=None, compute_masks=False
    )
    return (1 / (1 + np.exp(-np.asarray(flows[2], np.float32)))).reshape(image.shape)


def contour_of(cells: np.ndarray) -> np.ndarray:
    """Return the contour of a mask of cells: SimpleITK's filter for binary images.

    Parameters
    ----------
    cells : ndarray, shape (Y, X), bool

    Returns
    -------
    ndarray, shape (Y, X), uint8
        1 on the outermost pixels of the mask, so that inside and outside are no face neighbours.
    """
    import SimpleITK

    image = SimpleITK.GetImageFromArray(cells.astype(np.uint8))
    found = SimpleITK.BinaryContour(image, fullyConnected=False, foregroundValue=1)
    return SimpleITK.GetArrayFromImage(found)
