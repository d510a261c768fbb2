"""Public stacks, fetched when asked for and accepted only with the hash known here."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.damage import damage_explained
from napari_copnet.progress import Progress, Steps
from napari_copnet.types import Stack, VoxelSize


@dataclass(frozen=True)
class PublicSequence:
    """A sequence of the Cell Tracking Challenge.

    Attributes
    ----------
    name : str
        Of the dataset; the archive holds a folder of this name.
    url, sha256 : str
        Of the archive.
    megabytes : int
        To be fetched, about.
    pixel_size : float
        In µm.
    terms : str
        What to cite and to keep to.
    """

    name: str
    url: str
    sha256: str
    megabytes: int
    pixel_size: float
    terms: str


# The hash is the one under which torch-em lists this archive.
DIC_HELA = PublicSequence(
    "DIC-C2DH-HeLa",
    "https://data.celltrackingchallenge.net/training-datasets/DIC-C2DH-HeLa.zip",
    "832fed2d05bb7488cf9c51a2994b75f8f3f53b3c3098856211f2d39023c34e1a",
    37,
    0.19,
    "Cell Tracking Challenge, HeLa cells in DIC (van Cappellen, Erasmus MC). Cite Maška et al., "
    "Nature Methods 2023, and keep to the challenge's conditions of use.",
)


def fetch_sequence(
    sequence: PublicSequence, folder: Path, number: str = "01"
) -> Steps[tuple[Stack, np.ndarray | None]]:
    """Fetch a sequence, or take it from `folder`, and read it from its archive.

    Parameters
    ----------
    sequence : PublicSequence
    folder : Path
        Where the archive is kept; created if missing.
    number : str
        Sequence in the archive.

    Yields
    ------
    Progress
        Before and after the download, then one for each frame.

    Returns
    -------
    stack : Stack
        Axes (T, Y, X).
    labels : ndarray, shape (T, Y, X), uint32, or None
        The silver truth, when the archive has it.

    Raises
    ------
    InputError
        No connection, or another file than the one known.
    """
    import pooch
    import requests

    yield Progress("fetch", 0, 1, "files", note=f"Downloading about {sequence.megabytes} MB ...")
    try:
        archive = pooch.retrieve(
            sequence.url, f"sha256:{sequence.sha256}", f"{sequence.name}.zip", Path(folder)
        )
    except (requests.RequestException, OSError) as error:
        raise InputError(
            f"{sequence.name} could not be downloaded ({type(error).__name__}).",
            "Check the connection and try again.",
        ) from error
    except ValueError as error:  # pooch: the hash differs
        raise InputError(
            f"The archive of {sequence.name} is not the expected file, and was not opened.",
            "It may have been updated: download it from celltrackingchallenge.net and open it.",
        ) from error
    yield Progress("fetch", 1, 1, "files")
    return (yield from read_sequence(Path(archive), sequence, number))


def read_sequence(
    archive: Path, sequence: PublicSequence, number: str = "01"
) -> Steps[tuple[Stack, np.ndarray | None]]:
    """Read a sequence from its archive, without unpacking; see `fetch_sequence`."""
    import tifffile

    broken = damage_explained(archive, zipfile.BadZipFile)
    with broken, zipfile.ZipFile(archive) as files:
        names = sorted(files.namelist())
        frames = _tiffs(names, f"{sequence.name}/{number}/")
        truth = _tiffs(names, f"{sequence.name}/{number}_ST/SEG/")
        if not frames:
            raise InputError(
                f"{archive.name} holds no sequence {number}.",
                "Download it again, or open it by hand.",
            )
        images: list[np.ndarray] = []
        labels: list[np.ndarray] = []
        total = len(frames) + len(truth)
        for into, members in ((images, frames), (labels, truth)):
            for name in members:
                into.append(tifffile.imread(io.BytesIO(files.read(name))))
                yield Progress("read", len(images) + len(labels), total, "slices")
    stack = Stack(
        np.stack(images),
        VoxelSize(None, sequence.pixel_size, sequence.pixel_size),
        axes="tyx",
        name=sequence.name,
        notes=(sequence.terms,),
    )
    whole = len(labels) == len(images)
    return stack, np.stack(labels).astype(np.uint32) if whole else None


def _tiffs(names: list[str], folder: str) -> list[str]:
    return [
        name
        for name in names
        if name.startswith(folder) and name.endswith(".tif") and "/" not in name[len(folder) :]
    ]
