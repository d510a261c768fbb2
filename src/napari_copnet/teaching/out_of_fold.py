"""Contour models that have not learnt from slices: they make what a closing network learns from."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from napari_copnet.errors import CopnetError
from napari_copnet.networks.package import KINDS, ModelPackage, find_model, list_models
from napari_copnet.params import DeviceParams, FineTuneParams
from napari_copnet.progress import Steps
from napari_copnet.teaching import annotated_dataset
from napari_copnet.teaching.annotated_dataset import Split
from napari_copnet.teaching.fine_tuning_folder import train_params
from napari_copnet.teaching.project import Project
from napari_copnet.training import fit
from napari_copnet.training.cases import MARGIN
from napari_copnet.training.sources import Source


def ancestors(model: ModelPackage) -> list[ModelPackage]:
    """Return the models it was fine-tuned from, its parent first, as far as they are here."""
    known = {one.sha256: one for one in (*list_models(), *_shipped())}
    found: list[ModelPackage] = []
    at = model
    while at.card.get("parent"):
        parent = at.card["parent"]
        digest = parent.get("sha256", "") if isinstance(parent, dict) else ""
        if digest not in known or known[digest] in found:
            break
        at = known[digest]
        found.append(at)
    return found


def folds_needed(
    project: Project, model: ModelPackage, slices: Sequence[int], params: FineTuneParams
) -> list[tuple[list[int], list[int]]]:
    """Return (slices to train on, slices to predict) of each fold that is needed.

    None where the model has not learnt from the slices, nor where too few are left to split.
    """
    seen = sorted(annotated_dataset.learnt_slices(model, project.stack_id) & set(slices))
    count = min(params.folds, len(seen))
    size = -(-len(seen) // count) if count else 0
    blocks = [seen[first : first + size] for first in range(0, len(seen), size)] if size else []
    folds = []
    for block in blocks:
        others = [z for z in seen if all(abs(z - other) >= MARGIN for other in block)]
        if not others:
            return []
        folds.append((others, block))
    return folds


def out_of_fold(
    project: Project,
    model: ModelPackage,
    slices: Sequence[int],
    annotated: Path,
    work: Path,
    params: FineTuneParams,
    device: DeviceParams | None,
) -> Steps[dict[int, Path]]:
    """Return, for each slice, a contour model that has not learnt from it."""
    maps = {z: model.folder for z in slices}
    seen = annotated_dataset.learnt_slices(model, project.stack_id) & set(slices)
    if not seen:
        return maps
    fresh = next(
        (
            one
            for one in ancestors(model)
            if not annotated_dataset.learnt_slices(one, project.stack_id) & set(slices)
        ),
        None,
    )
    if fresh is None:
        raise CopnetError(
            f"Model {model.name!r} has learnt from these slices, and the model it began from is "
            "not here.",
            "Choose a contour model that has not learnt from them.",
        )
    maps.update(dict.fromkeys(seen, fresh.folder))
    folds = folds_needed(project, model, slices, params)
    for number, (others, block) in enumerate(folds, start=1):
        out = work / f"fold-{number}"
        short = replace(params, minutes=params.fold_minutes)
        training = fit.train(
            "contours",
            annotated_dataset.sources("contours", annotated, slices, Split(tuple(others), (), ""))
            if set(others) == set(slices)
            else _some(annotated, slices, others),
            out,
            train_params(short, fresh),
            device=device,
            start_from=fresh.folder,
            size=project.network_size,
        )
        with contextlib.closing(training):
            while True:
                try:
                    progress = next(training)
                except StopIteration:
                    break
                yield replace(progress, step=f"fold {number} of {len(folds)}")
        maps.update(dict.fromkeys(block, out))
    return maps


def _some(annotated: Path, slices: Sequence[int], chosen: Sequence[int]) -> list[Source]:
    index = {z: number for number, z in enumerate(slices)}
    whole = annotated_dataset.sources("contours", annotated, slices, Split(tuple(chosen), (), ""))
    return [replace(whole[0], slices=",".join(str(index[z]) for z in chosen))]


def _shipped() -> list[ModelPackage]:
    found = []
    for kind in KINDS:
        with contextlib.suppress(CopnetError):
            found.append(find_model("shipped", kind))
    return found
