"""Annotated slices as training data: split by blocks, and written for `training.fit.train`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from napari_copnet.errors import InputError
from napari_copnet.folders import whole_folder
from napari_copnet.networks.package import ModelPackage
from napari_copnet.progress import Progress, Steps
from napari_copnet.teaching.project import DONE, Project
from napari_copnet.training.cases import MARGIN, VALIDATION_SHARE
from napari_copnet.training.sources import Source
from napari_copnet.training.truth import IGNORE
from napari_copnet.training.work import is_annotated

# Fewer slices than this are all trained on: none can be spared.
FEWEST_TO_SPLIT = 3
# Radius around a single correction that counts as reviewed, in pixels for a side of 512.
AROUND_CORRECTION = 8


@dataclass(frozen=True)
class Split:
    """The slices for training, and those for comparing the new model with the old one.

    Attributes
    ----------
    train, held_out : tuple of int
        Slices of the stack; at least `training.cases.MARGIN` lie between the two.
    text : str
        What was done, for people.
    """

    train: tuple[int, ...]
    held_out: tuple[int, ...]
    text: str


def split(
    done: Sequence[int], hold_out: bool = True, margin: int = MARGIN, *, first: int = 0
) -> Split:
    """Split annotated slices: the last block of them is held out.

    Neighbouring slices look alike, so slices nearer than `margin` to the block are left out.
    Of fewer than three slices none is held out, and none if it would cost more than half.

    Parameters
    ----------
    done : sequence of int
        Annotated slices.
    hold_out : bool
        Whether to hold any out.
    margin : int
        Smallest distance of a training slice to a held-out one.
    first : int
        Number of the first slice in the text: 0 on the command line, 1 in the window.

    Raises
    ------
    InputError
        There are none.
    """
    slices = sorted(set(done))
    if not slices:
        raise InputError("No slice is annotated yet.", "Annotate a slice and mark it as done.")
    everything = tuple(slices)
    if not hold_out:
        return Split(
            everything, (), f"All {_count(slices)} are used for training; none is held out."
        )
    if len(slices) < FEWEST_TO_SPLIT:
        return Split(
            everything,
            (),
            f"{_count(slices).capitalize()} can't be split: all are used for training. "
            f"Annotate at least {FEWEST_TO_SPLIT} to hold one out for comparing models.",
        )
    held = slices[-max(1, round(len(slices) * VALIDATION_SHARE)) :]
    train = [z for z in slices if z <= held[0] - margin]
    lost = len(slices) - len(held) - len(train)
    if 2 * len(train) < len(slices):
        return Split(
            everything,
            (),
            f"The annotated slices are too close together to hold one out: all "
            f"{_count(slices)} are used for training. Annotate one at least {margin} slices away.",
        )
    apart = f"{_named(held, first)} {_is_are(held)} held out"
    text = f"{_count(train).capitalize()} for training, {apart}"
    text += f", {lost} too close to these {'is' if lost == 1 else 'are'} left out." if lost else "."
    return Split(tuple(train), tuple(held), text)


def corrected(project: Project, z: int) -> np.ndarray:
    """Return what was decided by hand in a slice that is not done, shape (Y, X), bool.

    These are pixels that differ from the contour of the last run, or from the one that was carried
    to the slice, and walls of the review queue that were accepted or rejected, each with a few
    pixels around it.
    """
    session = project.session
    decided = (session.contour[z] > 0) != project.start_contour(z)
    for verdict in session.verdicts.values():
        if verdict.patch.z == z:
            decided[verdict.patch.box] |= verdict.patch.mask
    if not decided.any():
        return decided
    around = max(1, round(AROUND_CORRECTION * max(project.shape[1:]) / 512))
    return ndimage.distance_transform_edt(~decided) <= around


def corrected_slices(project: Project, margin_to: Iterable[int] = ()) -> list[int]:
    """Return slices that are not done but hold decisions, none near held-out slices."""
    apart = list(margin_to)
    return [
        z
        for z in range(project.shape[0])
        if project.state(z) != DONE
        and all(abs(z - other) >= MARGIN for other in apart)
        and corrected(project, z).any()
    ]


def carried_slices(project: Project, parts: Split) -> list[int]:
    """Return slices to which contours were carried, and of which training can learn.

    Carried only from slices that train, none near held-out slices.
    """
    found = []
    for z in project.carried_slices:
        carried = project.carried(z)
        apart = all(abs(z - other) >= MARGIN for other in parts.held_out)
        if carried is None or not apart or not carried.known.any():
            continue
        if set(carried.sources) <= set(parts.train):
            found.append(z)
    return found


def known_part(project: Project, z: int) -> np.ndarray | None:
    """Return what networks can learn from in a slice, shape (Y, X), bool; None for all reviewed.

    Of a slice that is not done: what was carried to it surely, or else what was `corrected`.
    """
    if project.state(z) == DONE:
        return None
    carried = project.carried(z)
    return corrected(project, z) if carried is None else carried.known


def write_slices(project: Project, folder: Path, slices: Sequence[int]) -> Steps[Path]:
    """Write image and truth of slices as two stacks that hold only these, whole or not at all.

    Parameters
    ----------
    project : Project
    folder : Path
        Gets ``image.tif``, ``truth.tif`` (0 cell, 1 contour, 2 not annotated) and
        ``slices.json``.
    slices : sequence of int
        Slices of the stack. Of those that are not done, only their `known_part` is annotated.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    InputError
        The image is not to be found, or nothing of a slice is annotated.
    """
    import tifffile

    image = project.image
    dtype = np.asarray(image[slices[0]]).dtype
    shape = (len(slices), *project.shape[1:])
    voxel = project.session.facts.voxel_size
    with whole_folder(folder, is_annotated) as beside:
        # Uncompressed: they are read again at once, and compressing takes longer than training on.
        images, truths = (
            tifffile.memmap(
                beside / name,
                shape=shape,
                dtype=kind,
                photometric="minisblack",
                metadata={"axes": "ZYX"},
            )
            for name, kind in (("image.tif", dtype), ("truth.tif", np.dtype(np.uint8)))
        )
        for number, z in enumerate(slices):
            images[number] = image[z]
            truth = project.truth(z, known_part(project, z))
            if (truth == IGNORE).all():
                raise InputError(
                    f"Slice {z} has no annotated area.",
                    "Mark the reviewed area, or remove the slice from the list.",
                )
            truths[number] = truth
            yield Progress("annotated", number + 1, len(slices), "slices")
        for array in (images, truths):
            array.flush()
        del images, truths
        values = {"slices": list(slices), "voxel_size": list(voxel), "stack": project.stack_id}
        (beside / "slices.json").write_text(json.dumps(values) + "\n")
    return folder


def sources(
    kind: str,
    folder: Path,
    slices: Sequence[int],
    parts: Split,
    step1: Mapping[int, Path] | None = None,
) -> list[Source]:
    """Return what `training.fit.train` learns from.

    Parameters
    ----------
    kind : str
        ``"contours"`` or ``"closing"``.
    folder : Path
        As `write_slices` writes it.
    slices : sequence of int
        The slices in it.
    parts : Split
        Slices in neither part that are in the folder train as well.
    step1 : mapping of int to Path, optional
        Closing: the contour model that makes each slice's map. None of them may have learnt from
        its slices, or their maps are better than those it makes of others.
    """
    index = {z: number for number, z in enumerate(slices)}
    training = [z for z in slices if z not in parts.held_out]
    shared: dict[str, Any] = {
        "truth": folder / "truth.tif",
        "image": folder / "image.tif",
        "truth_kind": "contours",
        "positions": tuple(slices),
    }
    models: list[Path | None] = [None]
    if kind == "closing":
        if step1 is None or set(slices) - set(step1):
            raise InputError(
                "A closing network is trained on the maps of a contour model.",
                "Name one for each slice.",
            )
        models = list(dict.fromkeys(step1[z] for z in training))
    held = ",".join(str(index[z]) for z in parts.held_out)
    found: list[Source] = []
    for model in models:
        some = [z for z in training if model is None or step1 is None or step1[z] == model]
        found.append(
            Source(
                slices=",".join(str(index[z]) for z in some),
                # one source brings the validation slices: they need be in the dataset once
                validation=held if held and not found else "none",
                step1=model,
                weight=float(len(some)),
                **shared,
            )
        )
    return found


def learnt_slices(model: ModelPackage, stack: str) -> set[int]:
    """Return slices of a stack that a model, or one it began from, has learnt from."""
    return {
        int(z)
        for entry in model.card.get("learnt", [])
        if entry.get("stack") == stack
        for z in entry.get("slices", [])
    }


def refuse_seen(project: Project, model: ModelPackage, slices: Iterable[int]) -> None:
    """Refuse to take maps from a model that has learnt from the slices.

    Raises
    ------
    InputError
        Names them.
    """
    seen = learnt_slices(model, project.stack_id) & set(slices)
    if seen:
        raise InputError(
            f"Model {model.name!r} was trained on {_named(sorted(seen))}: its maps there are "
            "better than its maps of other slices.",
            "Use the model that it was fine-tuned from.",
        )


def _count(slices: Sequence[int]) -> str:
    return f"{len(slices)} slice{'s' if len(slices) != 1 else ''}"


def _is_are(slices: Sequence[int]) -> str:
    return "is" if len(slices) == 1 else "are"


def _named(slices: Sequence[int], first: int = 0) -> str:
    shown = ", ".join(str(z + first) for z in slices[:8]) + (" ..." if len(slices) > 8 else "")
    return f"slice{'s' if len(slices) != 1 else ''} {shown}"
