"""What the scalar operations compute, on whole arrays: floats in float64, integers in int64 wrapped to their type.

Each function takes the op and its operands' arrays and returns the result's array. Lanes that are absent hold any
value, so nothing here may stop at one: a division by zero gives 0 (integers) or an infinity or NaN (floats).
"""

from __future__ import annotations

from collections.abc import Callable
from math import erf

import numpy as np
from xdsl.dialects.builtin import AnyFloat, FloatAttr, IntegerAttr, IntegerType
from xdsl.ir import Attribute, Operation

from hetc.backends.reference.environment import OracleError

Function = Callable[..., np.ndarray]

_erf = np.frompyfunc(erf, 1, 1)


def wrap(value: np.ndarray, type: Attribute) -> np.ndarray:
    """int64 values as a value of `type` (two's complement); index and i64 as they are; i1 as bool."""
    if isinstance(type, IntegerType):
        if type.width.data == 1:
            return (value & 1).astype(np.bool_)
        if type.width.data < 64:
            half = 1 << (type.width.data - 1)
            return ((value + half) & (2 * half - 1)) - half
    return value


def integer_limits(type: Attribute) -> tuple[int, int]:
    """The extremes of an integer type in a region; an index's are those of the i32 that it is stored as."""
    width = type.width.data if isinstance(type, IntegerType) else 32
    return -(1 << (width - 1)), (1 << (width - 1)) - 1


def saturating_int64(value: np.ndarray, low: int, high: int) -> np.ndarray:
    """float64 (whole numbers, NaN or infinite) to int64 within [low, high]; NaN gives 0."""
    top = value >= float(high)
    bottom = value <= float(low)
    safe = np.where(top | bottom | np.isnan(value), 0.0, value).astype(np.int64)
    return np.where(top, high, np.where(bottom, low, safe))


def _fptosi(op: Operation, x: np.ndarray) -> np.ndarray:
    type_ = op.results[0].type
    low, high = integer_limits(type_) if isinstance(type_, IntegerType) else integer_limits(IntegerType(64))
    return saturating_int64(np.trunc(x), low, high)


def floor_divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Floor division; 0 where b is 0."""
    return np.where(b == 0, 0, a // np.where(b == 0, 1, b))


def floor_modulo(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a - b * floor(a / b); 0 where b is 0."""
    return np.where(b == 0, 0, a % np.where(b == 0, 1, b))


def _shift_right_unsigned(op: Operation, x: np.ndarray, by: np.ndarray) -> np.ndarray:
    type_ = op.results[0].type
    width = type_.width.data if isinstance(type_, IntegerType) else 64
    unsigned = x.astype(np.uint64) & np.uint64((1 << width) - 1)
    shifted = unsigned >> np.clip(by, 0, 63).astype(np.uint64)
    return np.where((by < 0) | (by >= width), np.uint64(0), shifted).astype(np.int64)


