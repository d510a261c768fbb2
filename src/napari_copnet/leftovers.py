"""Name the unfinished files of a process, and clean up those of killed processes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

_OWNER = re.compile(r"\.(writing|replaced)-([0-9a-f]{8})-(\d+)-(.+)", re.DOTALL)


def in_work(kind: str) -> str:
    """Return the prefix of this process's unfinished files: ``writing`` or ``replaced``."""
    return f".{kind}-{_machine()}-{os.getpid()}-"


def tidy(parent: Path | str) -> None:
    """Remove files that killed processes left in a folder, and restore files they had moved."""
    for entry, kind, owner, name in _left(Path(parent)):
        if _is_running(owner):
            continue
        target = entry.with_name(name)
        with contextlib.suppress(OSError):
            if kind == "replaced" and not os.path.lexists(target):
                os.rename(entry, target)
            elif entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink()


def _left(parent: Path) -> Iterator[tuple[Path, str, int, str]]:
    """Yield path, kind, process and name of the unfinished files of this machine."""
    try:
        entries = [Path(entry.path) for entry in os.scandir(parent) if entry.name[:1] == "."]
    except OSError:
        return
    for entry in entries:
        match = _OWNER.fullmatch(entry.name)
        if match and match[2] == _machine():
            yield entry, match[1], int(match[3]), match[4]


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _is_running(process: int) -> bool:
    if process == os.getpid():
        return True
    if os.name == "nt":
        import ctypes

        kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
        handle = kernel.OpenProcess(0x1000, False, process)  # PROCESS_QUERY_LIMITED_INFORMATION
        if handle:
            kernel.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
