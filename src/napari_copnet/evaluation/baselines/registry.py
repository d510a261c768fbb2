"""All baselines by name, in the order of tables."""

from __future__ import annotations

from collections.abc import Sequence

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.evaluation.baselines.base import Baseline
from napari_copnet.evaluation.baselines.cellpose import Cellpose
from napari_copnet.evaluation.baselines.chen import Chen
from napari_copnet.evaluation.baselines.morphology import MorphologicalClosing
from napari_copnet.evaluation.baselines.threshold import Threshold
from napari_copnet.evaluation.baselines.watershed import DistanceWatershed, ProbabilityWatershed
from napari_copnet.params import BaselineParams, DeviceParams

NAMES = ("threshold", "closing", "watershed-distance", "watershed", "chen", "cellpose")


def make_baselines(
    names: Sequence[str] = (),
    params: BaselineParams = BaselineParams(),
    device: DeviceParams = DeviceParams(),
    *,
    pixel_size: float | None = None,
    image: bool = False,
) -> tuple[list[Baseline], list[str]]:
    """Return baselines that are ready to run.

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
    baselines : list of Baseline
    notes : list of str
        A sentence for each that was left out, when `names` is empty.

    Raises
    ------
    CopnetError
        A baseline was named that is unknown or can't run.
    """
    made: dict[str, Baseline] = {
        baseline.name: baseline
        for baseline in (
            Threshold(),
            MorphologicalClosing(),
            DistanceWatershed(),
            ProbabilityWatershed(),
            Chen(params, device, pixel_size),
            Cellpose(params, device),
        )
    }
    baselines, notes = [], []
    for name in names or NAMES:
        if name not in made:
            raise InputError(f"There is no baseline {name!r}.", f"Choose of {', '.join(NAMES)}.")
        baseline = made[name]
        try:
            baseline.check()
            if baseline.needs_image and not image:
                raise InputError(f"{baseline.title} works on the image.", "Name it with --image.")
        except CopnetError as error:
            if names:
                raise
            notes.append(f"{baseline.title} is left out: {error.message}")
            continue
        baselines.append(baseline)
    return baselines, notes
