"""All rivals by name, in the order of tables."""

from __future__ import annotations

from collections.abc import Sequence

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.evaluation.baselines.base import Rival
from napari_copnet.evaluation.baselines.cellpose import Cellpose
from napari_copnet.evaluation.baselines.chen import Chen
from napari_copnet.evaluation.baselines.morphology import MorphologicalClosing
from napari_copnet.evaluation.baselines.threshold import Threshold
from napari_copnet.evaluation.baselines.watershed import DistanceWatershed, ProbabilityWatershed
from napari_copnet.params import BaselineParams, DeviceParams

NAMES = ("threshold", "closing", "watershed-distance", "watershed", "chen", "cellpose")


def make_rivals(
    names: Sequence[str] = (),
    params: BaselineParams = BaselineParams(),
    device: DeviceParams = DeviceParams(),
    *,
    pixel_size: float | None = None,
    image: bool = False,
) -> tuple[list[Rival], list[str]]:
    """Return rivals that are ready to run.

    Parameters
    ----------
    names : sequence of str
        Of `NAMES`. Empty: all that can run here.
    params, device
        Settings of those that are trained.
    pixel_size : float, optional
        µm per pixel.
    image : bool
        Whether there is an image to give them.

    Returns
    -------
    rivals : list of Rival
    notes : list of str
        A sentence for each that was left out, when `names` is empty.

    Raises
    ------
    CopnetError
        A rival was named that is unknown or can't run.
    """
    made: dict[str, Rival] = {
        rival.name: rival
        for rival in (
            Threshold(),
            MorphologicalClosing(),
            DistanceWatershed(),
            ProbabilityWatershed(),
            Chen(params, device, pixel_size),
            Cellpose(params, device),
        )
    }
    rivals, notes = [], []
    for name in names or NAMES:
        if name not in made:
            raise InputError(f"There is no rival {name!r}.", f"Choose of {', '.join(NAMES)}.")
        rival = made[name]
        try:
            rival.check()
            if rival.needs_image and not image:
                raise InputError(f"{rival.title} works on the image.", "Name it with --image.")
        except CopnetError as error:
            if names:
                raise
            notes.append(f"{rival.title} is left out: {error.message}")
            continue
        rivals.append(rival)
    return rivals, notes
