"""What nnU-Net's loader draws patches from, and the transform that degrades contours anew."""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetBaseDataset
from scipy.ndimage import distance_transform_edt, gaussian_filter

from napari_copnet.params import DegradeParams
from napari_copnet.training.artefacts import add_artefacts, vary_certainty
from napari_copnet.training.dataset import read_cases
from napari_copnet.training.degrade import degrade
from napari_copnet.types import CONTOUR_ABOVE

# marks pixels of an image that shall be replaced by a freshly degraded map
NO_MAP = -1.0
# share of examples whose input is the truth or nearly so: the truth has to be a fixed point
CLEAN_SHARE = 0.08
# share of examples with a real Step 1 map that are degraded from the truth all the same
FRESH_SHARE = 0.3
# share of the real maps that get some more false and weak stretches
WORN_SHARE = 0.35


class Lent(np.ndarray):
    """An array whose crops are copies: nnU-Net's transforms write into what they are given."""

    def __getitem__(self, key: Any) -> Any:
        return np.array(super().__getitem__(key))


class StackDataset(nnUNetBaseDataset):
    """Cases of `dataset.prepare`, memory-mapped.

    Parameters
    ----------
    folder : Path
        As `dataset.prepare` writes it.
    identifiers : list of str
        Cases.
    fresh : bool
        Give `NO_MAP` instead of maps that were degraded on disk.
    context : int
        Slices on either side that come as further channels, the slice itself in their midst.
    """

    def __init__(self, folder: Path, identifiers: list[str], fresh: bool, context: int = 0) -> None:
        super().__init__(str(folder), identifiers=list(identifiers))
        index = read_cases(folder)
        raw = folder / "nnUNet_raw" / index["dataset"]
        self.cases: dict[str, tuple[np.ndarray, np.ndarray, dict]] = {}
        for name in self.identifiers:
            truth = tifffile.memmap(raw / "labelsTr" / f"{name}.tif", mode="r")
            truth = truth.reshape(index["cases"][name]["shape"])
            if fresh and not index["cases"][name]["given"]:
                image = np.broadcast_to(np.float32(NO_MAP), (2 * context + 1, *truth.shape))
            else:
                image = tifffile.memmap(raw / "imagesTr" / f"{name}_0000.tif", mode="r")
                image = with_neighbours(np.asarray(image.reshape(truth.shape)), context)
            places = {"class_locations": _locations(truth)}
            self.cases[name] = (
                image.view(Lent),
                with_neighbours(np.asarray(truth), context).view(Lent),
                places,
            )

    def load_case(self, identifier: str) -> tuple[np.ndarray, np.ndarray, None, dict]:
        """Return image (C, Z, Y, X), truth (C, Z, Y, X), None, and where classes lie."""
        image, truth, properties = self.cases[identifier]
        return image, truth, None, properties

    @staticmethod
    def save_case(data: Any, seg: Any, properties: Any, output_filename_truncated: str) -> None:
        """Not used: `dataset.prepare` writes cases."""
        raise NotImplementedError

    @staticmethod
    def get_identifiers(folder: str) -> list[str]:
        """Return all cases in a folder."""
        return sorted(read_cases(Path(folder))["cases"])


