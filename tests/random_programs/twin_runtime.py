"""What a printed twin computes with: lanes that may be absent, and floats that carry how far they may be off.

An absent lane is None. A float lane is (value, error) with the error in units of f32's rounding, to first order:
each operation adds its result's size to what its operands' errors become. Integers, positions and conditions are
plain Python values. Nothing here comes from the compiler.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

Lane = Any


class Extents:
    """Live extents of one call: a number, or one a row."""

    def __init__(self, dims: Mapping[str, int | list[int]]):
        self.dims = dims

    def of(self, dim: str, row: int | None = None) -> int:
        value = self.dims[dim]
        return value if isinstance(value, int) else value[row]  # type: ignore[index]

    def span(self, dim: str, row: int | None = None) -> range:
        return range(self.of(dim, row))


class Values(dict[tuple[int, ...], Lane]):
    """A tensor's lanes by position; what is not in it is absent."""

    @classmethod
    def from_array(cls, array: np.ndarray) -> Values:
        floats = array.dtype.kind == "f"
        return cls({place: (float(value), 0.0) if floats else value.item() for place, value in np.ndenumerate(array)})

    def read(self, *indices: int | None) -> Lane:
        return self.get(indices)  # type: ignore[call-overload]


def in_range(index: int | None, size: int) -> bool:
    return index is not None and 0 <= index < size


def lift(function: Any, *lanes: Lane) -> Lane:
    """Apply a function of plain lanes; absent where one is."""
    return None if any(lane is None for lane in lanes) else function(*lanes)


def exact(value: float) -> tuple[float, float]:
    return (float(value), 0.0)


def _rounded(value: float, error: float) -> tuple[float, float]:
    return (value, error + abs(value))


def add(a: Lane, b: Lane) -> Lane:
    return lift(lambda x, y: _rounded(x[0] + y[0], x[1] + y[1]), a, b)


def subtract(a: Lane, b: Lane) -> Lane:
    return lift(lambda x, y: _rounded(x[0] - y[0], x[1] + y[1]), a, b)


def multiply(a: Lane, b: Lane) -> Lane:
    return lift(lambda x, y: _rounded(x[0] * y[0], abs(x[0]) * y[1] + abs(y[0]) * x[1]), a, b)


def divide(a: Lane, b: Lane) -> Lane:
    def quotient(x: Lane, y: Lane) -> Lane:
        value = x[0] / y[0]
        return _rounded(value, x[1] / abs(y[0]) + abs(value) * y[1] / abs(y[0]))

    return lift(quotient, a, b)


def smaller(a: Lane, b: Lane) -> Lane:
    return lift(lambda x, y: (min(x[0], y[0]), max(x[1], y[1])), a, b)


def larger(a: Lane, b: Lane) -> Lane:
    return lift(lambda x, y: (max(x[0], y[0]), max(x[1], y[1])), a, b)


def negate(a: Lane) -> Lane:
    return lift(lambda x: (-x[0], x[1]), a)


_SLOPES: dict[str, tuple[Any, Any]] = {
    "exp": (math.exp, math.exp),
    "tanh": (math.tanh, lambda x: 1.0),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), lambda x: 1.0),
    "sin": (math.sin, lambda x: 1.0),
    "cos": (math.cos, lambda x: 1.0),
    "abs": (abs, lambda x: 1.0),
    "relu": (lambda x: max(x, 0.0), lambda x: 1.0),
    "silu": (lambda x: x / (1 + math.exp(-x)), lambda x: 1.1),
    "sqrt": (math.sqrt, lambda x: 0.5 / math.sqrt(x)),
    "rsqrt": (lambda x: 1 / math.sqrt(x), lambda x: 0.5 * x**-1.5),
    "log": (math.log, lambda x: 1 / x),
    "ceil": (math.ceil, lambda x: 0.0),
    "round": (round, lambda x: 0.0),
    "sign": (lambda x: (x > 0) - (x < 0), lambda x: 0.0),
    "erf": (math.erf, lambda x: 1.2),
    "floor": (math.floor, lambda x: 0.0),
}


