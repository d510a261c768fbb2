"""Every setting, declared once: forms, command options, docs and run records read it from here.

One frozen dataclass per step. A field's metadata holds a `Setting`: label, help, unit, range,
choices and whether it is folded away as advanced. A field whose default is None is optional.
"""

from __future__ import annotations

from napari_copnet.params.evaluation import BaselineParams, ScoreParams
from napari_copnet.params.setting import Setting, as_dict, checked, field_type, from_dict, settings
from napari_copnet.params.steps import (
    CellParams,
    ClosingParams,
    ContourParams,
    DeviceParams,
    PreprocessParams,
    ReadParams,
)
from napari_copnet.params.teaching import CheckParams, ChooseParams, FineTuneParams
from napari_copnet.params.training import DegradeParams, TissueParams, TrainParams

__all__ = [
    "BaselineParams",
    "CellParams",
    "CheckParams",
    "ChooseParams",
    "ClosingParams",
    "ContourParams",
    "DegradeParams",
    "DeviceParams",
    "FineTuneParams",
    "PreprocessParams",
    "ReadParams",
    "ScoreParams",
    "Setting",
    "TissueParams",
    "TrainParams",
    "as_dict",
    "checked",
    "field_type",
    "from_dict",
    "settings",
]
