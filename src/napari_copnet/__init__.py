"""Individually labelled cells from scanning electron microscopy stacks.

All that is meant to be used from outside can be imported from here; docs/python.md describes each
name. A name is loaded when it is first used: importing the package loads no Qt, torch or napari.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # The same names for type checkers and editors, which do not see what `__getattr__` returns.
    from napari_copnet import params as params
    from napari_copnet.errors import CopnetError as CopnetError
    from napari_copnet.evaluation.scores import evaluate as evaluate
    from napari_copnet.export.export import export_files as export_cells
    from napari_copnet.io.read import read_stack as read_stack
    from napari_copnet.io.write import write_image as write_image
    from napari_copnet.measures.files import measure_files as measure_cells
    from napari_copnet.networks.import_model import import_model as import_model
    from napari_copnet.networks.nnunet import Network as Network
    from napari_copnet.networks.package import adopt as adopt_model
    from napari_copnet.networks.package import find_model as find_model
    from napari_copnet.networks.package import list_models as list_models
    from napari_copnet.params import Settings as Settings
    from napari_copnet.pipeline import run as run
    from napari_copnet.progress import finish as finish
    from napari_copnet.proofreading import edit_tools as edit_tools
    from napari_copnet.proofreading.queue import accept as accept_item
    from napari_copnet.proofreading.queue import build_queue as build_queue
    from napari_copnet.proofreading.queue import reject as reject_item
    from napari_copnet.proofreading.session import Session as Session
    from napari_copnet.proofreading.session_export import export as export_session
    from napari_copnet.proofreading.session_start import from_result as start_from_result
    from napari_copnet.restored import restore as restore
    from napari_copnet.restored import restored_lazily as restored_lazily
    from napari_copnet.runs.run_record import save_run as save_run
    from napari_copnet.steps.cells import label_cells as label_cells
    from napari_copnet.steps.closing import close as close_contours
    from napari_copnet.steps.contours import predict_contours as predict_contours
    from napari_copnet.steps.preprocess import preprocess as preprocess
    from napari_copnet.store.folder import FolderStore as FolderStore
    from napari_copnet.synthetic.tissue import make_tissue as make_tissue
    from napari_copnet.synthetic.tissue import random_tissue_params as random_tissue_params
    from napari_copnet.teaching.carrying.one_cell import carry_cell as carry_cell
    from napari_copnet.teaching.carrying.project_carry import carry as carry_contours
    from napari_copnet.teaching.fine_tuning import fine_tune as fine_tune
    from napari_copnet.teaching.loop import advance as teach_next
    from napari_copnet.teaching.model_comparison import compare as compare_models
    from napari_copnet.teaching.project import Project as Project
    from napari_copnet.teaching.project_start import start_from_images as start_from_images
    from napari_copnet.teaching.project_start import start_from_run as start_from_run
    from napari_copnet.teaching.slice_choice import propose as propose_slices
    from napari_copnet.types import Stack as Stack
    from napari_copnet.types import VoxelSize as VoxelSize
    from napari_copnet.watching import watch as watch

    __version__: str

# Public name: where it lies, as in entry points ("module:name", or a module that is public whole).
_PUBLIC = {
    # Values and errors
    "Stack": "types:Stack",
    "VoxelSize": "types:VoxelSize",
    "Settings": "params:Settings",
    "params": "params",
    "CopnetError": "errors:CopnetError",
    # Files
    "read_stack": "io.read:read_stack",
    "write_image": "io.write:write_image",
    "save_run": "runs.run_record:save_run",
    # A run, and its steps
    "run": "pipeline:run",
    "restore": "restored:restore",
    "restored_lazily": "restored:restored_lazily",
    "FolderStore": "store.folder:FolderStore",
    "finish": "progress:finish",
    "watch": "watching:watch",
    "preprocess": "steps.preprocess:preprocess",
    "predict_contours": "steps.contours:predict_contours",
    "close_contours": "steps.closing:close",
    "label_cells": "steps.cells:label_cells",
    # Models
    "list_models": "networks.package:list_models",
    "find_model": "networks.package:find_model",
    "import_model": "networks.import_model:import_model",
    "adopt_model": "networks.package:adopt",
    "Network": "networks.nnunet:Network",
    # Synthetic tissue, and scores
    "make_tissue": "synthetic.tissue:make_tissue",
    "random_tissue_params": "synthetic.tissue:random_tissue_params",
    "evaluate": "evaluation.scores:evaluate",
    # Proofreading
    "Session": "proofreading.session:Session",
    "start_from_result": "proofreading.session_start:from_result",
    "start_from_run": "teaching.project_start:start_from_run",
    "start_from_images": "teaching.project_start:start_from_images",
    "edit_tools": "proofreading.edit_tools",
    "build_queue": "proofreading.queue:build_queue",
    "accept_item": "proofreading.queue:accept",
    "reject_item": "proofreading.queue:reject",
    "export_session": "proofreading.session_export:export",
    # Measures, and files for other programs
    "measure_cells": "measures.files:measure_files",
    "export_cells": "export.export:export_files",
    # Teaching the networks
    "Project": "teaching.project:Project",
    "propose_slices": "teaching.slice_choice:propose",
    "carry_contours": "teaching.carrying.project_carry:carry",
    "carry_cell": "teaching.carrying.one_cell:carry_cell",
    "teach_next": "teaching.loop:advance",
    "fine_tune": "teaching.fine_tuning:fine_tune",
    "compare_models": "teaching.model_comparison:compare",
}

# Written out, because type checkers read it without running it.
__all__ = [
    "CopnetError",
    "FolderStore",
    "Network",
    "Project",
    "Session",
    "Settings",
    "Stack",
    "VoxelSize",
    "__version__",
    "accept_item",
    "adopt_model",
    "build_queue",
    "carry_cell",
    "carry_contours",
    "close_contours",
    "compare_models",
    "edit_tools",
    "evaluate",
    "export_cells",
    "export_session",
    "find_model",
    "fine_tune",
    "finish",
    "import_model",
    "label_cells",
    "list_models",
    "make_tissue",
    "measure_cells",
    "params",
    "predict_contours",
    "preprocess",
    "propose_slices",
    "random_tissue_params",
    "read_stack",
    "reject_item",
    "restore",
    "restored_lazily",
    "run",
    "save_run",
    "start_from_images",
    "start_from_result",
    "start_from_run",
    "teach_next",
    "watch",
    "write_image",
]


# Hidden from type checkers: they would take any name for one that exists.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return _version()
        if name not in _PUBLIC:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, attribute = _PUBLIC[name].partition(":")
        found = importlib.import_module(f"{__name__}.{module}")
        return getattr(found, attribute) if attribute else found


def _version() -> str:
    """Return the version that was installed, which comes from the last tag."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("napari-copnet")
    except PackageNotFoundError:
        return "0+unknown"  # run from a folder of sources that was never installed


def __dir__() -> list[str]:
    return sorted(__all__)
