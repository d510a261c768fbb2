"""Edits: a process that edits is killed at random; random steps are compared with plain arrays."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
from trust_inputs import counted, tries

from napari_copnet import CopnetError, Session, params
from napari_copnet.proofreading import journal as journal_module
from napari_copnet.proofreading import session as session_module
from napari_copnet.proofreading.edits import MARKS, PLANES, Edit, Flip, Judge, Patch, Verdict
from napari_copnet.proofreading.session_start import Start
from napari_copnet.steps.cells import label_slice

SHAPE = (3, 40, 48)
PARAMS = params.CellParams(min_size=4)
# So that kills hit the writing of snapshots as well.
SNAPSHOT_EVERY = 15


class Plain:
    """The same edits on arrays that are copied whole: slow, and too simple to be wrong."""

    def __init__(self, contour: np.ndarray) -> None:
        self.states = [(contour.copy(), np.zeros(SHAPE, np.uint8), frozenset())]
        self.listed: list[str] = []
        self.at = 0

    def do(self, step: tuple) -> None:
        kind, *values = step
        if kind == "undo":
            self.at = max(self.at - 1, 0)
        elif kind == "redo":
            self.at = min(self.at + 1, len(self.states) - 1)
        elif kind == "jump":
            self.at = values[0] % len(self.states)
        else:
            contour, marks, verdicts = self.states[self.at]
            contour, marks = contour.copy(), marks.copy()
            if kind == "judge":
                verdicts = verdicts ^ {values[0]}
            else:
                for plane, z, top, left, mask in values:
                    box = (z, slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1]))
                    if plane == "contour":
                        contour[box] = np.where(mask, 1 - contour[box], contour[box])
                    else:
                        marks[box] = np.where(mask, marks[box] ^ MARKS[plane], marks[box])
            del self.states[self.at + 1 :], self.listed[self.at :]
            self.states.append((contour, marks, verdicts))
            self.listed.append(_edit_of(step, {}).text if kind == "flip" else kind)
            self.at += 1

    def equals(self, session: Session) -> bool:
        contour, marks, verdicts = self.states[self.at]
        return (
            session.history.position == self.at
            and self.listed == [_without_key(entry.text) for entry in session.history]
            and np.array_equal(session.contour, contour)
            and np.array_equal(session.marks, marks)
            and set(session.verdicts) == {str(key) for key in verdicts}
            and all(_same_cells(session, z, contour[z], marks[z]) for z in range(SHAPE[0]))
        )


def drawn(rng: np.random.Generator) -> tuple:
    """Draw a step: mostly strokes, some marks, verdicts, undos, redos and jumps."""
    dice = rng.random()
    if dice < 0.15:
        return ("undo",)
    if dice < 0.25:
        return ("redo",)
    if dice < 0.28:
        return ("jump", int(rng.integers(1 << 30)))
    if dice < 0.35:
        return ("judge", int(rng.integers(9)))
    flips = []
    plane = str(rng.choice(PLANES)) if rng.random() < 0.3 else "contour"
    for z in rng.choice(SHAPE[0], rng.integers(1, 3), replace=False):
        height, width = rng.integers(1, 12, 2)
        top, left = rng.integers(0, SHAPE[1] - height), rng.integers(0, SHAPE[2] - width)
        mask = rng.random((height, width)) < rng.choice([0.1, 0.5, 1.0])
        if mask.any():
            flips.append((plane, int(z), int(top), int(left), mask))
    return ("flip", *flips) if flips else ("undo",)


def do(session: Session, step: tuple) -> None:
    """Do a step in a session."""
    kind, *values = step
    if kind == "undo":
        session.undo()
    elif kind == "redo":
        session.redo()
    elif kind == "jump":
        session.jump(values[0] % (len(session.history) + 1))
    else:
        session.apply(_edit_of(step, session.verdicts))


def _edit_of(step: tuple, verdicts: dict[str, Verdict]) -> Edit:
    kind, *values = step
    if kind == "judge":
        key = str(values[0])
        before = verdicts.get(key)
        verdict = Verdict(key, "gap", Patch.of(0, np.ones((1, 1))), "accepted")
        return Edit("judge", (Judge(before, None if before else verdict),))
    flips = [Flip(plane, Patch.of(z, mask, (top, left))) for plane, z, top, left, mask in values]
    return Edit("flip", tuple(flips))


def _without_key(text: str) -> str:
    return "judge" if text.startswith("judge") else text


def kills(folder: Path, count: int, seed: int) -> tuple[int, int, int]:
    """Kill an editing process `count` times; return how often nothing was lost, lost, unreadable.

    The process tells after each step how many are acknowledged. What is opened after the kill
    has to be the state after that step or a later one of those it had asked for.
    """
    contour = (np.random.default_rng(seed).random(SHAPE) < 0.3).astype(np.uint8)
    with Session.create(folder / "killed", Start(contour, contour * 0.9, cells=PARAMS)):
        pass
    plain, chance = Plain(contour), random.Random(seed)
    survived = lost = unreadable = 0
    for number in tries(count):
        acknowledged = _killed(folder / "killed", seed + number, chance.uniform(0, 0.25))
        rng = np.random.default_rng(seed + number)
        # A step that has nothing to undo asks for no write.
        states, writes = [_copy(plain)], [0]
        for _ in range(100_000):
            if writes[-1] > acknowledged + 400:
                break
            step, before = drawn(rng), plain.at
            plain.do(step)
            states.append(_copy(plain))
            unchanged = step[0] in ("undo", "redo", "jump") and plain.at == before
            writes.append(writes[-1] + (not unchanged))
        try:
            with Session.open(folder / "killed") as session:
                match = [
                    state
                    for state, write in zip(states, writes, strict=True)
                    if write >= acknowledged and state.equals(session)
                ]
        except CopnetError as error:
            print(f"    kill {number}: {error}")
            unreadable += 1
            break
        if not match:
            lost += 1
            break
        survived += 1
        plain = match[0]
    return survived, lost, unreadable


def _killed(folder: Path, seed: int, delay: float) -> int:
    """Edit in a process of its own, kill it, and return how many writes it had acknowledged."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _edit(folder, seed, writer)
        finally:
            os._exit(1)
    os.close(writer)
    select.select([reader], [], [], 30)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    told = b""
    while block := os.read(reader, 1 << 16):
        told += block
    os.close(reader)
    # A line that was cut off does not count.
    lines = [line for line in told.split(b"\n")[:-1] if line.isdigit()]
    return int(lines[-1]) if lines else 0


