"""Blocks of slices, and how a function is run over them."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from napari_copnet.progress import Progress, Steps, mapped
from napari_copnet.store.stage import Stage, Values, Work

Block = tuple[int, ...]
# Memory that a block may take, and what a step needs of it for each pixel of a slice, bytes.
BLOCK_BYTES = 256e6
PIXEL_BYTES = 64
# More slices at once do not make networks faster; fewer are lost when a run is stopped, and are
# shared out more evenly.
MOST_SLICES = 8


def block_length(plane: Sequence[int]) -> int:
    """Return how many slices of a shape (Y, X) a block has."""
    return max(1, min(MOST_SLICES, int(BLOCK_BYTES / (PIXEL_BYTES * math.prod(plane)))))


def blocks_of(slices: Iterable[int], length: int) -> list[Block]:
    """Part slices into blocks, in the order given."""
    given = [int(z) for z in slices]
    return [tuple(given[first : first + length]) for first in range(0, len(given), length)]


def over_blocks(
    stage: Stage,
    phase: str,
    work: Work,
    blocks: Sequence[Block],
    shared: Any,
    step: str,
    wanted: Sequence[str] | None = None,
    *,
    here: bool = False,
) -> Steps[list[Values]]:
    """Run a function over blocks of slices; those that are done are recalled.

    Parameters
    ----------
    stage : Stage
        Where it works.
    phase : str
        Part of the step, by which the values of blocks are kept.
    work : callable
        A generator function of a module, because it may run elsewhere: called with a block and
        `shared`, yields `Progress` in slices of the block and returns a dict of small arrays.
        Done twice, it does the same: it writes no array that it reads.
    blocks : sequence of tuple of int
    shared : object
        What all blocks need: arrays, parameters.
    step : str
        Name of the step, for `Progress`.
    wanted : sequence of str, optional
        The values to return; all by default. `recalled` returns the others block by block.
    here : bool
        In this process, also where the stage has workers.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    list of dict
        Of each block, in their order.
    """
    total = sum(len(block) for block in blocks)
    found: list[Values | None] = []
    for block in blocks:
        known = stage.recalled(phase, _name(block))
        found.append(None if known is None else _chosen(known, wanted))
    done = sum(
        len(block) for block, values in zip(blocks, found, strict=True) if values is not None
    )
    if done:
        yield Progress(step, done, total, "slices")
    missing = [number for number, values in enumerate(found) if values is None]
    if stage.workers is not None and missing and not here:
        ended = stage.workers.run(work, [blocks[number] for number in missing], shared)
        with contextlib.closing(ended):
            for news in ended:
                if isinstance(news, Progress):
                    yield replace(news, step=step, done=done, total=total)
                    continue
                number, values = missing[news[0]], news[1]
                stage.keep(phase, _name(blocks[number]), values)
                found[number] = _chosen(values, wanted)
                done += len(blocks[number])
                yield Progress(step, done, total, "slices", note=_note(values))
        return [values for values in found if values is not None]
    for number in missing:
        block = blocks[number]
        values = yield from mapped(work(block, shared), _over(step, done, total))
        stage.keep(phase, _name(block), values)
        found[number] = _chosen(values, wanted)
        done += len(block)
    return [values for values in found if values is not None]


def once(stage: Stage, phase: str, work: Steps[Values]) -> Steps[Values]:
    """Run what is done once for all slices, unless it is done; pass its progress on."""
    values = stage.recalled(phase, "all")
    if values is not None:
        work.close()
        return values
    with contextlib.closing(work):
        values = yield from work
    stage.keep(phase, "all", values)
    return values


def recalled(stage: Stage, phase: str, block: Block) -> Values:
    """Return all that a block of a phase that is done has returned."""
    values = stage.recalled(phase, _name(block))
    assert values is not None, f"{phase} of {block} is not done"
    return values


def _chosen(values: Values, wanted: Sequence[str] | None) -> Values:
    return values if wanted is None else {name: values[name] for name in wanted}


def _over(step: str, before: int, total: int) -> Callable[[Progress], Progress]:
    """Return what makes progress in a block that of all blocks."""
    return lambda told: replace(told, step=step, done=before + told.done, total=total)


def _note(values: Values) -> str:
    return str(values["note"]) if "note" in values else ""


def _name(block: Block) -> str:
    """Return a file name for a block: first and last slice, and a hash of all of them."""
    digest = hashlib.sha256(repr(block).encode()).hexdigest()[:8]
    return f"{block[0]}-{block[-1]}-{digest}" if block else "none"