def function(name: str, a: Lane) -> Lane:
    """A function of the language on a float lane. Elementary functions may be a few roundings off: they count 4, and
    4 more of a unit near zero for those that are not exact."""
    if a is None:
        return None
    value, slope = _SLOPES[name]
    result = float(value(a[0]))
    error = abs(slope(a[0])) * a[1]
    return (
        (result, error)
        if name in ("abs", "relu", "floor", "ceil", "round", "sign")
        else (result, error + 4 * abs(result) + 1)
    )


def wrap(value: int) -> int:
    """An i32."""
    return (value + 2**31) % 2**32 - 2**31


def wrap_long(value: int) -> int:
    """An i64."""
    return (value + 2**63) % 2**64 - 2**63


def present(lanes: Iterable[Lane]) -> list[Lane]:
    return [lane for lane in lanes if lane is not None]


def total(lanes: Iterable[Lane]) -> Lane:
    kept = present(lanes)
    size = sum(abs(value) for value, _ in kept)
    return (math.fsum(value for value, _ in kept), sum(error for _, error in kept) + len(kept) * size)


def mean(lanes: Iterable[Lane]) -> Lane:
    kept = present(lanes)
    if not kept:
        return (0.0, 0.0)
    value, error = total(kept)
    return _rounded(value / len(kept), error / len(kept))


def product(lanes: Iterable[Lane]) -> Lane:
    result: Lane = (1.0, 0.0)
    for lane in present(lanes):
        result = multiply(result, lane)
    return result


def largest(lanes: Iterable[Lane]) -> Lane:
    kept = present(lanes)
    return (max((v for v, _ in kept), default=-math.inf), max((e for _, e in kept), default=0.0))


def smallest(lanes: Iterable[Lane]) -> Lane:
    kept = present(lanes)
    return (min((v for v, _ in kept), default=math.inf), max((e for _, e in kept), default=0.0))


def sum_of_integers(lanes: Iterable[Lane]) -> int:
    return wrap(sum(present(lanes)))


def largest_integer(lanes: Iterable[Lane]) -> int:
    return max(present(lanes), default=-(2**31))


def smallest_integer(lanes: Iterable[Lane]) -> int:
    return min(present(lanes), default=2**31 - 1)


def sum_of_longs(lanes: Iterable[Lane]) -> int:
    return wrap_long(sum(present(lanes)))


def largest_long(lanes: Iterable[Lane]) -> int:
    return max(present(lanes), default=-(2**63))


def smallest_long(lanes: Iterable[Lane]) -> int:
    return min(present(lanes), default=2**63 - 1)


def argument_of(best: Any, lanes: Iterable[tuple[int, Lane]]) -> int:
    """argmax / argmin: the first index whose value is the best; -1 over nothing."""
    kept = [(index, lane[0] if isinstance(lane, tuple) else lane) for index, lane in lanes if lane is not None]
    if not kept:
        return -1
    extreme = best(value for _, value in kept)
    return next(index for index, value in kept if value == extreme)


def softmax(lanes: Mapping[int, Lane]) -> Iterator[tuple[int, Lane]]:
    kept = {index: lane for index, lane in lanes.items() if lane is not None}
    if not kept:
        return
    top = max(value for value, _ in kept.values())
    parts = {index: math.exp(value - top) for index, (value, _) in kept.items()}
    whole = math.fsum(parts.values())
    worst = max(abs(value) + error for value, error in kept.values())
    for index, part in parts.items():
        yield index, (part / whole, part / whole * (8 + 4 * worst + len(kept)) + 1e-3)


def topk(lanes: Iterable[tuple[int, Lane]], k: int, order: str) -> list[tuple[int, float]]:
    """(index, score) of the k best, highest first and ties by lower index (or ascending by index); exact scores."""
    kept = [(index, lane[0] if isinstance(lane, tuple) else lane) for index, lane in lanes if lane is not None]
    candidates = [(index, value) for index, value in kept if value == value and value != -math.inf]
    best = sorted(candidates, key=lambda pair: (-pair[1], pair[0]))[:k]
    if order == "index":
        best.sort()
    return best + [(-1, -math.inf)] * (k - len(best))


