"""A Zarr folder of which nothing outside is read, and whose chunks are no larger than they say."""

from __future__ import annotations

import bz2
import lzma
import math
import os
import stat
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zarr.storage import LocalStore

from napari_copnet.errors import InputError

# A chunk may be kept as another type, and comes with lengths and checksums.
_SLACK, _EXTRA = 8, 1 << 16


class InsideStore(LocalStore):
    """Reads files of a folder alone: no links that lead out of it, no pipes and no devices.

    Parameters
    ----------
    root : Path
    read_only : bool

    Attributes
    ----------
    most : int or None
        Bytes of a chunk, once they are known. A chunk that unpacks to far more is refused.
    blosc : bool
        Whether chunks are packed by Blosc, which reads past the end of one that was cut.
    """

    def __init__(self, root: Path | str, *, read_only: bool = True) -> None:
        super().__init__(root, read_only=read_only)
        self.most: int | None = None
        self.blosc = False
        self._top = os.path.realpath(root)

    def expect(self, array: Any) -> None:
        """Know the size of chunks, and what packs them, from an opened array."""
        shards = getattr(array, "shards", None)
        self.most = math.prod(shards or array.chunks) * array.dtype.itemsize
        packers = [type(one).__name__ for one in getattr(array, "compressors", ())]
        self.blosc = not shards and any(name.startswith("Blosc") for name in packers)

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        """Read a file of the folder; None where there is none."""
        self._check_key(key)
        return self._checked(key, await super().get(key, prototype, byte_range))

    def get_sync(self, key: str, *, prototype: Any = None, byte_range: Any = None) -> Any:
        """Read a file of the folder; None where there is none."""
        self._check_key(key)
        found = super().get_sync(key, prototype=prototype, byte_range=byte_range)
        return self._checked(key, found)

    async def get_partial_values(
        self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]
    ) -> list[Any]:
        """Read parts of files."""
        ranges = list(key_ranges)
        for key, _ in ranges:
            self._check_key(key)
        parts = await super().get_partial_values(prototype, ranges)
        return [self._checked(key, part) for (key, _), part in zip(ranges, parts, strict=True)]

    def _check_key(self, key: str) -> None:
        path = os.path.join(self._top, key)
        try:
            kind = os.stat(path).st_mode
        except (OSError, ValueError):
            return  # the store says what is missing
        place = os.path.realpath(path)
        if not (place == self._top or place.startswith(self._top + os.sep)):
            raise InputError(
                f"{Path(self._top).name} refers to a level outside its folder ({key}).",
                "Copy the whole image into one folder.",
            )
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise InputError(f"{key} in {Path(self._top).name} is not a file.", "Export it again.")

    def _checked(self, key: str, found: Any) -> Any:
        if found is not None and self.most is not None and not _is_metadata(key):
            data = found.to_bytes()
            if self.blosc and _is_cut(data):
                raise InputError(
                    f"The chunk {key} of {Path(self._top).name} is damaged or cut off.",
                    "Copy or export it again.",
                )
            if unpacks_to_more(data, _SLACK * self.most + _EXTRA):
                raise InputError(
                    f"A chunk of {Path(self._top).name} would unpack to more than it should hold.",
                    "Export it again; do not trust this file.",
                )
        return found


def _is_metadata(key: str) -> bool:
    return key.rpartition("/")[2] in ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")


def _is_cut(data: bytes) -> bool:
    """Whether a Blosc chunk is not as long as its header says."""
    return len(data) < 16 or struct.unpack_from("<I", data, 12)[0] != len(data)


def unpacks_to_more(data: bytes, most: int) -> bool:
    """Whether compressed bytes unpack to more than `most`; False for what is not known.

    Zstandard and Blosc say how much they hold; of gzip, zlib, bzip2 and LZMA no more than `most`
    is unpacked to find out.
    """
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return (_zstd_size(data) or 0) > most
    if data[:1] in (b"\x01", b"\x02") and len(data) >= 16:
        whole, packed = struct.unpack_from("<I", data, 4)[0], struct.unpack_from("<I", data, 12)[0]
        if packed == len(data):
            return bool(whole > most)
    if len(data) * 1032 <= most and data[:3] != b"BZh" and data[:6] != b"\xfd7zXZ\0":
        return False  # more can't come of deflate
    unpacker: Any
    if data[:2] == b"\x1f\x8b":
        unpacker = zlib.decompressobj(31)
    elif data[:1] == b"\x78":
        unpacker = zlib.decompressobj()
    elif data[:3] == b"BZh":
        unpacker = bz2.BZ2Decompressor()
    elif data[:6] == b"\xfd7zXZ\0":
        unpacker = lzma.LZMADecompressor(memlimit=256 << 20)
    else:
        return False
    try:
        return len(unpacker.decompress(data, most + 1)) > most
    except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError, MemoryError):
        return False


def _zstd_size(data: bytes) -> int | None:
    """Return how many bytes the first frame holds, if it says so (RFC 8878, 3.1.1.1)."""
    if len(data) < 6:
        return None
    flag, single = data[4] >> 6, data[4] >> 5 & 1
    at = 5 + (not single) + (0, 1, 2, 4)[data[4] & 3]
    size = (1 if single else 0, 2, 4, 8)[flag]
    if not size or len(data) < at + size:
        return None
    return int.from_bytes(data[at : at + size], "little") + (256 if size == 2 else 0)
