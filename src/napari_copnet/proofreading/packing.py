"""Edits as bytes for the journal, and as JSON for exports."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

from napari_copnet.errors import InputError
from napari_copnet.inflate import inflated
from napari_copnet.proofreading.edits import (
    PLANES,
    Change,
    Edit,
    Flip,
    Judge,
    Pairs,
    Patch,
    Relink,
    Renumber,
    Verdict,
)

# Number of an edit, and of the one it was made on.
Place = tuple[int, int]
# What journals and exports call the changes.
_KINDS: dict[str, type] = {"Flip": Flip, "Rename": Renumber, "Relink": Relink, "Judge": Judge}
# The longest side of a slice, px, and the most bytes that describe an edit.
_SIDE, _MOST_DESCRIPTION = 1 << 17, 256 << 20
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_plain(edit: Edit) -> dict[str, Any]:
    """Return an edit in types that JSON knows; bits are base64 of their zlib compression."""
    return _plain(edit, lambda bits: base64.b64encode(zlib.compress(bits)).decode())


def from_plain(values: dict[str, Any]) -> Edit:
    """Return the edit that `to_plain` was given.

    Raises
    ------
    InputError
        The values are not those of an edit.
    """
    return _edit(values, lambda text, size: inflated(base64.b64decode(text), size))


def to_bytes(edit: Edit, place: Place | None = None) -> bytes:
    """Pack an edit compactly: a JSON header and the bits after it, compressed as a whole.

    Parameters
    ----------
    edit : Edit
    place : (int, int), optional
        Its number and that of the edit before it, so that damage to either is noticed.
    """
    blobs: list[bytes] = []

    def keep(bits: bytes) -> int:
        blobs.append(bits)
        return len(bits)

    plain = _plain(edit, keep) | ({} if place is None else {"place": place})
    header = json.dumps(plain, separators=(",", ":")).encode()
    return zlib.compress(struct.pack("<I", len(header)) + header + b"".join(blobs), 1)


def from_bytes(data: bytes) -> Edit:
    """Return the edit that `to_bytes` packed.

    No more of it is unpacked than its own description asks for.

    Raises
    ------
    InputError
        The bytes are damaged.
    """
    return placed_from_bytes(data)[0]


def in_place(data: bytes, number: int, parent: int) -> Edit:
    """Return an edit that belongs where a journal has it.

    Raises
    ------
    InputError
        The bytes are damaged, or those of another place.
    """
    edit, place = placed_from_bytes(data)
    if place not in (None, (number, parent)):
        raise damaged()
    return edit


def placed_from_bytes(data: bytes) -> tuple[Edit, Place | None]:
    """Return the edit and the place that `to_bytes` was given; no place from earlier versions.

    Raises
    ------
    InputError
        The bytes are damaged.
    """
    unpacker = zlib.decompressobj()
    left = data

    def take(size: int) -> bytes:
        nonlocal left
        parts = []
        while size > 0:
            part = unpacker.decompress(left, size)
            left = unpacker.unconsumed_tail
            if not part:
                raise zlib.error("incomplete")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def bits(given: Any, size: int) -> bytes:
        if given != size:
            raise ValueError(given)
        return take(size)

    try:
        (length,) = struct.unpack("<I", take(4))
        if length > _MOST_DESCRIPTION:
            raise damaged()
        values = json.loads(take(length))
        edit = _edit(values, bits)
        # Behind the bits there is only the checksum, which is looked at now.
        if unpacker.decompress(left, 1) or not unpacker.eof:
            raise damaged()
        place = values.get("place")
        return edit, None if place is None else (int(place[0]), int(place[1]))
    except (
        zlib.error,
        struct.error,
        ValueError,
        RecursionError,
        TypeError,
        LookupError,
    ) as error:
        raise damaged() from error


def damaged() -> InputError:
    """Return what is said of an edit that can't be read, or does not fit."""
    return InputError("An edit is damaged.", "Recover the session with `copnet session recover`.")


def _plain(edit: Edit, bits: Any) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, Patch):
            return [value.z, value.top, value.left, value.height, value.width, bits(value.bits)]
        if isinstance(value, Flip):
            return {"plane": value.plane, "patch": plain(value.patch)}
        if isinstance(value, Verdict):
            return [value.key, value.kind, plain(value.patch), value.verdict]
        if isinstance(value, Judge):
            return {"before": plain(value.before), "after": plain(value.after)}
        if isinstance(value, Renumber | Relink):
            return dict(vars(value))
        return value

    changes = [{"change": _NAMES[type(c)], **plain(c)} for c in edit.changes]
    return {"tool": edit.tool, "changes": changes}


def _edit(values: dict[str, Any], bits: Any) -> Edit:
    def patch(value: list[Any]) -> Patch:
        z, top, left, height, width = (int(number) for number in value[:5])
        if not (0 <= height <= _SIDE and 0 <= width <= _SIDE):
            raise ValueError(value[:5])
        return Patch(z, top, left, height, width, bits(value[5], -(-height * width // 8)))

    def verdict(value: list[Any] | None) -> Verdict | None:
        return None if value is None else Verdict(value[0], value[1], patch(value[2]), value[3])

    def pairs(value: list[Any]) -> Pairs:
        return tuple((int(a), int(b)) for a, b in value)

    def change(value: dict[str, Any]) -> Change:
        kind = _KINDS[value["change"]]
        if kind is Flip:
            if value["plane"] not in PLANES:
                raise KeyError(value["plane"])
            return Flip(value["plane"], patch(value["patch"]))
        if kind is Judge:
            return Judge(verdict(value["before"]), verdict(value["after"]))
        if kind is Relink:
            return Relink(pairs(value["added"]), pairs(value["removed"]))
        return Renumber(
            int(value["z"]),
            pairs(value["before"]),
            pairs(value["after"]),
            int(value["next_before"]),
            int(value["next_after"]),
        )

    try:
        return Edit(str(values["tool"]), tuple(change(value) for value in values["changes"]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, zlib.error) as error:
        raise damaged() from error
