"""Gap inpainting on binary contours, after Chen et al. 2018 (root gap correction)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.baselines.base import (
    Baseline,
    SliceBlock,
    fingerprint,
    mask_of,
)
from napari_copnet.files import whole_file
from napari_copnet.lazy_array import LazyArray, by_slice
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import find_model, load_package
from napari_copnet.params import (
    BaselineParams,
    DegradeParams,
    DeviceParams,
    TrainParams,
    as_dict,
    with_former_names,
)
from napari_copnet.progress import Progress, Steps
from napari_copnet.training.fit import train, work_folder
from napari_copnet.training.sources import Source
from napari_copnet.training.truth import IGNORE
from napari_copnet.training.work import remove_model
from napari_copnet.types import is_contour

# Slices that the network gets in one call.
AT_ONCE = 8


class Chen(Baseline):
    """An encoder-decoder that fills gaps of a binary contour, applied once.

    It learns from true contours with random circles cut out, and, as the paper fine-tunes it,
    from the rounded Step 1 maps of the training slices. What it draws is united with round(u).

    Parameters
    ----------
    params : BaselineParams
        Time, gaps, or a model trained before.
    device : DeviceParams
    pixel_size : float, optional
        µm per pixel, needed for radii in µm.
    train_params : TrainParams, optional
        Of the training, in place of those `params` lead to.
    """

    name, title = "chen", "Chen 2018"

    def __init__(
        self,
        params: BaselineParams = BaselineParams(),
        device: DeviceParams = DeviceParams(),
        pixel_size: float | None = None,
        train_params: TrainParams | None = None,
    ) -> None:
        self.params = params
        self.device = device
        self.pixel_size = pixel_size
        self.train_params = train_params or TrainParams(
            size="small",
            epochs=100_000,
            minutes=params.chen_minutes,
            own_outputs=0.0,
            artefacts=False,
        )

    def check(self) -> None:
        """Check that the given radii or model can be used."""
        if self.params.chen_model:
            find_model(self.params.chen_model, "closing")
        else:
            self.gaps()

    def gaps(self) -> DegradeParams:
        """Return how gaps are cut, radii in pixels.

        Raises
        ------
        InputError
            Radii in µm, and the pixel size is unknown; or the smallest above the largest.
        """
        chosen, length = self.params, 1.0
        if chosen.chen_unit == "um":
            if not self.pixel_size:
                raise InputError(
                    "The gaps of Chen's network are given in µm, but the pixel size is unknown.",
                    "Give --voxel-size, or --chen-unit px.",
                )
            length = 1.0 / self.pixel_size
        if chosen.chen_radius_min > chosen.chen_radius_max:
            raise InputError(
                f"The smallest gap, {chosen.chen_radius_min}, is above the largest, "
                f"{chosen.chen_radius_max}.",
                "Swap the two values, or make them equal.",
            )
        return DegradeParams(
            diffusion_disks=0,
            absorption_disks=chosen.chen_gaps,
            radius_min=chosen.chen_radius_min * length,
            radius_max=chosen.chen_radius_max * length,
            method="circles",
        )

    def tune(self, block: SliceBlock, work: Path) -> Steps[dict[str, Any]]:
        """Train the network in ``WORK/chen``; a finished one is kept, a stopped one goes on."""
        if self.params.chen_model:
            package = find_model(self.params.chen_model, "closing")
            return {"model": str(package.folder), "sha256": package.sha256}
        assert block.true is not None
        gaps, folder = self.gaps(), work / "chen"
        recipe = fingerprint(
            block, gaps=as_dict(gaps), train=with_former_names(as_dict(self.train_params))
        )
        out, note = folder / "model", folder / "recipe.txt"
        same = note.exists() and note.read_text() == recipe
        if same and (out / "model.json").exists():
            package = load_package(out)
        else:
            if not same:
                self._write(block, folder)
            resume = same and (work_folder(out) / "config.json").exists()
            with whole_file(note) as beside:
                beside.write_text(recipe)
            package = yield from self._train(folder, gaps, max(block.contours.shape[1:]), resume)
        return {
            "model": str(out),
            "sha256": package.sha256,
            "steps": package.card["steps"],
            "seconds": package.card["seconds"],
            "scores": package.card["scores"],
        }

    def apply(self, block: SliceBlock, settings: Mapping[str, Any], out: Any = None) -> Steps[Any]:
        """Return the output of one pass over the binary contour, united with round(u)."""
        package = load_package(settings["model"])
        network = Network.load(package, self.device)
        masks, rounded, depth = mask_of(block, out), block.rounded, block.contours.shape[0]
        for first in range(0, depth, AT_ONCE):
            part = slice(first, min(first + AT_ONCE, depth))
            contours = np.asarray(rounded[part])
            work = network.predict(contours[:, None].astype(np.float32))
            try:
                while True:
                    try:
                        progress = next(work)
                    except StopIteration as end:
                        masks[part] = (is_contour(end.value) | contours).astype(np.uint8)
                        break
                    done = first + progress.done
                    yield Progress(self.name, done, depth, "slices", progress.note)
            finally:
                work.close()
        return masks

    def _train(self, folder: Path, gaps: DegradeParams, size: int, resume: bool) -> Steps[Any]:
        source = Source(
            truth=folder / "truth.tif", contours=folder / "contours.tif", truth_kind="contours"
        )
        package = yield from train(
            "closing",
            [source],
            folder / "model",
            self.train_params,
            gaps,
            device=self.device,
            resume=resume,
            name="chen-2018",
            size=size,
            card={"command": "copnet baselines"},
            replace=True,
        )
        return package

    @staticmethod
    def _write(block: SliceBlock, folder: Path) -> None:
        """Write the training block where the training reads it."""
        import tifffile

        assert block.true is not None
        true = block.true

        def truth(z: int) -> np.ndarray:
            this = true.slice(z)
            classes = (this.contour > 0).astype(np.uint8)
            if this.out is not None:
                classes[this.out] = IGNORE
            return classes

        for name, array in (
            ("truth", LazyArray(true.shape, np.uint8, truth)),
            ("contours", by_slice(block.rounded, lambda plane: plane, np.float32)),
        ):
            with whole_file(folder / f"{name}.tif") as beside:
                tifffile.imwrite(
                    beside,
                    (np.asarray(array[z]) for z in range(len(array))),
                    shape=tuple(array.shape),
                    dtype=array.dtype,
                    photometric="minisblack",
                    metadata={"axes": "ZYX"},
                )
        # A model trained with other settings can't be resumed.
        remove_model(folder / "model")
