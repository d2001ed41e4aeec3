"""How an element of each mp type is stored upstream, and computed with: load, store, round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    AnyFloat,
    Float8E4M3FNType,
    Float8E5M2Type,
    IndexType,
    IntegerType,
    Signedness,
    f32,
    i32,
    i64,
)
from xdsl.ir import Attribute, SSAValue

from hetc.dialects.mp import compute_type
from hetc.passes.lower_linalg.builder import Builder

_LARGEST: dict[type[Attribute], float] = {Float8E4M3FNType: 448.0, Float8E5M2Type: 57344.0}
"""The largest finite values of the float types whose conversions saturate (OCP 8-bit floating point, table 2)."""


def storage_type(element: Attribute) -> Attribute:
    """The element type of a tensor upstream: arith works on signless integers, and an index is stored in 32 bits."""
    if isinstance(element, IndexType):
        return i32
    return IntegerType(element.width.data) if isinstance(element, IntegerType) else element


def carried_type(type: Attribute) -> Attribute:
    """The element type of a tensor of values of a compute type that are not stored: an index keeps all its bits."""
    return i64 if isinstance(type, IndexType) else type


def fill_of(element: Attribute) -> int:
    """What an absent element is stored as."""
    return -1 if isinstance(element, IndexType) else 0


def loaded(builder: Builder, raw: SSAValue, element: Attribute) -> SSAValue:
    """A stored element of the mp type `element` in its compute type."""
    target = compute_type(element)
    if raw.type == target:
        return raw
    if isinstance(target, IndexType):
        return builder.cast(raw, target)
    if isinstance(element, AnyFloat):
        return builder.add(arith.ExtFOp(raw, f32))
    assert isinstance(target, IntegerType)
    return builder.add((arith.ExtUIOp if _is_unsigned(element) else arith.ExtSIOp)(raw, target))


def stored(builder: Builder, value: SSAValue, element: Attribute) -> SSAValue:
    """A computed value as it is stored in the mp type `element`: rounded to nearest even; 8-bit floats and narrow
    integers saturate, NaN stays NaN."""
    target = storage_type(element)
    if value.type == target:
        return value
    if isinstance(element, IndexType):
        return builder.cast(value, target)
    value = _clamped(builder, value, element)
    if isinstance(target, IntegerType):
        return builder.add(arith.TruncIOp(value, target))
    return builder.add(arith.TruncFOp(value, target))  # type: ignore[arg-type]


def rounded(builder: Builder, value: SSAValue, element: Attribute) -> SSAValue:
    """The value that remains of a computed one in the mp type `element`, in its compute type."""
    return loaded(builder, stored(builder, value, element), element)


def _clamped(builder: Builder, value: SSAValue, element: Attribute) -> SSAValue:
    limits = _limits(element)
    if limits is None:
        return value
    pairs = ((limits.low, limits.at_least), (limits.high, limits.at_most))
    for limit, op in pairs:
        value = builder.add(op(value, builder.constant(limit, value.type)))  # type: ignore[call-arg]
    return value


@dataclass(frozen=True)
class _Limits:
    low: float
    high: float
    at_least: Callable[..., arith.MaximumfOp | arith.MaxSIOp]
    at_most: Callable[..., arith.MinimumfOp | arith.MinSIOp]


def _limits(element: Attribute) -> _Limits | None:
    """The range that values are clamped to before they are truncated, with ops that let NaN through."""
    largest = _LARGEST.get(type(element))
    if largest is not None:
        return _Limits(-largest, largest, arith.MaximumfOp, arith.MinimumfOp)
    if not isinstance(element, IntegerType) or element.width.data >= 32:
        return None
    width = element.width.data
    unsigned = _is_unsigned(element)
    low, high = (0, 2**width - 1) if unsigned else (-(2 ** (width - 1)), 2 ** (width - 1) - 1)
    return _Limits(low, high, arith.MaxSIOp, arith.MinSIOp)


def _is_unsigned(element: Attribute) -> bool:
    return isinstance(element, IntegerType) and element.signedness.data == Signedness.UNSIGNED
