"""An image layer as a stack, and where its results lie."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.transforms import Affine

from napari_copnet.errors import InputError
from napari_copnet.gui.viewer.world import to_data
from napari_copnet.params import ReadParams
from napari_copnet.types import Stack, VoxelSize

# Under this name the metadata of a layer hold the path of its stack.
SOURCE = "copnet_source"
# And under this one, how it was read.
READ = "copnet_read"
_TIME_NAMES = {"t", "time", "frame", "frames"}


@dataclass(frozen=True)
class Placement:
    """Where a layer lies: what its results have to carry too.

    Attributes
    ----------
    scale, translate : ndarray, shape (3,)
        Along z, y, x, in `units`; 1 and 0 along z for a single image.
    units, axis_labels : tuple of str
        Of the three axes.
    flat : bool
        The layer is a single image, without z.
    name : str
        Of the layer.
    """

    scale: np.ndarray
    translate: np.ndarray
    units: tuple[str, ...]
    axis_labels: tuple[str, ...]
    flat: bool
    name: str = ""

    @classmethod
    def of(cls, layer: Any) -> Placement:
        """Return the placement of an image layer with 2 or 3 axes."""
        units = tuple(str(unit) for unit in layer.units)
        labels = tuple(layer.axis_labels)
        scale, translate = placed(layer)
        flat = layer.ndim == 2
        if flat:
            scale, translate = np.r_[1.0, scale], np.r_[0.0, translate]
            units, labels = (units[0], *units), ("z", *labels)
        return cls(scale, translate, units, labels, flat, str(layer.name))

    def arguments(self, lead: int = 0) -> dict[str, Any]:
        """Return the arguments of a layer on the same pixels, with `lead` axes of iterations."""
        start = 1 if self.flat else 0
        return {
            "scale": (1.0,) * lead + tuple(self.scale[start:]),
            "translate": (0.0,) * lead + tuple(self.translate[start:]),
            "units": ("pixel",) * lead + self.units[start:],
            "axis_labels": ("iteration",) * lead + self.axis_labels[start:],
        }


def frame_of(layer: Any, lead: int = 0) -> dict[str, Any]:
    """Return the arguments of another layer on the same pixels, without the first `lead` axes."""
    scale, translate = placed(layer)
    return {
        "scale": scale[lead:],
        "translate": translate[lead:],
        "units": tuple(str(unit) for unit in layer.units[lead:]),
        "axis_labels": layer.axis_labels[lead:],
    }


def is_usable(layer: Any) -> bool:
    """Return whether a layer can be segmented: an image of one channel with 2 or 3 axes."""
    if not isinstance(layer, Image) or layer.rgb or layer.ndim not in (2, 3):
        return False
    return "copnet" not in layer.metadata


def stack_from_layer(layer: Any, time: bool | None = None) -> Stack:
    """Return an image layer as a stack; its data are not copied.

    Parameters
    ----------
    layer : napari.layers.Image
    time : bool, optional
        Whether the first axis is time; by default the layer's axis names tell.

    Raises
    ------
    InputError
        The layer is not a single-channel image with 2 or 3 axes, or it is rotated or sheared.
    """
    if not isinstance(layer, Image):
        raise InputError("This layer is not an image.", "Choose an image layer.")
    if layer.rgb:
        raise InputError(
            f"{layer.name} is a colour image.", "Convert it to grey or extract one channel first."
        )
    if layer.ndim not in (2, 3):
        raise InputError(
            f"{layer.name} has {layer.ndim} axes.",
            "Choose a single image or a stack; split channels and time points first.",
        )
    # What is made of it could not lie over it.
    _check_straight(layer)
    data = layer.data[0] if layer.multiscale else layer.data
    data = data if data.ndim == 3 else data[None]
    if np.dtype(data.dtype) == bool:
        data = np.asarray(data).view(np.uint8)
    scale, translate = placed(layer)
    units = [str(unit) for unit in layer.units]
    lengths = [_micrometres(t, unit) for t, unit in zip(translate, layer.units, strict=True)]
    place = [length or 0.0 for length in lengths]
    z, y, x = ([0.0] * (3 - len(place)) + place)[-3:]
    return Stack(
        data,
        voxel_size_of(layer),
        (z, y, x),
        axes="tyx" if (first_is_time(layer) if time is None else time) else "zyx",
        name=layer.name,
        source=source_of(layer),
        placed={"scale": scale.tolist(), "translate": translate.tolist(), "units": units},
    )


def placed(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the scale and translation of a layer, with those of its affine transform."""
    matrix = _matrix(layer)
    return np.diag(matrix)[:-1].copy(), matrix[:-1, -1].copy()


