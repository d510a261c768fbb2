"""What a package of the BioImage Model Zoo says of its model, as objects of `bioimageio.spec`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.networks.package import ModelPackage
from napari_copnet.networks.torchscript import torch_version

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import (
        ChannelAxis,
        FileDescr,
        InputTensorDescr,
        ModelDescr,
        OutputTensorDescr,
    )

WEIGHTS, INPUT, OUTPUT = "weights.pt", "test-input.npy", "test-output.npy"
# What the library calls its description inside of a package.
DESCRIPTION = "rdf.yaml"
COVER, PAGE = "cover.png", "README.md"
HOME = "https://github.com/napari-copnet/napari-copnet"
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
# Characters of the library's message that are shown: it names field after field.
_LONGEST = 300


def zoo_library() -> Any:
    """Return the module `bioimageio.spec`.

    Raises
    ------
    CopnetError
        It is not installed; the extra zoo installs it.
    """
    try:
        import bioimageio.spec
    except ImportError as error:
        raise CopnetError(
            "Packages for the BioImage Model Zoo are built with bioimageio.spec, which is not "
            "installed.",
            'Install it with: pip install "napari-copnet[zoo]"',
        ) from error
    return bioimageio.spec


def reading_from(folder: Path) -> AbstractContextManager[Any]:
    """Return a context in which files are looked for in `folder` and nothing is fetched.

    Files are opened and compared with their description. Addresses on the web are taken as known,
    so that a package can be built without a network.
    """
    return zoo_library().ValidationContext(
        root=folder, perform_io_checks=True, known_files={HOME: None}, log_warnings=False
    )


def check_licence(licence: str) -> None:
    """Check that the zoo knows an SPDX identifier.

    Raises
    ------
    InputError
        It does not.
    """
    zoo_library()
    from bioimageio.spec.generic.v0_3 import DeprecatedLicenseId, LicenseId

    for known in (LicenseId, DeprecatedLicenseId):
        try:
            known(licence)
            return
        except ValueError:
            continue
    raise InputError(
        f"{licence!r} is not an SPDX licence identifier.", "Name one such as CC-BY-4.0."
    )


def describe(
    model: ModelPackage, folder: Path, authors: Sequence[str], licence: str, description: str
) -> ModelDescr:
    """Return the description of a model whose files lie in a folder.

    Parameters
    ----------
    model : ModelPackage
    folder : Path
        Holds `WEIGHTS`, `INPUT`, `OUTPUT`, `COVER` and `PAGE`.
    authors : sequence of str
        Names, not empty.
    licence : str
        SPDX identifier.
    description : str
        A sentence; one is made when empty.

    Raises
    ------
    CopnetError
        `bioimageio.spec` is not installed, or refuses the description.
    """
    zoo_library()
    from bioimageio.spec.model import v0_5

    task = (
        "closes gaps in cell contours"
        if model.kind == "closing"
        else "finds cell contours in SEM images"
    )
    values: dict[str, Any] = {
        "name": re.sub(r"[^A-Za-z0-9_+\- ()]", " ", f"COp-Net {model.kind} {model.name}")[:128],
        "description": (description or f"A U-Net that {task}.")[:1024],
        "license": licence,
        "git_repo": HOME,
        "tags": [
            "electron-microscopy",
            "instance-segmentation",
            "cells",
            "unet",
            f"{model.plan.dimensions}d",
        ],
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": {"copnet": {"kind": model.kind, "name": model.name, "sha256": model.sha256}},
    }
    try:
        with reading_from(folder):
            seen = _input(model)
            return v0_5.ModelDescr(
                **values,
                authors=[v0_5.Author(name=name) for name in authors],
                cite=[
                    v0_5.CiteEntry(text=_PAPER, url=v0_5.HttpUrl(HOME)),
                    v0_5.CiteEntry(text=_NNUNET, doi=v0_5.Doi(_NNUNET_DOI)),
                ],
                documentation=_file(PAGE),
                covers=[_file(COVER)],
                inputs=[seen],
                outputs=[_output(model, seen)],
                weights=v0_5.WeightsDescr(
                    torchscript=v0_5.TorchscriptWeightsDescr(
                        source=_file(WEIGHTS).source,
                        pytorch_version=v0_5.Version(torch_version()),
                    )
                ),
            )
    except ValueError as error:
        raise _refused(error) from error


def pack(described: ModelDescr, folder: Path) -> Path:
    """Return a zip of the description and its files, written into `folder` and read back.

    Raises
    ------
    CopnetError
        The library finds the package invalid: a file that is not as described, or a test tensor
        that does not fit the axes.
    """
    path = folder / "package.zip"
    try:
        with reading_from(folder):
            return zoo_library().save_bioimageio_package(described, output_path=path)
    except ValueError as error:
        raise _refused(error) from error


def _refused(error: ValueError) -> CopnetError:
    return CopnetError(
        "The library of the BioImage Model Zoo rejects this model.", str(error)[:_LONGEST].strip()
    )


def _file(name: str) -> FileDescr:
    """Return a file of the package; the library adds its SHA-256."""
    from bioimageio.spec.model.v0_5 import FileDescr, RelativeFilePath

    return FileDescr(source=RelativeFilePath(PurePosixPath(name)))


def _input(model: ModelPackage) -> InputTensorDescr:
    """Return what the network takes: sides from twice the stride on, in steps of the stride."""
    from bioimageio.spec.model import v0_5

    closing, names = model.kind == "closing", _space(model)
    # Twice the stride: a single pixel at the bottom has no deviation to normalise by.
    sides = [
        v0_5.SpaceInputAxis(
            id=v0_5.AxisId(name), size=v0_5.ParameterizedSize(min=2 * stride, step=stride)
        )
        for name, stride in zip(names, model.plan.total_stride, strict=True)
    ]
    normalise = v0_5.ZeroMeanUnitVarianceDescr(
        kwargs=v0_5.ZeroMeanUnitVarianceKwargs(axes=[v0_5.AxisId(n) for n in ("channel", *names)])
    )
    return v0_5.InputTensorDescr(
        id=v0_5.TensorId("contours" if closing else "image"),
        description=("Contour probability of Step 1" if closing else "SEM image, membranes dark"),
        axes=[v0_5.BatchAxis(), _channel("contour" if closing else "intensity"), *sides],
        test_tensor=_file(INPUT),
        data=v0_5.IntervalOrRatioDataDescr(type="float32"),
        preprocessing=[normalise] if model.plan.normalisation[0] == "zscore" else [],
    )


def _output(model: ModelPackage, seen: InputTensorDescr) -> OutputTensorDescr:
    """Return what the network answers: a probability as large as the input."""
    from bioimageio.spec.model import v0_5

    sides = [
        v0_5.SpaceOutputAxis(
            id=v0_5.AxisId(name),
            size=v0_5.SizeReference(tensor_id=seen.id, axis_id=v0_5.AxisId(name)),
        )
        for name in _space(model)
    ]
    text = "Probability that a pixel is cell contour"
    return v0_5.OutputTensorDescr(
        id=v0_5.TensorId("probability"),
        description=f"{text}, gaps closed by one pass" if model.kind == "closing" else text,
        axes=[v0_5.BatchAxis(), _channel("contour"), *sides],
        test_tensor=_file(OUTPUT),
        data=v0_5.IntervalOrRatioDataDescr(type="float32"),
    )


def _channel(name: str) -> ChannelAxis:
    from bioimageio.spec.model.v0_5 import ChannelAxis, Identifier

    return ChannelAxis(channel_names=[Identifier(name)])


def _space(model: ModelPackage) -> tuple[str, ...]:
    return ("z", "y", "x")[-model.plan.dimensions :]