def _shift_left(op: Operation, x: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.where((by < 0) | (by > 63), 0, x << np.clip(by, 0, 63))


def _shift_right_signed(op: Operation, x: np.ndarray, by: np.ndarray) -> np.ndarray:
    return x >> np.where((by < 0) | (by > 63), 63, by)


def _bitcast(op: Operation, x: np.ndarray) -> np.ndarray:
    if isinstance(op.results[0].type, AnyFloat):
        return x.astype(np.int32).view(np.float32).astype(np.float64)
    return x.astype(np.float32).view(np.int32).astype(np.int64)


_FLOAT_COMPARISONS: tuple[Function, ...] = (
    lambda a, b: np.zeros(np.broadcast_shapes(a.shape, b.shape), np.bool_),
    lambda a, b: a == b,
    lambda a, b: a > b,
    lambda a, b: a >= b,
    lambda a, b: a < b,
    lambda a, b: a <= b,
    lambda a, b: (a < b) | (a > b),
    lambda a, b: ~np.isnan(a) & ~np.isnan(b),
    lambda a, b: ~((a < b) | (a > b)),
    lambda a, b: ~(a <= b),
    lambda a, b: ~(a < b),
    lambda a, b: ~(a >= b),
    lambda a, b: ~(a > b),
    lambda a, b: a != b,
    lambda a, b: np.isnan(a) | np.isnan(b),
    lambda a, b: np.ones(np.broadcast_shapes(a.shape, b.shape), np.bool_),
)
"""In the order of arith.cmpf's predicates."""

_INTEGER_COMPARISONS: tuple[Function, ...] = (
    np.equal,
    np.not_equal,
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
)


def _predicate(op: Operation) -> int:
    predicate = op.properties["predicate"]
    assert isinstance(predicate, IntegerAttr)
    return predicate.value.data


def _compare_floats(op: Operation, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _FLOAT_COMPARISONS[_predicate(op)](a, b)


def _compare_integers(op: Operation, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    number = _predicate(op)
    if number >= len(_INTEGER_COMPARISONS):
        raise OracleError("arith.cmpi: unsigned comparisons are not part of the language")
    return _INTEGER_COMPARISONS[number](a, b)


def _constant(op: Operation) -> np.ndarray:
    value = op.properties["value"]
    if isinstance(value, FloatAttr):
        return np.asarray(float(value.value.data), dtype=np.float64)
    assert isinstance(value, IntegerAttr)
    return wrap(np.asarray(value.value.data, dtype=np.int64), op.results[0].type)


def _plain(function: Callable[..., np.ndarray]) -> Function:
    return lambda op, *operands: function(*operands)


def _integer(function: Callable[..., np.ndarray]) -> Function:
    """Computed in int64, which wraps modulo 2^64, then wrapped to the result's type."""
    return lambda op, *operands: wrap(function(*(item.astype(np.int64) for item in operands)), op.results[0].type)


def _to_int64(x: np.ndarray) -> np.ndarray:
    return x.astype(np.int64)


FUNCTIONS: dict[str, Function] = {
    "arith.constant": _constant,
    "arith.addf": _plain(np.add),
    "arith.subf": _plain(np.subtract),
    "arith.mulf": _plain(np.multiply),
    "arith.divf": _plain(np.divide),
    "arith.negf": _plain(np.negative),
    "arith.maximumf": _plain(np.maximum),
    "arith.minimumf": _plain(np.minimum),
    "arith.cmpf": _compare_floats,
    "arith.cmpi": _compare_integers,
    "arith.addi": _integer(np.add),
    "arith.subi": _integer(np.subtract),
    "arith.muli": _integer(np.multiply),
    "arith.floordivsi": _integer(floor_divide),
    "arith.maxsi": _integer(np.maximum),
    "arith.minsi": _integer(np.minimum),
    "arith.andi": _integer(np.bitwise_and),
    "arith.ori": _integer(np.bitwise_or),
    "mp.and": _plain(np.logical_and),
    "mp.or": _plain(np.logical_or),
    "arith.xori": _integer(np.bitwise_xor),
    "arith.shli": lambda op, *operands: wrap(_shift_left(op, *operands), op.results[0].type),
    "arith.shrsi": lambda op, *operands: wrap(_shift_right_signed(op, *operands), op.results[0].type),
    "arith.shrui": lambda op, *operands: wrap(_shift_right_unsigned(op, *operands), op.results[0].type),
    "arith.sitofp": _plain(lambda x: x.astype(np.float64)),
    "arith.fptosi": _fptosi,
    "arith.index_cast": _integer(_to_int64),
    "arith.extsi": _plain(lambda x: -_to_int64(x) if x.dtype == np.bool_ else x),
    "arith.extui": lambda op, x: _extend_unsigned(op, x),
    "arith.trunci": _integer(_to_int64),
    "arith.bitcast": _bitcast,
    "math.exp": _plain(np.exp),
    "math.log": _plain(np.log),
    "math.sqrt": _plain(np.sqrt),
    "math.rsqrt": _plain(lambda x: 1.0 / np.sqrt(x)),
    "math.absf": _plain(np.abs),
    "math.absi": _integer(np.abs),
    "math.tanh": _plain(np.tanh),
    "math.sin": _plain(np.sin),
    "math.cos": _plain(np.cos),
    "math.atan2": _plain(np.arctan2),
    "math.erf": _plain(lambda x: np.asarray(_erf(x), dtype=np.float64)),
    "math.floor": _plain(np.floor),
    "math.ceil": _plain(np.ceil),
    "math.roundeven": _plain(np.rint),
    "math.powf": _plain(np.power),
    "mp.mod": _integer(floor_modulo),
}
"""Every scalar operation of a region but select, which chooses presence too, and mp.round."""


_EXACT: dict[str, Callable[[int, int], int]] = {
    "arith.addi": lambda a, b: a + b,
    "arith.subi": lambda a, b: a - b,
    "arith.muli": lambda a, b: a * b,
}


def held_by_64_bits(op: Operation, *operands: np.ndarray) -> np.ndarray:
    """Where the exact result of an operation on indices has a magnitude below 2^63. Others than these three do not
    leave what their operands lie in."""
    exact = _EXACT.get(op.name)
    if exact is None:
        return np.asarray(True)
    a, b = np.broadcast_arrays(*operands)
    roughly = np.abs(FUNCTIONS[_AS_FLOATS[op.name]](op, a.astype(np.float64), b.astype(np.float64)))
    held = np.asarray(roughly < 2.0**62)
    for place in map(tuple, np.argwhere(~held)):  # too near to the end for float64 to tell
        held[place] = abs(exact(int(a[place]), int(b[place]))) < 2**63
    return held


_AS_FLOATS = {"arith.addi": "arith.addf", "arith.subi": "arith.subf", "arith.muli": "arith.mulf"}


def _extend_unsigned(op: Operation, x: np.ndarray) -> np.ndarray:
    source = op.operands[0].type
    width = source.width.data if isinstance(source, IntegerType) else 64
    return _to_int64(x) & ((1 << width) - 1) if width < 64 else x