def _edit(folder: Path, seed: int, writer: int) -> None:
    session_module.SNAPSHOT_EVERY = SNAPSHOT_EVERY
    rng = np.random.default_rng(seed)
    os.write(writer, b"opening\n")
    session = Session.open(folder)
    # Snapshots count as writes of the journal, but not as steps.
    asked: list[int] = []
    for number in range(100_000):
        before = session.saved_as
        do(session, drawn(rng))
        if session.saved_as != before:
            asked.append(session.saved_as)
        if number % 40 == 39:
            # Now and then a session is closed and opened again.
            session.wait_saved()
        done = np.searchsorted(asked, session.acknowledged, side="right")
        os.write(writer, b"%d\n" % done)


def walk(folder: Path, count: int, seed: int) -> tuple[int, int]:
    """Do random steps and reopens beside a plain model; return how many agreed and did not."""
    rng = np.random.default_rng(seed)
    contour = (rng.random(SHAPE) < 0.3).astype(np.uint8)
    session = Session.create(folder / "walk", Start(contour, contour * 0.9, cells=PARAMS))
    plain, agreed, differed = Plain(contour), 0, 0
    shown: dict[int, np.ndarray] = {}
    for _ in tries(count):
        step = drawn(rng)
        do(session, step)
        plain.do(step)
        if rng.random() < 0.01:
            session.close()
            session = Session.open(folder / "walk")
        names = np.stack([session.cells(z) for z in range(SHAPE[0])])
        if step[0] in ("flip", "judge"):
            shown = {at: seen for at, seen in shown.items() if at < plain.at}
        # Undone and redone, cells have the very numbers they had.
        same = np.array_equal(shown.setdefault(plain.at, names), names)
        if len(plain.states) > 200:
            # Whole copies of long histories do not fit: begin anew from here.
            session.close()
            shutil.rmtree(folder / "walk")
            contour = plain.states[plain.at][0]
            session = Session.create(folder / "walk", Start(contour, contour * 0.9, cells=PARAMS))
            plain, shown = Plain(contour), {}
        if not (same and plain.equals(session)):
            print(f"    step {agreed}: {step[0]} differs")
            differed = 1
            break
        agreed += 1
    session.close()
    return agreed, differed


