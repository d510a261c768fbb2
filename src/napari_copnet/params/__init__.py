"""Every setting, declared once: forms, command options, docs and run records read it from here.

One frozen dataclass per step. A field's metadata holds a `Setting`: label, help, unit, range,
choices and whether it is shown under Advanced. A field whose default is None is optional.
"""

from __future__ import annotations

from napari_copnet.params.evaluation import BaselineParams, ScoreParams
from napari_copnet.params.measures import MeasureParams
from napari_copnet.params.run import Settings
from napari_copnet.params.setting import (
    FORMER_NAMES,
    Setting,
    as_dict,
    checked,
    field_type,
    from_dict,
    settings,
    with_former_names,
    with_present_names,
)
from napari_copnet.params.steps import (
    CellParams,
    ClosingParams,
    ContourParams,
    DeviceParams,
    PreprocessParams,
    ReadParams,
)
from napari_copnet.params.teaching import (
    CarryParams,
    CheckParams,
    ChooseParams,
    FineTuneParams,
    LoopParams,
)
from napari_copnet.params.training import DegradeParams, TissueParams, TrainParams

__all__ = [
    "FORMER_NAMES",
    "BaselineParams",
    "CarryParams",
    "CellParams",
    "CheckParams",
    "ChooseParams",
    "ClosingParams",
    "ContourParams",
    "DegradeParams",
    "DeviceParams",
    "FineTuneParams",
    "LoopParams",
    "MeasureParams",
    "PreprocessParams",
    "ReadParams",
    "ScoreParams",
    "Setting",
    "Settings",
    "TissueParams",
    "TrainParams",
    "as_dict",
    "checked",
    "field_type",
    "from_dict",
    "settings",
    "with_former_names",
    "with_present_names",
]
