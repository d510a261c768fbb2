"""The sessions that were open last, to go on with them."""

from __future__ import annotations

import json
from pathlib import Path

from napari_copnet.errors import CopnetError
from napari_copnet.files import whole_file
from napari_copnet.networks.package import models_folder
from napari_copnet.proofreading.session_files import is_session

MOST = 4


def recent_sessions() -> list[Path]:
    """Return the folders of the sessions that were open last and still are there, newest first."""
    try:
        names = json.loads(_file().read_text())
    except (OSError, ValueError):
        return []
    if not isinstance(names, list):
        return []
    folders = [Path(name) for name in names if isinstance(name, str)]
    return [folder for folder in folders if is_session(folder)][:MOST]


def remember(folder: Path) -> None:
    """Put a session first in the list."""
    folder = folder.absolute()
    others = [other for other in recent_sessions() if other != folder]
    names = [str(path) for path in (folder, *others)][:MOST]
    # A list that can't be written is no reason to stop the work.
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        with whole_file(_file()) as path:
            path.write_text(json.dumps(names))
    except (OSError, CopnetError):
        return


def _file() -> Path:
    return models_folder().parent / "recent-sessions.json"