def select(triples: Iterable[tuple[int, Lane, Lane]], capacity: int, strict: bool) -> list[int]:
    """Ascending indices whose score passes; where more do than fit, the best stay, ties by lower index. Exact."""
    kept = [(index, score[0], limit[0]) for index, score, limit in triples if score is not None and limit is not None]
    passing = [(index, score) for index, score, limit in kept if score > limit or (score == limit and not strict)]
    best = sorted(passing, key=lambda pair: (-pair[1], pair[0]))[:capacity]
    return sorted(index for index, _ in best) + [-1] * (capacity - len(best))


def rope(lanes: list[Lane], at: int, channels: int, layout: str) -> list[Lane]:
    """The first channels turned in pairs by at * 10000^(-2 pair / channels) radians."""
    turned = list(lanes)
    for pair in range(channels // 2):
        low, high = (pair, pair + channels // 2) if layout == "half" else (2 * pair, 2 * pair + 1)
        angle = at * 10000.0 ** (-2 * pair / channels)
        # A rounding of the angle (at most half a turn) and one each of the elementary functions.
        cos, sin = (math.cos(angle), 8.0), (math.sin(angle), 8.0)
        turned[low] = subtract(multiply(lanes[low], cos), multiply(lanes[high], sin))
        turned[high] = add(multiply(lanes[high], cos), multiply(lanes[low], sin))
    return turned


def quantize(lanes: list[Lane], to: str) -> tuple[list[Lane], Lane]:
    """(narrow values, scale): the scale is the least power of two not below max(largest magnitude, 1e-4) / limit."""
    limit = {"fp8": 448, "i8": 127, "i4": 7}[to]
    largest_value = max(abs(value) for value, _ in lanes)
    needed = max(largest_value, float(np.float32(1e-4))) / limit
    mantissa, exponent = math.frexp(needed)
    scale = 2.0 ** (exponent - 1 if mantissa == 0.5 else exponent)
    if to == "fp8":
        return [exact(_nearest("fp8", value / scale)) for value, _ in lanes], exact(scale)
    return [max(-limit - 1, min(limit, round(value / scale))) for value, _ in lanes], exact(scale)


def append_columns(memory: Values, terms: Values, rows: int, columns: int, new: int) -> None:
    """Columns that count their row numbers, negative ones skipped; `terms` has a row a column, or is one."""
    for column in range(columns - new, columns):
        for row in range(rows):
            memory[row, column] = 0
        for place, row in terms.items():
            if row >= 0 and (len(place) == 1 or place[0] == column - (columns - new)):
                memory[row, column] += 1


def store(dtype: str, lane: Lane) -> Lane:
    """A lane as a memory of that dtype keeps it. Only exact values are stored in narrow types, so rounding agrees."""
    if isinstance(lane, tuple):
        return lane if dtype == "f32" else (_nearest(dtype, lane[0]), lane[1])
    low, high = {"i8": (-128, 127), "u8": (0, 255), "i16": (-(2**15), 2**15 - 1), "i64": (-(2**63), 2**63 - 1)}.get(
        dtype, (-(2**31), 2**31 - 1)
    )
    return lane if isinstance(lane, bool) else min(max(lane, low), high)


_FORMATS = {
    "f16": (10, -14, 65504.0),
    "bf16": (7, -126, 3.3895e38),
    "fp8": (3, -6, 448.0),
    "fp8e5m2": (2, -14, 57344.0),
}


def _nearest(dtype: str, value: float) -> float:
    """Round to nearest even with so many mantissa bits, gradual underflow and saturation."""
    mantissa_bits, lowest_exponent, limit = _FORMATS[dtype]
    if value == 0:
        return 0.0
    exponent = max(math.frexp(value)[1] - 1, lowest_exponent)
    step = 2.0 ** (exponent - mantissa_bits)
    return math.copysign(min(round(abs(value) / step) * step, limit), value)
