"""Conversions between stored elements and the types that regions compute in."""

from __future__ import annotations

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import (
    AnyFloat,
    Float8E4M3FNType,
    Float8E5M2Type,
    IntegerType,
    Signedness,
    f32,
    i1,
    i32,
)
from xdsl.ir import Attribute, SSAValue

from hetc.dialects import tile
from hetc.dialects.mp import compute_type
from hetc.dialects.tile import BYTE, element_of, shape_of, tile_type
from hetc.passes.lower_triton.arguments import buffer_element
from hetc.passes.lower_triton.builder import TileBuilder, tile_element


def is_fp8(element: Attribute) -> bool:
    return isinstance(element, Float8E4M3FNType | Float8E5M2Type)


def widened(builder: TileBuilder, stored: SSAValue, element: Attribute) -> SSAValue:
    """What was loaded from a buffer of `element`, in the compute type."""
    if is_fp8(element):
        return builder.add(tile.DecodeOp(stored, element, tile_type(shape_of(stored.type), f32)))
    if element == i1:
        return builder.compare("ne", builder.cast(stored, i32), 0)
    return builder.cast(stored, tile_element(compute_type(element)))


def _integer_limits(element: IntegerType) -> tuple[int, int]:
    bits = element.width.data
    if element.signedness.data is Signedness.UNSIGNED:
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def _clamped(builder: TileBuilder, value: SSAValue, element: IntegerType) -> SSAValue:
    """An integer within the range of a narrower one, still in its own type."""
    low, high = _integer_limits(element)
    value = builder.binary(arith.MaxSIOp, value, low)
    return builder.binary(arith.MinSIOp, value, high)


def rounded(builder: TileBuilder, value: SSAValue, element: Attribute) -> SSAValue:
    """The nearest value of `element` (ties to even; fp8 and integers saturate), in its compute type."""
    return widened(builder, narrowed(builder, value, element), element)


def narrowed(builder: TileBuilder, value: SSAValue, element: Attribute) -> SSAValue:
    """A region's value as a buffer of `element` stores it."""
    source = element_of(value.type)
    if element == i1:
        truth = value if source == i1 else builder.compare("ne", value, 0)
        return builder.cast(truth, BYTE)
    if isinstance(element, AnyFloat):
        number = builder.cast(value, f32)
        if is_fp8(element):
            return builder.add(tile.EncodeOp(number, element, tile_type(shape_of(number.type), BYTE)))
        return builder.cast(number, element)
    stored = buffer_element(element)
    assert isinstance(stored, IntegerType)
    if isinstance(source, AnyFloat):
        value = builder.cast(builder.add(math.RoundEvenOp(value)), i32 if stored.width.data <= 32 else stored)
    elif source == i1:
        value = builder.cast(value, i32)
    source = element_of(value.type)
    assert isinstance(source, IntegerType)
    if isinstance(element, IntegerType) and element.width.data < source.width.data:
        value = _clamped(builder, value, element)
    elif stored.width.data < source.width.data:  # an index that was computed in 64 bits
        value = _clamped(builder, value, stored)
    return builder.cast(value, stored)
