"""The settings of measures."""

from __future__ import annotations

from dataclasses import dataclass

from napari_copnet.params.setting import setting


@dataclass(frozen=True)
class MeasureParams:
    """Measure cells, by slice and in 3D."""

    reach: int | None = setting(
        None,
        "Reach into walls",
        "Cells on both sides of a wall are neighbours if each, grown by this many pixels into the "
        "wall, meets the other. auto takes 5 px of the size at which the networks saw the slices.",
        unit="px",
        minimum=0,
        none="auto",
    )
    surface: bool = setting(
        True,
        "Surface",
        "Measure the surface and the sphericity of each cell on a mesh, which takes most of the "
        "time.",
    )
    numbers: str = setting(
        "auto",
        "Numbers",
        "Whether a number means the same cell in the whole stack, or only in its slice, so that "
        "nothing is measured in 3D. auto asks the record of the run, and takes a label image "
        "without one as numbered through the stack.",
        choices=("auto", "stack", "slice"),
        advanced=True,
    )
