"""Tell a stack from others."""

from __future__ import annotations

import hashlib

import numpy as np

from napari_copnet.lazy_array import is_in_memory
from napari_copnet.types import Stack


def fingerprint(stack: Stack) -> str:
    """Return a hash that tells a stack from others, without reading all of a file.

    Of a stack that was read from disk, it is made of name, size and time of change of its files
    and of three slices; else of all grey values, as where a viewer's layer holds them: they may
    have been changed there.
    """
    if stack.source is None or not stack.source.exists():
        return stack_hash(stack)
    if stack.placed is not None and is_in_memory(stack.data):
        return stack_hash(stack)
    digest = hashlib.sha256(repr((stack.shape, str(stack.data.dtype))).encode())
    source = stack.source
    files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    for path in files:
        found = path.stat()
        name = path.relative_to(source.parent).as_posix()
        digest.update(repr((name, found.st_size, found.st_mtime_ns)).encode())
    for z in sorted({0, stack.shape[0] // 2, stack.shape[0] - 1}):
        digest.update(np.ascontiguousarray(stack.data[z]).data)
    return digest.hexdigest()


def stack_hash(stack: Stack) -> str:
    """Return the SHA-256 of a stack's grey values and shape, read slice by slice."""
    digest = hashlib.sha256(repr((stack.shape, str(stack.data.dtype))).encode())
    for z in range(stack.shape[0]):
        digest.update(np.ascontiguousarray(stack.data[z]).data)
    return digest.hexdigest()
