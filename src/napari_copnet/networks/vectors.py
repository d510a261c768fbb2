"""Vector instructions for numba: the inner loops that its compiler does not find by itself.

Each function works on flat float32 arrays at element offsets, 16 numbers at a time, and checks
nothing. LLVM splits a vector of 16 into what the processor has: one register of AVX-512, two of
AVX2, four of NEON or SSE.

numba's cache looks only at the file of the function that it compiled. After a change here, touch
`direct.py` and `winograd.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import extending, types
from numba.core import cgutils, config

LANES = 16


_settings: Any = config  # numba fills it in when it is imported


def _instructions() -> set[str]:
    """Return the instruction sets that numba compiles for: this processor's, unless told others."""
    if _settings.CPU_FEATURES is not None:
        return {name[1:] for name in _settings.CPU_FEATURES.split(",") if name.startswith("+")}
    return {name for name, there in binding.get_host_cpu_features().items() if there}


# Measured to be faster than torch with AVX2 and with AVX-512; not tried on others.
FAST = {"avx2", "fma"} <= _instructions() and not _settings.DISABLE_JIT

# Rows and vectors of a product that stay in registers: 24 of AVX-512's 32, 12 of AVX2's 16.
ROWS, VECTORS = (12, 2) if "avx512f" in _instructions() else (6, 1)
COLUMNS = VECTORS * LANES
_UNROLL = 4

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_WORD = ir.IntType(64)
# Multiply and add may become one instruction; nothing else may change.
_FUSE = ("contract",)

intrinsic: Any = extending.intrinsic  # numba's types ask callers for the typing context
Value = Any  # llvmlite has no types
Line = list[Value]


class Code:
    """Writes vector code into the function that is being compiled."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self.builder, self.args = builder, args
        self._context, self._kinds = context, signature.args

    def pointer(self, array: int, offset: int) -> Value:
        """Return where argument `array` has the element that argument `offset` counts."""
        make = self._context.make_array(self._kinds[array])
        data = make(self._context, self.builder, self.args[array]).data
        return self.builder.gep(data, [self.args[offset]])

    def after(self, pointer: Value, step: Value | int, times: int = 1) -> Value:
        """Return a pointer moved on by `times` steps of this many elements."""
        if isinstance(step, int):
            return self.builder.gep(pointer, [ir.Constant(_WORD, step * times)])
        return self.builder.gep(pointer, [self.builder.mul(step, ir.Constant(_WORD, times))])

    def load(self, pointer: Value) -> Value:
        return self.builder.load(self.builder.bitcast(pointer, _VECTOR.as_pointer()), align=4)

    def store(self, value: Value, pointer: Value) -> None:
        place = self.builder.bitcast(pointer, _VECTOR.as_pointer())
        self.builder.store(value, place, align=4)

    def spread(self, pointer: Value) -> Value:
        """Return one number in all lanes."""
        none = ir.Constant(_VECTOR, ir.Undefined)
        number = self.builder.load(pointer)
        first = self.builder.insert_element(none, number, ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return self.builder.shuffle_vector(first, none, lanes)

    def constant(self, number: float) -> Value:
        return ir.Constant(_VECTOR, [number] * LANES)

    def add(self, *values: Value) -> Value:
        total = values[0]
        for value in values[1:]:
            total = self.builder.fadd(total, value, flags=_FUSE)
        return total

    def subtract(self, first: Value, second: Value) -> Value:
        return self.builder.fsub(first, second, flags=_FUSE)

    def multiply(self, first: Value, second: Value | float) -> Value:
        other = self.constant(second) if isinstance(second, float) else second
        return self.builder.fmul(first, other, flags=_FUSE)

    def activated(self, value: Value, scale: Value, shift: Value, slope: Value) -> Value:
        """Return ``max(y, slope * y)`` of ``y = scale * value + shift``; NaN stays."""
        scaled = self.add(self.multiply(value, scale), shift)
        low = self.multiply(scaled, slope)
        return self.builder.select(self.builder.fcmp_ordered(">", scaled, low), scaled, low)

    def repeat(self, count: Value | int) -> Any:
        """Return a context with the index of a loop."""
        limit = ir.Constant(_WORD, count) if isinstance(count, int) else count
        return cgutils.for_range(self.builder, limit)

    def variables(self, count: int) -> list[Value]:
        """Return places for vectors, 0 at first, which LLVM turns into registers."""
        places = [cgutils.alloca_once(self.builder, _VECTOR) for _ in range(count)]
        for place in places:
            self.builder.store(self.constant(0.0), place)
        return places

    def tally(self, values: Line, centre: Value, sums: Value, squares: Value) -> None:
        """Add differences from `centre`, and their squares, to two running sums in memory."""
        middle, total, total_squares = self.load(centre), self.load(sums), self.load(squares)
        for value in values:
            away = self.subtract(value, middle)
            total = self.add(total, away)
            total_squares = self.add(total_squares, self.multiply(away, away))
        self.store(total, sums)
        self.store(total_squares, squares)


def without_result(write: Callable[[Code], None], *kinds: Any) -> Any:
    """Return what numba asks of an intrinsic: its signature, and what writes its code."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        write(Code(context, builder, signature, args))
        return context.get_dummy_value()

    return types.void(*kinds), generate


