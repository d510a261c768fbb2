"""Take arrays from a pickled dictionary, and run nothing of NumPy meanwhile.

NumPy's own functions take what a pickle says on trust: the state of a type that was changed by a
byte makes the type unusable in the whole process, or ends it. Here stand-ins take it and check it.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any, BinaryIO

import numpy as np

from napari_copnet.errors import InputError

# Truth, whole numbers, decimals and texts; "O" is what lists and dictionaries are kept in.
_KINDS = "biufSUO"
# What nothing harmless needs.
_REFUSED = {"NEXT_BUFFER", "PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4"}


def load_arrays(file: BinaryIO) -> dict[Any, np.ndarray]:
    """Return the arrays of a dictionary that NumPy pickled, by their names.

    Parameters
    ----------
    file : binary file
        At the pickle, of an array of objects whose only one is the dictionary. What else is in it
        is passed over; of anything but a dictionary there are no arrays.

    Raises
    ------
    InputError
        It holds objects of other kinds, which might run a program.
    ValueError, TypeError, pickle.UnpicklingError and others
        The file is damaged.
    """
    begin = file.tell()
    _look_through(_Bounded(file))
    file.seek(begin)
    found = _Harmless(file, encoding="latin1").load()
    held = found.value if isinstance(found, _Array) else None
    content = held[0] if isinstance(held, list) and len(held) == 1 else None
    if not isinstance(content, dict):
        return {}
    return {
        name: it.value
        for name, it in content.items()
        if isinstance(it, _Array) and isinstance(it.value, np.ndarray)
    }


def _look_through(file: _Bounded) -> None:
    """Find what is said to be more than there is, before Python makes room for it."""
    for count, (operation, value, _) in enumerate(pickletools.genops(file)):  # type: ignore[arg-type]
        name = operation.name
        most = {"FRAME": file.left, "PUT": count, "BINPUT": count, "LONG_BINPUT": count}.get(name)
        if name in _REFUSED or (most is not None and int(str(value)) > most):
            raise ValueError(name)


class _Bounded:
    """A file that is not asked for more than it has."""

    def __init__(self, file: BinaryIO) -> None:
        self.tell, self._file = file.tell, file
        begin = file.tell()
        self._end = file.seek(0, io.SEEK_END)
        file.seek(begin)

    @property
    def left(self) -> int:
        return self._end - self.tell()

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self.left:
            raise ValueError(f"{count} bytes")
        return self._file.read(count)

    def readline(self) -> bytes:
        return self._file.readline()


class _Type:
    """Stands in for `numpy.dtype`."""

    def __init__(self, name: Any = "", *_: Any) -> None:
        self.value = np.dtype(name) if isinstance(name, str) else np.dtype("V")
        if self.value.kind not in _KINDS or self.value.hasobject != (self.value.kind == "O"):
            raise ValueError(f"type {name!r}")

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        if order not in ("<", ">", "=", "|"):
            raise ValueError(f"byte order {order!r}")
        self.value = self.value.newbyteorder(order)


class _Array:
    """Stands in for a `numpy.ndarray`; one of objects is a list of them."""

    value: np.ndarray | list[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, is_fortran, values = state
        self.value = _array(values, kind, shape, "F" if is_fortran else "C")


class _ArrayClass:
    """Stands in for the class `numpy.ndarray`, which is only named."""


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _scalar(*_: Any) -> None:
    """Pass a number over: only arrays are asked for."""


def _frombuffer(values: Any, kind: Any, shape: Any, order: Any) -> _Array:
    made = _Array()
    made.value = _array(bytes(values), kind, shape, order)
    return made


def _latin1(text: str, _encoding: str = "latin1") -> bytes:
    return text.encode("latin1")


_STAND_INS = {
    ("multiarray", "_reconstruct"): _reconstruct,
    ("multiarray", "scalar"): _scalar,
    ("numeric", "_frombuffer"): _frombuffer,
    ("numpy", "ndarray"): _ArrayClass,
    ("numpy", "dtype"): _Type,
    # How Python 2 and protocol 2 write bytes.
    ("_codecs", "encode"): _latin1,
}


class _Harmless(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        short = module
        for core in ("numpy.core.", "numpy._core."):
            short = short.removeprefix(core)
        found = _STAND_INS.get((short, name))
        if found is None:
            raise InputError(
                f"The file holds an object {module}.{name}, and could run a program.",
                "Save the masks alone, as TIFF.",
            )
        return found


def _of(kind: Any) -> np.dtype:
    if not isinstance(kind, _Type):
        raise TypeError(f"{kind!r} is no type")
    return kind.value


def _array(values: Any, kind: Any, shape: Any, order: Any) -> np.ndarray | list[Any]:
    dtype = _of(kind)
    if dtype.kind == "O":
        return list(values)
    sides = tuple(int(n) for n in shape)
    if order not in ("C", "F") or any(n < 0 for n in sides):
        raise ValueError(f"{sides} {order!r}")
    data = values if isinstance(values, bytes) else _latin1(values)
    return np.frombuffer(data, dtype).reshape(sides, order=order)
