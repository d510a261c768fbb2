"""Damage to a session: cut, changed and zeroed, it is noticed, and all that a snapshot holds stays.

Beside each damaged session lie the states that the edits made, so that what is kept is known.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from trust_inputs import Counts, counted

from napari_copnet import CopnetError, Session
from napari_copnet.params import CellParams
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.recover import recover
from napari_copnet.proofreading.session_start import Start

SHAPE = (2, 14, 18)
EDITS, SNAPSHOT = 14, 9
# Of SQLite.
PAGE = 4096
# What is damaged besides the list of edits.
OTHERS = ("session.json", "start.npz", "snapshot.npz", "runs/0/closed.npy", "runs/0/contours.npy")


def damaged_sessions(folder: Path, count: int, seed: int) -> Counts:
    """Cut the list of edits at each byte, change bytes and zero pages of all files; recover."""
    rng = np.random.default_rng(seed)
    states = _made(folder)
    damages = _damages(folder, rng)

    def one(_: int) -> str:
        name, what, damage = next(damages)
        place = folder / "damaged"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder / name, place)
        damage(place)
        # At the end of a log, what was saved can't be told from what was being saved.
        unsure = ("-wal" in what) + ("-wal" in what and "zeroed" in what)
        problem = _problem(place, states, EDITS - unsure)
        return f"{name}, {what}: {problem}" if problem else ""

    return counted(count, one)


def _made(folder: Path) -> list[Any]:
    """Make two sessions with the same edits: ``closed``, and ``open``, as a killed one is.

    Both have a snapshot after some of the edits only.
    """
    rng = np.random.default_rng(0)
    contour = (rng.random(SHAPE) < 0.3).astype(np.uint8)
    start = Start(contour, contour * np.float32(0.9), cells=CellParams(min_size=0))
    session = Session.create(folder / "closed", start)
    states = [_state(session)]
    with session:
        for number in range(1, EDITS + 1):
            spots = rng.random(SHAPE[1:]) < 0.04
            spots[tuple(rng.integers(SHAPE[1:]))] = True
            # Texts make rows of different lengths, some of more than a page.
            tool = "dots" + " " * int(rng.choice([0, 40, 5000], p=[0.6, 0.3, 0.1]))
            plane = "contour" if rng.random() < 0.8 else "vessel"
            z = int(rng.integers(SHAPE[0]))
            session.apply(Edit(tool, (Flip(plane, Patch.of(z, spots)),)))
            states.append(_state(session))
            # Each in a transaction of its own.
            session.wait_saved()
            if number == SNAPSHOT:
                session.snapshot()
        session.wait_saved()
        shutil.copytree(folder / "closed", folder / "open")
        # No snapshot of the last edits on closing.
        session._since_snapshot = 0
    return states


def _damages(
    folder: Path, rng: np.random.Generator
) -> Iterator[tuple[str, str, Callable[[Path], None]]]:
    """Yield which session, what is done to it, and what does it; without end.

    Every 4th is the next cut of the list of edits by another byte, from its end and from its
    beginning in turn, so that a short form has the cuts that come of killed writes.
    """
    journal = "journal.sqlite"
    cuts, pages = 0, 0
    size = os.path.getsize(folder / "closed" / journal)
    while True:
        left = size - 1 - cuts // 2 if cuts % 2 else cuts // 2
        cuts = (cuts + 1) % (2 * (size // 2 + 1))
        yield (
            "closed",
            f"cut to {left} bytes",
            lambda at, left=left: os.truncate(at / journal, left),
        )
        for name in ("closed", "open"):
            file = journal if name == "closed" else f"{journal}-wal"
            if rng.random() < 0.4:
                file = str(rng.choice(OTHERS))
            length = os.path.getsize(folder / name / file)
            place, value = int(rng.integers(length)), int(rng.integers(1, 256))
            yield (
                name,
                f"byte {place} of {file}",
                lambda at, file=file, place=place, value=value: _write(
                    at / file, place, lambda old: bytes([old[0] ^ value]), 1
                ),
            )
        file = (journal, f"{journal}-wal", *OTHERS)[pages % (2 + len(OTHERS))]
        name = "open" if file.endswith("-wal") else "closed"
        length = os.path.getsize(folder / name / file)
        page = int(rng.integers(-(-length // PAGE)))
        pages += 1
        yield (
            name,
            f"page {page} of {file} zeroed",
            lambda at, file=file, page=page: _write(at / file, page * PAGE, _zeros, PAGE),
        )


def _zeros(old: bytes) -> bytes:
    return bytes(len(old))


def _write(path: Path, at: int, change: Callable[[bytes], bytes], count: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(count)
        file.seek(at)
        file.write(change(old))


def _problem(place: Path, states: list[Any], least: int) -> str:
    """Return what is not as promised in a damaged session; nothing is known of what is damaged.

    Of `least` edits nobody needs to notice that there were more.
    """
    problem = ""
    with contextlib.suppress(CopnetError), Session.open(place, read_only=True) as session:
        # Read as if nothing were wrong: then what is seen has to be right.
        problem = _seen(session, states, least)
    if problem:
        return f"nobody noticed: {problem}"
    try:
        done = recover(place)
    except CopnetError as error:
        # Without the facts, or without start and snapshot, there is nothing to begin from.
        broken = [name for name in ("session.json", "start.npz") if name in str(error)]
        return "" if broken or "closed.npy" in str(error) else f"not recovered: {error}"
    known = done.edits + done.lost
    if not (least <= known <= EDITS or known == SNAPSHOT) or done.edits < SNAPSHOT:
        return f"{done.edits} edits kept, {done.lost} lost"
    with Session.open(place) as session:
        numbers = [session.history[n].id for n in range(len(session.history))]
        if done.lost == 0 and not _same(_state(session), states[done.edits]):
            return f"{done.edits} edits, but another state"
        if SNAPSHOT not in numbers:
            return "the edit of the snapshot can't be undone"
        session.jump(numbers.index(SNAPSHOT) + 1)
        # Names that lost edits gave to cells are not given again.
        found, wanted = _state(session), states[SNAPSHOT]
        if not _same(found[:-1], wanted[:-1]) or found[-1] < wanted[-1]:
            return "the state of the snapshot is gone"
        session.jump(0)
        if not _same(_state(session), states[0]):
            return "undone, it is another start"
    return f"recovered, and recovered again: {notes}" if (notes := recover(place).notes) else ""


def _seen(session: Session, states: list[Any], least: int) -> str:
    """Return what is wrong in a session that opened."""
    position = session.history.position
    if not least <= position <= EDITS:
        return f"{position} edits of {EDITS}"
    return "" if _same(_state(session), states[position]) else "another state"


def _state(session: Session) -> Any:
    model = session._model
    return (
        np.array(session.contour[:]) > 0,
        np.array(session.marks[:]),
        [dict(ids) for ids in model.ids],
        set(model.links),
        dict(model.verdicts),
        model.next_id,
    )


def _same(first: Any, second: Any) -> bool:
    arrays = all(np.array_equal(a, b) for a, b in zip(first[:2], second[:2], strict=True))
    return arrays and first[2:] == second[2:]
