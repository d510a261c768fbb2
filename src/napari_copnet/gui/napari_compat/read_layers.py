"""Layers that know the file they were read from, though napari did not make them.

Where napari makes them of what a reader returns, their `source` has its path. There is no public
way to set it; needed in napari 0.9.2, which does by `napari.layers._source.layer_source`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

_PLUGIN = "napari-copnet"


@contextlib.contextmanager
def made_by_reader(path: str) -> Iterator[None]:
    """Give the layers that are made inside the path of a file; none where napari has other names.

    Parameters
    ----------
    path : str
    """
    try:
        from napari.layers._source import layer_source
    except ImportError:
        yield
        return
    with layer_source(path=path, reader_plugin=_PLUGIN):
        yield