def with_neighbours(stack: np.ndarray, context: int) -> np.ndarray:
    """Return a stack (Z, Y, X) with neighbouring slices as channels, (2 context + 1, Z, Y, X).

    Channel k of slice z is slice z + k − context, or the first or last one beyond the ends. Without
    context it is the same memory.
    """
    if not context:
        return stack[None]
    padded = np.pad(stack, ((context, context), (0, 0), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * context + 1, axis=0)
    return np.moveaxis(windows, -1, 0)


def _locations(truth: np.ndarray) -> dict[Any, np.ndarray]:
    """Return some places (channel, z, y, x) of contour pixels and of annotated pixels."""
    rng = np.random.default_rng(0)
    places = np.stack([rng.integers(0, n, 200_000) for n in truth.shape], axis=1)
    values = truth[tuple(places.T)]
    places = np.concatenate([np.zeros_like(places[:, :1]), places], axis=1)
    found: dict[Any, np.ndarray] = {1: places[values == 1][:20_000]}
    # nnU-Net's key for "any annotated class"
    found[(-1, 0, 1)] = places[values < 2][:20_000]
    return found


class FreshDegradation(BasicTransform):
    """Replace the image by a newly degraded map of the truth, at its own line width.

    Parameters
    ----------
    params : DegradeParams
        For a slice of 512×512; the number of disks follows the patch's area.
    artefacts : bool
        Add noise, a faint floor, false ridges and weak ridges.
    fixed : bool
        Give maps on disk as they are: the network sees the same few each time.
    certainty : bool
        Make maps surer, less sure and softer as a whole, those on disk too.
    """

    def __init__(
        self, params: DegradeParams, artefacts: bool, fixed: bool = False, certainty: bool = False
    ) -> None:
        super().__init__()
        self.params = params
        self.artefacts = artefacts
        self.fixed = fixed
        self.certainty = certainty

    def apply(self, data_dict: dict, **_: Any) -> dict:
        """Degrade ``segmentation`` (C, Y, X) into ``image`` (C, Y, X); keep the middle one's truth.

        Channels are neighbouring slices; each is degraded on its own, all lines are as thick.
        """
        rng = np.random.default_rng(random.getrandbits(32))
        truths = data_dict["segmentation"].numpy()
        image = data_dict["image"]
        middle = len(truths) // 2
        data_dict["segmentation"] = data_dict["segmentation"][middle : middle + 1]
        has_map = float(image[middle].min()) > NO_MAP / 2
        if has_map and self.fixed:
            data_dict["image"] = image.clamp(0, 1)
            return data_dict
        if has_map and rng.random() > FRESH_SHARE:
            data_dict["image"] = image.clamp(0, 1)
            if self.artefacts and rng.random() < WORN_SHARE:
                strength = rng.uniform(0.2, 0.7)
                worn = [
                    add_artefacts(u.numpy(), truth == 1, rng, strength=strength)
                    for u, truth in zip(data_dict["image"], truths, strict=True)
                ]
                data_dict["image"] = torch.from_numpy(np.stack(worn))
            if self.certainty:
                varied = [vary_certainty(u.numpy(), rng) for u in data_dict["image"]]
                data_dict["image"] = torch.from_numpy(np.stack(varied))
            return data_dict
        contours = change_thickness(truths == 1, rng)
        changed = np.where(truths[middle] >= 2, truths[middle], contours[middle])
        data_dict["segmentation"] = torch.from_numpy(changed.astype(truths.dtype))[None]
        maps = np.stack([self._map(contour, rng) for contour in contours])
        data_dict["image"] = torch.from_numpy(maps)
        return data_dict

    def _map(self, contour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        kind = rng.random()
        if not contour.any() or kind < CLEAN_SHARE / 2:
            return contour.astype(np.float32)
        if kind < CLEAN_SHARE:
            return gaussian_filter(contour.astype(np.float32), rng.uniform(0.4, 1.2))
        share = contour.size / 512**2 * rng.uniform(0.5, 3.0)
        params = dataclasses.replace(
            self.params,
            diffusion_disks=_about(self.params.diffusion_disks * share, rng),
            absorption_disks=_about(self.params.absorption_disks * share, rng),
            duration=self.params.duration * rng.uniform(0.4, 1.4),
        )
        values = degrade(contour, params, rng)
        if self.artefacts:
            values = add_artefacts(values, contour, rng, strength=rng.uniform(0.3, 1.2))
        if self.certainty:
            values = vary_certainty(values, rng)
        return np.clip(values, 0, 1).astype(np.float32)


class FreshGaps(BasicTransform):
    """Replace the image by the binary contour with newly cut gaps (Chen et al. 2018).

    Real maps are rounded instead, `FRESH_SHARE` of them left out.

    Parameters
    ----------
    params : DegradeParams
        For a slice of 512×512; the number of gaps follows the patch's area.
    """

    def __init__(self, params: DegradeParams) -> None:
        super().__init__()
        self.params = params

    def apply(self, data_dict: dict, **_: Any) -> dict:
        """Cut gaps into ``segmentation`` (1, Y, X) to make ``image`` (1, Y, X), 0 or 1."""
        rng = np.random.default_rng(random.getrandbits(32))
        image = data_dict["image"][0]
        if float(image.min()) > NO_MAP / 2 and rng.random() > FRESH_SHARE:
            data_dict["image"] = (image > CONTOUR_ABOVE).to(image.dtype)[None]
            return data_dict
        contour = data_dict["segmentation"][0].numpy() == 1
        gaps = _about(self.params.absorption_disks * contour.size / 512**2, rng)
        params = dataclasses.replace(self.params, absorption_disks=gaps)
        data_dict["image"] = torch.from_numpy(degrade(contour, params, rng))[None]
        return data_dict


def _about(value: float, rng: np.random.Generator) -> int:
    """Round up or down by chance, so that the mean is `value`."""
    return int(value + rng.random())


def change_thickness(contours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return contours as they are (half of the time), or all of them up to 3 px thicker.

    Contours come in widths from 2 to 12 px, and annotators' lines vary too.

    Parameters
    ----------
    contours : ndarray, shape (N, Y, X), bool

    Returns
    -------
    ndarray, shape (N, Y, X), bool
    """
    if rng.random() < 0.5 or not contours.any():
        return contours
    reach = rng.uniform(0.5, 3.0)
    return np.stack(
        [distance_transform_edt(~one) <= reach if one.any() else one for one in contours]
    )


class MiddleTruth(BasicTransform):
    """Leave of a truth with neighbouring slices as channels that of the slice itself."""

    def apply(self, data_dict: dict, **_: Any) -> dict:
        """Take the middle channel of ``segmentation`` (C, Y, X)."""
        middle = len(data_dict["segmentation"]) // 2
        data_dict["segmentation"] = data_dict["segmentation"][middle : middle + 1]
        return data_dict


# nnU-Net's loader and transforms draw from the global generators. Only the threads of loaders do,
# and one at a time: a batch of validation is made while the next of training is.
_drawing = threading.Lock()


class SeededLoader:
    """Batches of nnU-Net's loader, each with a seed of its own, one ahead in a thread.

    The batch of a step is the same whether training ran through or was resumed.

    Parameters
    ----------
    loader : nnUNetDataLoader
    seed : int
    """

    def __init__(self, loader: nnUNetDataLoader, seed: int) -> None:
        self.loader = loader
        self.seed = seed
        self._ahead: dict[int, Future] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")

    def batch(self, step: int, ahead: bool = True) -> dict:
        """Return the batch of a step, and start on the next one."""
        future = self._ahead.pop(step, None) or self._thread.submit(self._make, step)
        if ahead and step + 1 not in self._ahead:
            self._ahead[step + 1] = self._thread.submit(self._make, step + 1)
        return future.result()

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def __iter__(self) -> Iterator[dict]:
        return self

    def __next__(self) -> dict:
        return self.batch(0, ahead=False)

    def _make(self, step: int) -> dict:
        seed = int(np.random.SeedSequence([self.seed, step]).generate_state(1)[0])
        with _drawing:
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            torch.manual_seed(seed)
            return self.loader.generate_train_batch()
