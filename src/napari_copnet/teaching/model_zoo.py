"""A model as a package of the BioImage Model Zoo (bioimage.io), format 0.5.

The package is a zip with ``rdf.yaml`` (what it is), the network as TorchScript, a test image with
the probability the network makes of it, a cover picture and a page. Ilastik, deepImageJ, Fiji and
others read it. `bioimageio.spec` builds and checks it.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.files import check_file, whole_file
from napari_copnet.foreign_text import as_markdown
from napari_copnet.networks.package import ModelPackage
from napari_copnet.networks.tiles import normalised
from napari_copnet.networks.torchscript import write_torchscript
from napari_copnet.params import TissueParams
from napari_copnet.synthetic import make_tissue
from napari_copnet.teaching import model_zoo_description as zoo

LICENCE = "CC-BY-3.0"


def export_model_zoo(
    model: ModelPackage,
    out: Path | str,
    *,
    authors: Sequence[str],
    licence: str = LICENCE,
    description: str = "",
    replace: bool = False,
) -> Path:
    """Write a package that bioimage.io takes.

    Parameters
    ----------
    model : ModelPackage
        Of either kind, two or three dimensions, one input channel.
    out : path
        Zip file to write, whole or not at all.
    authors : sequence of str
        Who made the model: names, such as ``"Ada Lovelace"``.
    licence : str
        SPDX identifier. Models that began from a shipped one come under CC-BY-3.0, whose data have
        to be named.
    description : str
        A sentence; one is made when empty.
    replace : bool
        Whether such a package may be replaced. Any other file that is there stays.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    CopnetError
        `bioimageio.spec` is not installed, no author, no SPDX identifier, a model of several
        channels, a damaged model, no right or room to write, or a file that stays.
    """
    names = [name.strip() for name in authors if name.strip()]
    if not names:
        raise InputError("The BioImage Model Zoo requires an author.", "Give the author's name.")
    zoo.check_licence(licence)
    if model.plan.in_channels != 1 or model.plan.normalisation[0] == "rescale01":
        raise InputError(
            f"Model {model.name!r} takes several channels, or has its own normalisation.",
            "Export it as a zip.",
        )
    out = Path(out)
    check_file(out, _is_package, replace=replace)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        image = _example(model)
        ready = normalised(image[0], model.plan.normalisation)[None]
        probability = write_torchscript(model, folder / zoo.WEIGHTS, ready)
        np.save(folder / zoo.INPUT, image)
        np.save(folder / zoo.OUTPUT, probability)
        _write_cover(folder / zoo.COVER, image, probability)
        (folder / zoo.PAGE).write_text(_page(model), encoding="utf-8")
        described = zoo.describe(model, folder, names, licence, description)
        packed = zoo.pack(described, folder)
        with whole_file(out) as beside:
            shutil.copyfile(packed, beside)
    return out


def _is_package(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return {zoo.DESCRIPTION, zoo.WEIGHTS, zoo.INPUT, zoo.OUTPUT} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def _example(model: ModelPackage) -> np.ndarray:
    """Return a small image of what the model takes, shape (1, 1, ...), float32."""
    plan = model.plan
    sides = [max(2 * stride, -(-96 // stride) * stride) for stride in plan.total_stride]
    depth = sides[0] if plan.dimensions == 3 else 1
    tissue = make_tissue(
        TissueParams(slices=depth, size=max(sides[-2:]), cell_diameter=1.5, vessel=False), seed=3
    )
    values = np.asarray(tissue.stack.data, np.float32)
    if model.kind == "closing":
        from scipy.ndimage import gaussian_filter

        values = gaussian_filter(tissue.contours.astype(np.float32), (0, 1, 1))
    values = values[:, : sides[-2], : sides[-1]]
    return values[None, None] if plan.dimensions == 3 else values[None]


def _write_cover(path: Path, image: np.ndarray, probability: np.ndarray) -> None:
    """Write image and probability side by side."""
    import matplotlib.image

    middle = (0, 0) if image.ndim == 4 else (0, 0, image.shape[2] // 2)
    left, right = image[middle], probability[middle]
    spread = max(float(np.ptp(left)), 1e-6)
    both = np.concatenate([(left - left.min()) / spread, right], axis=1)
    # Covers are twice as wide as high, and looked at larger than 96 px.
    matplotlib.image.imsave(path, np.kron(both, np.ones((4, 4))), cmap="gray", vmin=0, vmax=1)


def _scores(card: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    scores = card.get("scores")
    return scores.items() if isinstance(scores, Mapping) else ()


def _page(model: ModelPackage) -> str:
    card = model.card
    lines = [
        f"# {as_markdown(model.name)}",
        "",
        (
            "Closes gaps in the contour probability of a first network. Apply it again to its own "
            "output until fewer than 0.1 % of pixels change their rounded value; cells are the "
            "connected components of what is not contour."
            if model.kind == "closing"
            else "Predicts how likely each pixel of a scanning electron microscopy image is cell "
            "contour. Cells are the connected components of what is not contour, best after gaps "
            "were closed."
        ),
        "",
        f"Made with [napari-copnet]({zoo.HOME}).",
        "",
        "## Input",
        "",
        f"Slices were seen with the longer side at {as_markdown(card.get('input_size', 512))} px."
        if card.get("input_size", 512)
        else "Slices were seen at their own size.",
        "",
        "## Training data",
        "",
        *(f"- {as_markdown(line)}" for line in model.data),
        "",
        as_markdown(card.get("licence", "")),
        "",
        "## Validation",
        "",
        *(f"- {as_markdown(name)}: {as_markdown(value)}" for name, value in _scores(card)),
        "",
        f"SHA-256 of the weights in napari-copnet: {as_markdown(model.sha256)}",
        "",
    ]
    return "\n".join(lines)
