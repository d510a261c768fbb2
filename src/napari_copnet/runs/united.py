"""Whether the closed contour of a run holds the contour of Step 1: one reader for all records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_copnet.params import ClosingParams


def is_united(record: Mapping[str, Any] | None) -> bool:
    """Return whether a run united its results with the rounded Step 1 contour.

    Runs write all their settings, so what a record says holds. One that has closing settings but
    not this one cannot be of a version whose default is off: until then uniting was the default,
    as in the paper. Where nothing at all is known of closing, the present default is the best
    guess.

    Parameters
    ----------
    record : mapping or None
        As in ``run.json``: of a whole run, with ``settings`` by step, or of the closing step
        alone, with its settings on one level.

    Returns
    -------
    bool
        See `params.ClosingParams.unite`.
    """
    settings = record.get("settings") if isinstance(record, Mapping) else None
    if not isinstance(settings, Mapping):
        return ClosingParams().unite
    closing = settings.get("closing", settings)
    if not isinstance(closing, Mapping) or not set(closing) & set(
        ClosingParams.__dataclass_fields__
    ):
        return ClosingParams().unite
    return bool(closing.get("unite", True))
