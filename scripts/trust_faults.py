"""Disks and memory that fail at any moment: what was there stays, and it works when tried again."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import random
import resource
import shutil
import signal
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trust_writers
from trust_inputs import Counts, counted
from trust_writers import Writer

from napari_copnet import CopnetError, files
from napari_copnet.proofreading import journal as journal_module

NEW_NAMESPACE, NEW_USER = 0x20000, 0x10000000  # of unshare(2)
READ_ONLY, REMOUNT = 1, 32  # of mount(2)
FULL_SPACE = 64 << 20
Fault = Callable[[], None]
# How works ended, by what `_apart` returns.
_ends: Counter[int] = Counter()


def failing_disk(folder: Path, count: int, seed: int) -> Counts:
    """Let files grow to n bytes only, or the n-th call of the system fail, for many n."""
    chance = random.Random(seed)
    trust_writers.prepare(folder)
    next_n: dict[tuple[int, int], int] = {}

    def one(number: int) -> str:
        writers = trust_writers.ALL
        writer, kind = writers[number % len(writers)], number // len(writers) % 3
        n = next_n[number % len(writers), kind] = 1 + next_n.get((number % len(writers), kind), 0)
        fault = (
            lambda: _limited(chance.randint(0, 6000)),
            lambda: _failing(n, 1 << 60),
            lambda: _failing(n, 1),
        )[kind]()
        told = _tried(writer, folder / f"{number}", folder, fault)
        return f"{writer.__name__.strip('_')}, kind {kind}, {n}: {told}" if told else ""

    return _told(counted(count, one))


def failing_memory(folder: Path, count: int, seed: int) -> Counts:
    """Let one object, or all after it, find no memory, anywhere in what writes."""
    try:
        # Of CPython, where it was built with its tests.
        testing = importlib.import_module("_testcapi")
    except ImportError:
        print("    this Python can't let memory fail: nothing was tried")
        return 0, 0, 0
    chance = random.Random(seed)
    trust_writers.prepare(folder)

    def one(number: int) -> str:
        writer = trust_writers.ALL[number % len(trust_writers.ALL)]
        first = int(10 ** chance.uniform(1, 5.5))
        last = first + chance.choice([1, 30])
        told = _tried(
            writer,
            folder / f"{number}",
            folder,
            lambda: testing.set_nomemory(first, last),
            memory=True,
        )
        return f"{writer.__name__.strip('_')}, objects {first} to {last}: {told}" if told else ""

    return _told(counted(count, one))


def small_disks(folder: Path, count: int, seed: int) -> Counts:
    """Write to disks that have n bytes of space left, and to some that became read-only.

    The disks are in memory, in a namespace of their own; where none may be made nothing is tried.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    spaces = NEW_NAMESPACE if os.geteuid() == 0 else NEW_NAMESPACE | NEW_USER
    disk = folder / "disk"
    disk.mkdir()

    def mounted(flags: int, size: int) -> bool:
        options = f"size={size}".encode()
        return libc.mount(b"small", str(disk).encode(), b"tmpfs", flags, options) == 0

    if libc.unshare(spaces) or libc.mount(b"none", b"/", None, 0x44000, None):
        print("    no disk may be made here: nothing was tried")
        return 0, 0, 0
    if not mounted(0, FULL_SPACE):
        print("    no disk may be made here: nothing was tried")
        return 0, 0, 0
    chance = random.Random(seed)
    trust_writers.prepare(disk)

    def one(number: int) -> str:
        writer = trust_writers.ALL[number % len(trust_writers.ALL)]

        def full() -> None:
            found = os.statvfs(disk)
            used = (found.f_blocks - found.f_bfree) * found.f_frsize
            if not mounted(REMOUNT, used + 4096 * chance.choice([0, 0, 1, 2, 3, 5, 8, 20])):
                raise OSError("can't be made smaller")

        def locked() -> None:
            if not mounted(REMOUNT | READ_ONLY, FULL_SPACE):
                raise OSError("can't be made read-only")

        told = _tried(
            writer,
            disk / f"{number}",
            disk,
            locked if number // len(trust_writers.ALL) % 4 == 3 else full,
            lambda: mounted(REMOUNT, FULL_SPACE),
        )
        return f"{writer.__name__.strip('_')}: {told}" if told else ""

    return _told(counted(count, one))


def _told(counts: Counts) -> Counts:
    """Tell how many of the works failed at all."""
    failed = sum(times for code, times in _ends.items() if code)
    print(f"    {failed} of {counts[0]} failed, {_ends[2]} of them in a sentence")
    crashed = sum(times for code, times in _ends.items() if code < 0)
    if crashed:
        print(f"    {crashed} of them were ended by a library in C")
    return counts


def _tried(
    writer: Callable[[Path, Path], Writer],
    place: Path,
    folder: Path,
    fault: Fault,
    mended: Callable[[], Any] = lambda: None,
    *,
    memory: bool = False,
) -> str:
    """Do what a writer does while something fails; return what is wrong then or after it."""
    work, problem = trust_writers.begun(writer, place, folder)
    # A file that was removed but is held open keeps a disk from becoming read-only.
    gc.collect()
    code = _apart(work, fault)
    _ends[code] += 1
    mended()
    files._tidied.clear()
    # Libraries in C may end the process when they find no memory: that is like a kill.
    fine = (0, 2, 4, -signal.SIGABRT, -signal.SIGSEGV) if memory else (0, 2)
    told = "" if code in fine else f"ended with {code}"
    try:
        told = told or problem()
    except CopnetError as error:
        told = f"not when tried again: {error}"
    except Exception as error:
        traceback.print_exc()
        told = f"{type(error).__name__}: {error}"
    shutil.rmtree(place, ignore_errors=True)
    return told


def _apart(work: Callable[[], Any], fault: Fault) -> int:
    """Do work in a process where something fails.

    Returns
    -------
    int
        0: done, 2: told in a sentence, 4: no memory, below 0: ended by that signal; anything else
        is not as promised.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            journal_module._PATIENCE, journal_module._RETRY = 0.3, 0.05
            signal.alarm(60)
            fault()
            work()
            code = 0
        except CopnetError as error:
            code = 2 if error.message.endswith(".") else 3
        except MemoryError:
            code = 4
        except BaseException as error:
            code = 4 if _is_lost_memory_error(error) else 1
            with contextlib.suppress(BaseException):
                os.write(2, f"    {type(error).__name__}: {error}\n".encode())
                if os.environ.get("COPNET_DEBUG"):
                    traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _is_lost_memory_error(error: BaseException) -> bool:
    """Tell whether Python or NumPy lost a MemoryError, as they do here and there."""
    text = str(error)
    if isinstance(error, SystemError):
        return "exception" in text
    # os.stat takes a path for none when it finds no memory to convert it
    return isinstance(error, TypeError) and text.endswith("os.PathLike or integer, not PosixPath")


def _limited(size: int) -> Fault:
    def fault() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    return fault


def _failing(n: int, times: int) -> Fault:
    """Let calls of the system from the n-th on fail with a full disk, so many times."""

    def fault() -> None:
        left = [n, times]

        def failing(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:
                left[0] -= 1
                if left[0] <= 0 and left[1] > 0:
                    left[1] -= 1
                    raise OSError(28, "No space left on device")
                return real(*args, **options)

            return call

        for name in ("fsync", "replace", "rename", "mkdir", "open"):
            setattr(os, name, failing(getattr(os, name)))

    return fault
