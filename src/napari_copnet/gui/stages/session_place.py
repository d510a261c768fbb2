"""Where the session of a stack is kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from napari_copnet.gui.viewer.layer_source import source_of
from napari_copnet.gui.workflow.run_place import plain_name
from napari_copnet.networks.package import models_folder

ENDING = "-session"


def session_place(layer: Any) -> Path:
    """Return a free folder for the session of an image layer.

    It lies beside the stack; among the user's data where the stack is no file, or its folder can't
    be written to.
    """
    source = source_of(layer)
    if source is not None and os.access(source.parent, os.W_OK):
        parent = source.absolute().parent
    else:
        parent = models_folder().parent / "sessions"
        parent.mkdir(parents=True, exist_ok=True)
    name = plain_name(layer) + ENDING
    folder, number = parent / name, 1
    while os.path.lexists(folder):
        number += 1
        folder = parent / f"{name}-{number}"
    return folder