def _multiply(code: Code) -> None:
    left, right, target = code.pointer(0, 1), code.pointer(2, 3), code.pointer(4, 5)
    places = [code.variables(VECTORS) for _ in range(ROWS)]
    with code.repeat(code.args[6]) as block:
        rows = code.after(left, block.index, ROWS * LANES)
        lines = code.after(right, block.index, LANES * COLUMNS)
        with code.repeat(LANES // _UNROLL) as part:
            row = code.after(rows, part.index, _UNROLL)
            line = code.after(lines, part.index, _UNROLL * COLUMNS)
            for term in range(_UNROLL):
                vectors = [
                    code.load(code.after(line, term * COLUMNS + LANES * v)) for v in range(VECTORS)
                ]
                for r, sums in enumerate(places):
                    number = code.spread(code.after(row, r * LANES + term))
                    for vector, place in zip(vectors, sums, strict=True):
                        product = code.multiply(number, vector)
                        code.builder.store(code.add(product, code.builder.load(place)), place)
    for r, sums in enumerate(places):
        for v, place in enumerate(sums):
            code.store(code.builder.load(place), code.after(target, r * COLUMNS + v * LANES))


@intrinsic
def multiply(_: Any, a: Any, a0: Any, b: Any, b0: Any, c: Any, c0: Any, blocks: Any) -> Any:
    """Write the product of ROWS rows and COLUMNS columns over `blocks` × LANES terms.

    `a` holds [block][row][lane] and `b` [term][column]; `c` gets [row][column].
    """
    return without_result(_multiply, a, a0, b, b0, c, c0, blocks)


def _pixel_in(code: Code) -> None:
    scale, shift, slope = (code.load(code.pointer(array, 5)) for array in (2, 3, 4))
    value = code.activated(code.load(code.pointer(0, 1)), scale, shift, slope)
    code.store(value, code.pointer(6, 7))


@intrinsic
def pixel_in(
    _: Any, x: Any, x0: Any, scale: Any, shift: Any, slope: Any, channel: Any, v: Any, v0: Any
) -> Any:
    """Copy 16 channels of a pixel, activated."""
    return without_result(_pixel_in, x, x0, scale, shift, slope, channel, v, v0)


def _pixel_out(code: Code) -> None:
    bias, centre, sums, squares = (code.pointer(array, 5) for array in (4, 6, 7, 8))
    result = code.add(code.load(code.pointer(0, 1)), code.load(bias))
    code.store(result, code.pointer(2, 3))
    code.tally([result], centre, sums, squares)


@intrinsic
def pixel_out(
    _: Any,
    m: Any,
    m0: Any,
    y: Any,
    y0: Any,
    bias: Any,
    channel: Any,
    centre: Any,
    sums: Any,
    squares: Any,
) -> Any:
    """Write product plus bias, 16 channels of a pixel, and tally it."""
    return without_result(_pixel_out, m, m0, y, y0, bias, channel, centre, sums, squares)


@intrinsic
def take(_: Any, counter: Any) -> Any:
    """Return the number in `counter` (int64, shape (1,)) and add 1, as one step for all threads."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", data, ir.Constant(_WORD, 1), "monotonic")

    return types.int64(counter), generate
