"""The settings of a whole run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_copnet.params.setting import as_dict
from napari_copnet.params.steps import (
    CellParams,
    ClosingParams,
    ContourParams,
    DeviceParams,
    PreprocessParams,
)


@dataclass(frozen=True)
class Settings:
    """The settings of every step of a run."""

    preprocess: PreprocessParams = PreprocessParams()
    device: DeviceParams = DeviceParams()
    contours: ContourParams = ContourParams()
    closing: ClosingParams = ClosingParams()
    cells: CellParams = CellParams()

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the settings as plain values, one group for each step."""
        return {name: as_dict(getattr(self, name)) for name in self.__dataclass_fields__}
