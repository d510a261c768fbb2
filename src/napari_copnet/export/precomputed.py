"""Cells as a precomputed volume, which Neuroglancer and webKnossos open from a web server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.export.labels import count_cells
from napari_copnet.measures.source import Source
from napari_copnet.progress import Progress, Steps

# Files of a scale, voxels along x, y, z: as much as a viewer fetches at once.
_CHUNK = (256, 256, 16)
# What the encoding of labels compresses together.
_BLOCK = (8, 8, 8)
# The coarsest scale is at most this wide, px.
_COARSEST = 512
_INSTALL = "Install it: pip install napari-copnet[precomputed]"


def write_precomputed(source: Source, folder: Path) -> Steps[Path]:
    """Write labels as scales, each half as wide as the one before, with the properties of cells.

    The encoding is ``compressed_segmentation``. Coarser scales keep every second pixel, so that no
    label appears that was not there; slices stay. The volume begins at the voxel that is nearest to
    the position of the stack.

    Parameters
    ----------
    source : Source
    folder : Path
        Made here.

    Yields
    ------
    Progress
        In slices. Memory is that of 16 slices.

    Raises
    ------
    CopnetError
        The package tensorstore is not installed.
    InputError
        An unknown voxel size.
    """
    try:
        import tensorstore
    except ImportError as error:
        raise CopnetError("Precomputed volumes need the package tensorstore.", _INSTALL) from error
    if not source.voxel_size.known:
        raise InputError(
            "Precomputed volumes are in nm, and the voxel size is unknown.",
            "Give it with --voxel-size.",
        )
    found = yield from count_cells(source.labels)
    folder.mkdir()
    scales = [_scale(tensorstore, folder, source, factor) for factor in _factors(source)]
    depth = source.labels.shape[0]
    for start in range(0, depth, _CHUNK[2]):
        stop = min(start + _CHUNK[2], depth)
        slab = np.stack([np.asarray(source.labels[z]) for z in range(start, stop)])
        for scale in scales:
            # The volume may begin elsewhere than at 0.
            low, high = (scale.domain[2].inclusive_min + z for z in (start, stop))
            # Its axes are x, y, z and channel.
            scale[:, :, low:high, 0].write(np.asarray(slab.T, np.uint32)).result()
            slab = slab[:, ::2, ::2]
        yield Progress("write", stop, depth, "slices")
    _write_properties(folder, found, source)
    return folder


def _factors(source: Source) -> list[int]:
    """Return by how much each scale is smaller in-plane than the stack."""
    height, width = source.labels.shape[1:]
    factors = [1]
    while max(height, width) // factors[-1] > _COARSEST:
        factors.append(2 * factors[-1])
    return factors


def _scale(tensorstore: Any, folder: Path, source: Source, factor: int) -> Any:
    """Make an empty scale and return it."""
    depth, height, width = source.labels.shape
    steps = (factor, factor, 1)
    sizes = [
        float(side or 0) * step for side, step in zip(source.voxel_size[::-1], steps, strict=True)
    ]
    places = zip(source.translate[::-1], sizes, strict=True)
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{folder.absolute()}/"},
        "multiscale_metadata": {
            "type": "segmentation",
            "data_type": "uint32",
            "num_channels": 1,
        },
        "scale_metadata": {
            "size": [-(-width // factor), -(-height // factor), depth],
            "resolution": [1000 * size for size in sizes],
            "voxel_offset": [round(place / size) for place, size in places],
            "encoding": "compressed_segmentation",
            "compressed_segmentation_block_size": list(_BLOCK),
            "chunk_size": list(_CHUNK),
        },
    }
    return tensorstore.open(spec, create=True).result()


def _write_properties(folder: Path, found: dict[str, np.ndarray], source: Source) -> None:
    """Add what viewers list of each cell: voxels, first and last slice, and volume in µm³."""
    volume = float(np.prod([side or 0.0 for side in source.voxel_size]))
    values = {
        "voxels": ("Voxels", found["voxels"].tolist(), "uint32"),
        "first_slice": ("First slice, from 0", found["first_slice"].tolist(), "uint32"),
        "last_slice": ("Last slice", found["last_slice"].tolist(), "uint32"),
        "volume_um3": ("Volume in µm³", (found["voxels"] * volume).tolist(), "float32"),
    }
    inline = {
        "ids": [str(cell) for cell in found["cell"].tolist()],
        "properties": [
            {"id": name, "type": "number", "description": text, "data_type": kind, "values": those}
            for name, (text, those, kind) in values.items()
        ],
    }
    name = "properties"
    (folder / name).mkdir()
    said = {"@type": "neuroglancer_segment_properties", "inline": inline}
    (folder / name / "info").write_text(json.dumps(said))
    path = folder / "info"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"segment_properties": name}))