def _matrix(layer: Any) -> np.ndarray:
    own = Affine(
        scale=layer.scale, rotate=layer.rotate, shear=layer.shear, translate=layer.translate
    )
    return layer.affine.affine_matrix @ own.affine_matrix


def _check_straight(layer: Any) -> None:
    linear = _matrix(layer)[:-1, :-1]
    if not np.allclose(linear, np.diag(np.diag(linear)), atol=1e-9 * np.abs(linear).max()):
        raise InputError(
            f"{layer.name} is rotated or sheared in the viewer.",
            "Undo the layer's transform, or save the image as it is shown and open that.",
        )


def source_of(layer: Any) -> Path | None:
    """Return the file or folder that a layer was read from; None where it is not known."""
    path = layer.metadata.get(SOURCE) or (layer.source.path if layer.source is not None else None)
    return Path(path) if path and Path(path).exists() else None


def remember_read(layer: Any, params: ReadParams) -> None:
    """Note how the file of a layer was read."""
    layer.metadata[READ] = asdict(params)


def ways_read(
    layer: Any, stack: Stack, given: Any = None, contours: Stack | None = None
) -> dict[str, ReadParams | None]:
    """Return how the files of layers are to be read for a run to be repeated.

    Parameters
    ----------
    layer, given : napari.layers.Image
        The image, and what takes the place of Step 1, if anything does.
    stack, contours : Stack
        The same as stacks.

    Returns
    -------
    dict
        ``read`` and ``read_contours``, as `runs.saving` takes them; None where it is not known.
        Voxel sizes are those that the layers have now.
    """
    ways = {"read": _way_read(layer, stack), "read_contours": None}
    if contours is not None:
        ways["read_contours"] = _way_read(given, contours)
    return ways


def _way_read(layer: Any, stack: Stack) -> ReadParams | None:
    kept, sizes = layer.metadata.get(READ), stack.voxel_size
    if kept is None:
        return None
    known = all(size is not None for size in sizes)
    return replace(ReadParams(**kept), voxel_size=",".join(map(repr, sizes)) if known else None)


def first_is_time(layer: Any) -> bool:
    """Return whether the names of a layer's axes say that the first is time."""
    return layer.ndim == 3 and str(layer.axis_labels[0]).lower() in _TIME_NAMES


def voxel_size_of(layer: Any) -> VoxelSize:
    """Return the voxel size of a layer in µm; None along axes whose unit is not a length."""
    sizes = [
        _micrometres(float(scale), unit)
        for scale, unit in zip(np.abs(placed(layer)[0]), layer.units, strict=True)
    ]
    return VoxelSize(*([None] * (3 - len(sizes)) + sizes)[-3:])


def _micrometres(scale: float, unit: Any) -> float | None:
    quantity = scale * unit
    return float(quantity.to("micrometer").magnitude) if quantity.check("[length]") else None


def set_voxel_size(layer: Any, size: VoxelSize) -> None:
    """Give a layer a voxel size in µm; axes that stay unknown keep their scale and unit."""
    sizes = size[-layer.ndim :]
    scale, translate = np.array(layer.scale, float), np.array(layer.translate, float)
    units = list(layer.units)
    # The affine transform of a layer scales it as well.
    now = placed(layer)[0]
    for axis, value in enumerate(sizes):
        if value is None:
            continue
        own = value / (now[axis] / scale[axis]) * np.sign(now[axis])
        translate[axis] *= own / scale[axis]
        scale[axis], units[axis] = own, "micrometer"
    layer.units = tuple(str(unit) for unit in units)
    layer.scale, layer.translate = scale, translate


def slice_in_view(viewer: Any, layer: Any) -> int:
    """Return the z that the viewer shows of a layer; 0 for a single image."""
    if layer.ndim < 3:
        return 0
    if len(viewer.dims.point) < layer.ndim:
        return 0
    z = float(to_data(viewer, layer, viewer.dims.point)[-3])
    return int(np.clip(round(z), 0, layer.data.shape[-3] - 1))
