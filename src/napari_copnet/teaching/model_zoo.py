"""A model as a package of the BioImage Model Zoo (bioimage.io), format 0.5.

The package is a zip with ``rdf.yaml`` (what it is), the network as TorchScript, a test image with
the probability the network makes of it, a cover picture and a page. Ilastik, deepImageJ, Fiji and
others read it. ``rdf.yaml`` is written as JSON, which every YAML reader takes.
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.files import sha256, whole_file
from napari_copnet.networks.package import ModelPackage
from napari_copnet.networks.tiles import normalised
from napari_copnet.networks.torchscript import torch_version, write_torchscript
from napari_copnet.params import TissueParams
from napari_copnet.synthetic import make_tissue

FORMAT = "0.5.4"
LICENCE = "CC-BY-3.0"
_WEIGHTS, _INPUT, _OUTPUT = "weights.pt", "test-input.npy", "test-output.npy"
_COVER, _PAGE = "cover.png", "README.md"
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_PAPER = (
    "Robert, Calovoulos, Facq, Decoeur, Gontier, Grosset, Denis de Senneville: Enhancing Cell "
    "Instance Segmentation in Scanning Electron Microscopy Images via a Deep Contour Closing "
    "Operator, 2024"
)
_NNUNET = (
    "Isensee, Jaeger, Kohl, Petersen, Maier-Hein: nnU-Net: a self-configuring method for deep "
    "learning-based biomedical image segmentation, 2021"
)
_NNUNET_DOI = "10.1038/s41592-020-01008-z"
_HOME = "https://github.com/napari-copnet/napari-copnet"


def export_model_zoo(
    model: ModelPackage,
    out: Path | str,
    *,
    authors: Sequence[str],
    licence: str = LICENCE,
    description: str = "",
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

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    CopnetError
        No author, no SPDX identifier, a model of several channels, a damaged model, or no right or
        room to write.
    """
    names = [name.strip() for name in authors if name.strip()]
    if not names:
        raise InputError("The BioImage Model Zoo asks who made a model.", "Name an author.")
    if not _SPDX.fullmatch(licence):
        raise InputError(
            f"{licence!r} is no SPDX identifier of a licence.", "Name one such as CC-BY-4.0."
        )
    if model.plan.in_channels != 1 or model.plan.normalisation[0] == "rescale01":
        raise InputError(
            f"Model {model.name!r} takes several channels, or a normalisation of its own.",
            "Export it as a zip.",
        )
    out = Path(out)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        image = _example(model)
        ready = normalised(image[0], model.plan.normalisation)[None]
        probability = write_torchscript(model, folder / _WEIGHTS, ready)
        np.save(folder / _INPUT, image)
        np.save(folder / _OUTPUT, probability)
        _write_cover(folder / _COVER, image, probability)
        (folder / _PAGE).write_text(_page(model), encoding="utf-8")
        values = _described(model, folder, names, licence, description)
        (folder / "rdf.yaml").write_text(
            json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        with whole_file(out) as beside, zipfile.ZipFile(beside, "w") as archive:
            # The description first, as readers look for it.
            archive.write(folder / "rdf.yaml", "rdf.yaml", zipfile.ZIP_DEFLATED)
            for name in (_WEIGHTS, _INPUT, _OUTPUT, _COVER, _PAGE):
                archive.write(folder / name, name, zipfile.ZIP_DEFLATED)
    return out


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


def _described(
    model: ModelPackage, folder: Path, authors: list[str], licence: str, description: str
) -> dict[str, Any]:
    plan = model.plan
    closing = model.kind == "closing"
    names = ("z", "y", "x")[-plan.dimensions :]
    source = "contours" if closing else "image"

    def space(stride: int, name: str, of: str | None) -> dict[str, Any]:
        # Twice the stride: a single pixel at the bottom has no deviation to normalise by.
        size: Any = {"min": 2 * stride, "step": stride}
        if of is not None:
            size = {"tensor_id": of, "axis_id": name}
        return {"type": "space", "id": name, "size": size}

    def tensor(name: str, channel: str, file: str, text: str, of: str | None) -> dict[str, Any]:
        return {
            "id": name,
            "description": text,
            "axes": [
                {"type": "batch"},
                {"type": "channel", "channel_names": [channel]},
                *(space(s, n, of) for s, n in zip(plan.total_stride, names, strict=True)),
            ],
            "test_tensor": {"source": file, "sha256": sha256(folder / file)},
            "data": {"type": "float32"},
        }

    first = tensor(
        source,
        "contour" if closing else "intensity",
        _INPUT,
        "Contour probability of Step 1" if closing else "SEM image, membranes dark",
        None,
    )
    if plan.normalisation[0] == "zscore":
        first["preprocessing"] = [
            {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", *names]}}
        ]
    output = tensor(
        "probability",
        "contour",
        _OUTPUT,
        "Probability that a pixel is cell contour, gaps closed by one pass"
        if closing
        else "Probability that a pixel is cell contour",
        source,
    )
    task = "closes gaps in cell contours" if closing else "finds cell contours in SEM images"
    values: dict[str, Any] = {
        "type": "model",
        "format_version": FORMAT,
        "name": re.sub(r"[^A-Za-z0-9_+\- ()]", " ", f"COp-Net {model.kind} {model.name}")[:128],
        "description": (description or f"A U-Net that {task}.")[:1024],
        "authors": [{"name": name} for name in authors],
        "cite": [
            {"text": _PAPER, "url": _HOME},
            {"text": _NNUNET, "doi": _NNUNET_DOI},
        ],
        "license": licence,
        "git_repo": _HOME,
        "tags": [
            "electron-microscopy",
            "instance-segmentation",
            "cells",
            "unet",
            f"{plan.dimensions}d",
        ],
        "documentation": _PAGE,
        "covers": [_COVER],
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": [first],
        "outputs": [output],
        "weights": {
            "torchscript": {
                "source": _WEIGHTS,
                "sha256": sha256(folder / _WEIGHTS),
                "pytorch_version": torch_version(),
            }
        },
        "config": {"copnet": {"kind": model.kind, "name": model.name, "sha256": model.sha256}},
    }
    return values


def _write_cover(path: Path, image: np.ndarray, probability: np.ndarray) -> None:
    """Write image and probability side by side."""
    import matplotlib.image

    middle = (0, 0) if image.ndim == 4 else (0, 0, image.shape[2] // 2)
    left, right = image[middle], probability[middle]
    spread = max(float(np.ptp(left)), 1e-6)
    both = np.concatenate([(left - left.min()) / spread, right], axis=1)
    # Covers are twice as wide as high, and looked at larger than 96 px.
    matplotlib.image.imsave(path, np.kron(both, np.ones((4, 4))), cmap="gray", vmin=0, vmax=1)


def _page(model: ModelPackage) -> str:
    card = model.card
    lines = [
        f"# {model.name}",
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
        f"Made with [napari-copnet]({_HOME}).",
        "",
        "## Input",
        "",
        f"Slices were seen with the longer side at {card.get('input_size', 512)} px."
        if card.get("input_size", 512)
        else "Slices were seen at their own size.",
        "",
        "## Training data",
        "",
        *(f"- {line}" for line in model.data),
        "",
        str(card.get("licence", "")),
        "",
        "## Validation",
        "",
        *(f"- {name}: {value}" for name, value in card.get("scores", {}).items()),
        "",
        f"SHA-256 of the weights in napari-copnet: {model.sha256}",
        "",
    ]
    return "\n".join(lines)