def _copy(plain: Plain) -> Plain:
    copy = Plain.__new__(Plain)
    copy.states, copy.listed, copy.at = list(plain.states), list(plain.listed), plain.at
    return copy


def _same_cells(session: Session, z: int, contour: np.ndarray, marks: np.ndarray) -> bool:
    anew, shown = label_slice(contour, PARAMS, excluded=marks > 0), session.ids(z)
    pairs = np.unique(np.stack([anew.ravel(), shown.ravel()]), axis=1)
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1] and bool(
        np.array_equal(anew == 0, shown == 0)
    )


def killed_edits(folder: Path, count: int, seed: int) -> tuple[int, int, int]:
    """Kill an editing process; return tried, survived, and lost: also what does not open."""
    survived, lost, unreadable = kills(folder, count, seed)
    return survived + lost + unreadable, survived, lost + unreadable


def same_steps(folder: Path, count: int, seed: int) -> tuple[int, int, int]:
    """Do random steps beside plain arrays; return tried, same, other."""
    agreed, differed = walk(folder, count, seed)
    return agreed + differed, agreed, differed


def failing_journal(folder: Path, count: int, seed: int) -> tuple[int, int, int]:
    """Let the n-th statement of the journal fail, for every n; return tried, survived, lost.

    Statements fail for a while: then all edits are saved. Or for good: then closing says so, and
    what was acknowledged before is there.
    """
    rng = np.random.default_rng(seed)
    contour = (rng.random(SHAPE) < 0.3).astype(np.uint8)
    journal_module._PATIENCE, journal_module._RETRY = 0.5, 0.01
    real = journal_module._connected

    def one(number: int) -> str:
        place = folder / str(number)
        with Session.create(place, Start(contour, contour * 0.9, cells=PARAMS)):
            pass
        failing = _Failing(1 + number // 2, 5 if number % 2 else 1 << 60)
        journal_module._connected = lambda path, failing=failing: failing.over(real(path))
        made, told, acknowledged = 0, "", 0
        try:
            session = Session.open(place)
            for _ in range(6):
                do(session, ("judge", int(rng.integers(9))))
                made += 1
            acknowledged = session.acknowledged
            session.close()
        except CopnetError as error:
            told = error.message
        except Exception as error:
            told, made = f"{type(error).__name__}: {error}", -1
        finally:
            journal_module._connected = real
        problem = told if made < 0 else ""
        with Session.open(place) as opened:
            kept = len(opened.history)
        if not told and kept != made:
            problem = f"{made} edits, {kept} kept, and nobody said so"
        if kept < min(acknowledged, made):
            problem = f"{acknowledged} acknowledged, {kept} kept"
        shutil.rmtree(place)
        return problem

    return counted(count, one)


class _Failing:
    """A connection to SQLite of which some statements fail."""

    def __init__(self, first: int, times: int) -> None:
        self.left, self.times = first, times

    def over(self, database: sqlite3.Connection) -> _Failing:
        self.database = database
        return self

    def execute(self, *statement: object) -> sqlite3.Cursor:
        self.left -= 1
        if self.left <= 0 and self.times > 0:
            self.times -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return self.database.execute(*statement)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> object:
        return getattr(self.database, name)
