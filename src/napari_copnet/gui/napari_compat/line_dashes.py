"""The dashes of lines, which vispy computes when the first labels layer comes."""

from __future__ import annotations

from vispy.visuals.line.dash_atlas import DashAtlas


def compute_dashes() -> None:
    """Compute them now, a tenth of a second; vispy keeps them.

    Needed with napari 0.9.2 and vispy 0.17, which otherwise compute them on the main thread.
    """
    DashAtlas()
