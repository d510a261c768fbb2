"""Where training examples come from: annotated stacks, and synthetic tissue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_copnet.errors import InputError
from napari_copnet.networks.package import load_package
from napari_copnet.params import TissueParams

PLANES = ("xy", "xz", "yz")
TRUTH_KINDS = ("auto", "labels", "contours", "cells")


@dataclass(frozen=True)
class Source:
    """An annotated stack.

    Attributes
    ----------
    truth : Path
        Label image or contour mask, axes (Z, Y, X).
    image : Path or None
        The stack it annotates, of the same shape. Needed for a contour network.
    contours : Path or None
        Real Step 1 contour probability of the same shape, for a closing network to learn from
        besides simulated gaps.
    step1 : Path or None
        A contour model that makes `contours` from `image`, at the size networks see. It should
        not have learnt from these slices, or its maps are better than those it makes of others.
    slices : str
        Slices to train on, such as ``"0-114"`` (last one included) or ``"0,10,20"``; empty for
        all of them.
    validation : str
        Slices to validate on, at least `cases.MARGIN` away from the training slices. Empty:
        the last part of `slices` is set apart; ``"none"``: nothing is.
    positions : tuple of int
        Where each slice of the file lies in the stack it was taken from, when the file holds only
        some of it: distances are measured there. Empty: the file holds the whole stack.
    planes : tuple of str
        Of ``"xy"``, ``"xz"``, ``"yz"``: how to cut training slices. The last two are for
        isotropic voxels.
    truth_kind : str
        ``"labels"`` (cell ids), ``"contours"`` (above 0 = contour; 2 or 255 beside 1 = not
        annotated), ``"cells"`` (above 0 = cell, 0 = contour) or ``"auto"``.
    zero : str
        What label 0 means in a label image: ``"region"`` (an area like a cell), ``"contour"``,
        or ``"ignore"`` (not annotated).
    annotated : Path or None
        A mask of the truth's shape, above 0 where it was annotated: elsewhere nothing is learnt.
    sizes : tuple of int
        Longer in-plane sides the network shall see the stack at, px: contours are drawn anew at
        each, equally wide. Empty: the training's size alone.
    invert : bool
        Grey values are turned round first: the image has bright membranes.
    weight : float
        How often to draw from this source, relative to the others.
    """

    truth: Path
    image: Path | None = None
    contours: Path | None = None
    step1: Path | None = None
    slices: str = ""
    validation: str = ""
    positions: tuple[int, ...] = ()
    planes: tuple[str, ...] = ("xy",)
    truth_kind: str = "auto"
    zero: str = "region"
    annotated: Path | None = None
    sizes: tuple[int, ...] = ()
    invert: bool = False
    weight: float = 1.0

    def __post_init__(self) -> None:
        for plane in self.planes:
            if plane not in PLANES:
                raise InputError(
                    f"There is no plane {plane!r}.", f"Choose from {', '.join(PLANES)}."
                )
        if self.truth_kind not in TRUTH_KINDS:
            raise InputError(
                f"There is no kind of truth {self.truth_kind!r}.",
                f"Choose one of {', '.join(TRUTH_KINDS)}.",
            )
        if self.zero not in ("region", "contour", "ignore"):
            raise InputError(
                f"Label 0 can't mean {self.zero!r}.", "Choose region, contour or ignore."
            )


@dataclass(frozen=True)
class SyntheticTissue:
    """Synthetic stacks with exact truth.

    Attributes
    ----------
    count : int
        Number of stacks.
    seed : int
        Of the first; the others count on.
    params : TissueParams or None
        None varies the settings from stack to stack.
    slices, size : int
        Slices of a stack and their side in pixels, when `params` is None.
    kind : str
        Kind of tissue, when `params` is None; see `TissueParams`.
    step1 : Path or None
        A contour model whose maps of these stacks a closing network learns from besides
        simulated gaps. With a seed of their own the stacks are new to that model.
    weight : float
        How often to draw from all of them together, relative to the other sources.
    """

    count: int = 8
    seed: int = 0
    params: TissueParams | None = field(default=None)
    slices: int = 8
    size: int = 512
    step1: Path | None = None
    weight: float = 1.0
    kind: str = "neuropil"


def parse_slices(text: str, total: int) -> list[int]:
    """Return slice numbers named by text such as ``"0-114"``, ``"3,7,9-"`` or ``""`` for all.

    Raises
    ------
    InputError
        Not numbers, or beyond the stack.
    """
    if not text.strip():
        return list(range(total))
    chosen: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        try:
            low = int(first)
            high = int(last) if last else total - 1 if dash else low
        except ValueError:
            raise InputError(
                f"{text!r} is not a list of slices.", "Write slices as 0-114 or 0,10,20."
            ) from None
        if low > high or high >= total:
            raise InputError(
                f"Slices {part.strip()} do not exist in a stack of {total} slices.",
                f"Slices are numbered 0 to {total - 1}.",
            )
        chosen.update(range(low, high + 1))
    return sorted(chosen)


def describe_sources(sources: Sequence[Source | SyntheticTissue]) -> list[str]:
    """Return a line per source for a model card: file names and slices, no folders."""
    lines = []
    for source in sources:
        maps = ", with a contour model's maps" if source.step1 else ""
        if isinstance(source, SyntheticTissue):
            kind = source.params.kind if source.params else source.kind
            of = "" if kind == "neuropil" else f" of {kind} tissue"
            lines.append(f"{source.count} synthetic stacks{of}, seed {source.seed}{maps}")
            continue
        held = f", validated on {source.validation}" if source.validation else ""
        sizes = f" at {', '.join(map(str, source.sizes))} px" if source.sizes else ""
        lines.append(
            f"{source.truth.parent.name}/{source.truth.name} "
            f"slices {source.slices or 'all'} ({', '.join(source.planes)}){sizes}{held}{maps}"
        )
    return lines


def identify(source: Source | SyntheticTissue) -> dict[str, Any]:
    """Return a source with the size and time of its files, to tell whether it has changed."""
    entry = asdict(source)
    if source.step1:
        entry["step1"] = load_package(source.step1).sha256
    if isinstance(source, Source):
        for name in ("truth", "image", "contours", "annotated"):
            path = getattr(source, name)
            if path is not None:
                stat = Path(path).stat() if Path(path).exists() else None
                entry[name] = [str(path), stat and (stat.st_size, stat.st_mtime_ns)]
    return entry
