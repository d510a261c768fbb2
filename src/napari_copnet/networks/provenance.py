"""Read the origin of an exported nnU-Net dataset into a model card.

nnU-Net copies a dataset's ``dataset.json`` beside the weights, keys that it does not know
included. So a model trained elsewhere brings back which slices it has learnt from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_copnet.errors import ModelError

PROVENANCE = "napari_copnet"
_MOST = 100_000
_HINT = "Its dataset.json was edited or is damaged: replace it with the exported one."


def provenance_card(dataset: Mapping[str, Any], fold: str, kind: str) -> dict[str, Any]:
    """Return what a model card takes from ``dataset.json``; nothing for a dataset of others.

    Parameters
    ----------
    dataset : mapping
        The parsed file. It came with the weights and is not trusted.
    fold : str
        Folder of the weights, such as ``"fold_0"`` or ``"fold_all"``.
    kind : str
        What the model is imported as.

    Returns
    -------
    dict
        ``data``, ``input_size`` and ``learnt`` (stack, its name, slices trained on, slices kept
        apart), as fine-tuning writes them.

    Raises
    ------
    ModelError
        It was exported for the other kind of network, or says what can't be.
    """
    if PROVENANCE not in dataset:
        return {}
    values = dataset[PROVENANCE]
    try:
        told, stack, name, maps = (
            str(values[key])[:200] for key in ("kind", "stack", "name", "maps")
        )
        size, slices, folds = values["input_size"], _slices(values["slices"]), values["folds"]
        trained, apart = slices, []
        number = fold.removeprefix("fold_")
        # "all" trains on all; of a fold it has no split for, nnU-Net splits anew at random.
        if number.isdecimal() and int(number) < len(folds):
            one = folds[int(number)]
            trained, apart = _slices(one["train"]), _slices(one["held_out"])
        if not isinstance(size, int) or not 0 <= size <= 65536:
            raise ValueError(size)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError("The list of slices in this dataset can't be read.", _HINT) from error
    if told != kind:
        raise ModelError(
            f"This dataset was exported for a {told[:20]} network, not a {kind} network.",
            f"Import it as {told[:20]}.",
        )
    data = f"{name}, annotated slices {', '.join(map(str, trained))}"
    return {
        "data": [data + (f", maps of {maps}" if maps else "")],
        "input_size": size,
        "learnt": [{"stack": stack, "name": name, "slices": trained, "held_out": apart}],
    }


def _slices(values: Any) -> list[int]:
    if not isinstance(values, list) or len(values) > _MOST:
        raise ValueError(values)
    if any(not isinstance(z, int) or isinstance(z, bool) or z < 0 for z in values):
        raise ValueError(values)
    return list(values)
