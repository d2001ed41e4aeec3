"""The element-wise ops of a region, on tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, f32, i1, i32, i64
from xdsl.ir import Operation, SSAValue

from hetc.dialects import mp, tile
from hetc.dialects.tile import element_of
from hetc.passes.lower_triton.builder import TileBuilder, tile_element
from hetc.passes.lower_triton.convert import rounded

_BINARY: dict[type[Operation], Callable[..., Operation]] = {
    kind: kind
    for kind in (
        arith.AddfOp, arith.SubfOp, arith.MulfOp, arith.DivfOp, arith.MaximumfOp, arith.MinimumfOp,
        arith.AddiOp, arith.SubiOp, arith.MuliOp, arith.FloorDivSIOp, arith.MaxSIOp, arith.MinSIOp,
        arith.AndIOp, arith.OrIOp, arith.XOrIOp, arith.ShLIOp, arith.ShRUIOp, arith.ShRSIOp,
        math.Atan2Op, math.PowFOp,
    )
} | {mp.ModOp: tile.ModOp}  # fmt: skip

_UNARY: tuple[type[Operation], ...] = (
    math.ExpOp, math.LogOp, math.SqrtOp, math.RsqrtOp, math.AbsFOp, math.AbsIOp, math.TanhOp, math.SinOp,
    math.CosOp, math.ErfOp, math.FloorOp, math.CeilOp, math.RoundEvenOp, arith.NegfOp,
)  # fmt: skip

_CASTS = (arith.SIToFPOp, arith.FPToSIOp, arith.IndexCastOp, arith.ExtSIOp, arith.TruncIOp, arith.ExtUIOp)

_INTEGER_PREDICATES = {0: "eq", 1: "ne", 2: "lt", 3: "le", 4: "gt", 5: "ge"}
_FLOAT_PREDICATES = {1: "eq", 2: "gt", 3: "ge", 4: "lt", 5: "le", 13: "ne"}


def lower_elementwise(builder: TileBuilder, op: Operation, operands: Sequence[SSAValue]) -> SSAValue:
    """The tile value of an op of arith, math or mp that works element by element."""
    if isinstance(op, arith.FloorDivSIOp | mp.ModOp):
        by_bits = _by_bits(builder, op, operands[0])
        if by_bits is not None:
            return by_bits
    if isinstance(op, arith.ShLIOp | arith.ShRSIOp):
        return _shifted(builder, op, *operands)
    if type(op) in _BINARY:
        return builder.binary(_BINARY[type(op)], *operands)
    if isinstance(op, _UNARY):
        return builder.add(type(op)(operands[0]))  # type: ignore[arg-type, call-arg]
    if isinstance(op, _CASTS):
        return _cast(builder, op, operands[0])
    match op:
        case arith.ConstantOp():
            assert isinstance(op.value, FloatAttr | IntegerAttr)
            return builder.constant(op.value.value.data, tile_element(op.result.type))
        case arith.CmpiOp() | arith.CmpfOp():
            return _compare(builder, op, operands)
        case arith.SelectOp():
            return builder.where(*operands)
        case arith.BitcastOp():
            return builder.bitcast(operands[0], op.result.type)
        case mp.RoundOp():
            return rounded(builder, operands[0], op.element)
    raise AssertionError(f"check_kernel lets {op.name} pass")


def _by_bits(builder: TileBuilder, op: arith.FloorDivSIOp | mp.ModOp, value: SSAValue) -> SSAValue | None:
    """Floor division and modulo by a constant power of two as a shift and a mask, which round down too."""
    divisor = op.rhs.owner
    if not isinstance(divisor, arith.ConstantOp) or not isinstance(divisor.value, IntegerAttr):
        return None
    size = divisor.value.value.data
    if size <= 0 or size & (size - 1):
        return None
    if isinstance(op, mp.ModOp):
        return builder.binary(arith.AndIOp, value, size - 1)
    return builder.binary(arith.ShRSIOp, value, size.bit_length() - 1) if size > 1 else value


def _shifted(builder: TileBuilder, op: arith.ShLIOp | arith.ShRSIOp, value: SSAValue, by: SSAValue) -> SSAValue:
    """A shift by less than none or by all bits and more, which Triton does not define, leaves 0, or of >> the sign."""
    width = 64 if element_of(value.type) == i64 else 32
    count = mp.Intervals(lambda dim: mp.LARGEST_EXTENT).of(op.rhs)
    if 0 <= count.low <= count.high < width:
        return builder.binary(type(op), value, by)
    inside = builder.binary(arith.AndIOp, builder.compare("ge", by, 0), builder.compare("lt", by, width))
    shifted = builder.binary(
        type(op), value, builder.where(inside, by, builder.constant(width - 1, element_of(by.type)))
    )
    if isinstance(op, arith.ShRSIOp):
        return shifted
    return builder.where(inside, shifted, builder.constant(0, element_of(value.type)))


def _compare(builder: TileBuilder, op: arith.CmpiOp | arith.CmpfOp, operands: Sequence[SSAValue]) -> SSAValue:
    table = _INTEGER_PREDICATES if isinstance(op, arith.CmpiOp) else _FLOAT_PREDICATES
    predicate = table[op.predicate.value.data]
    left, right = operands
    if element_of(left.type) == i1:
        left, right = builder.cast(left, i32), builder.cast(right, i32)
    return builder.compare(predicate, left, right)


def _cast(builder: TileBuilder, op: Operation, value: SSAValue) -> SSAValue:
    source, target = op.operands[0].type, tile_element(op.results[0].type)
    if source == i1 and isinstance(op, arith.ExtSIOp | arith.SIToFPOp):  # a true i1 is -1 to these
        value = builder.binary(arith.MuliOp, builder.cast(value, i32), -1)
    elif target == i1:
        return builder.compare("ne", builder.binary(arith.AndIOp, value, 1), 0)
    elif isinstance(op, arith.ExtUIOp) and source == i32 and target == i64:
        return builder.binary(arith.AndIOp, builder.cast(value, i64), 0xFFFFFFFF)
    assert target in (f32, i32, i64)
    return builder.cast(value, target)
