"""Arithmetic and comparison of arrays that are read slice by slice: they are read whole for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class WholeArray(NDArrayOperatorsMixin):
    """Gives a class that can be turned into an array the operators of one."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> Any:
        arrays = (np.asarray(one) if isinstance(one, WholeArray) else one for one in inputs)
        return getattr(ufunc, method)(*arrays, **more)
