"""Between which integers values lie."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr, IntegerType, i1, i64
from xdsl.ir import Block, SSAValue

from hetc.dialects import nest
from hetc.dialects.mp import DimSizeOp, ModOp, TensorType, dtype_name
from hetc.numerics.dtypes import dtype_of

Range = tuple[int, int]
_LENGTH: Range = (0, (1 << 31) - 1)
_INDEX: Range = (-(1 << 63), (1 << 63) - 1)


def number_of(value: SSAValue) -> int | None:
    """The number that a constant is; None for any other value."""
    owner = value.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
        held = owner.value.value.data
        return held & 1 if value.type == i1 else held
    return None


def range_of(value: SSAValue) -> Range:
    """Between which integers a value lies; all of its type where no more is known."""
    widest = _INDEX if isinstance(value.type, IndexType) or value.type == i64 else _of_bits(value)
    found = _range(value)
    return widest if found is None else (max(found[0], widest[0]), min(found[1], widest[1]))


def _of_bits(value: SSAValue) -> Range:
    width = value.type.width.data if isinstance(value.type, IntegerType) else 64
    return (0, 1) if width == 1 else (-(1 << (width - 1)), (1 << (width - 1)) - 1)


def _range(value: SSAValue) -> Range | None:
    owner = value.owner
    if isinstance(owner, Block):
        loop = owner.parent_op()
        if isinstance(loop, nest.ForOp):
            return range_of(loop.lower)[0], range_of(loop.upper)[1] - 1
        return _LENGTH if isinstance(loop, nest.EntriesOp) and value is loop.column else None
    match owner:
        case arith.ConstantOp():
            number = number_of(value)
            return None if number is None else (number, number)
        case DimSizeOp():
            return _LENGTH
        case nest.ReadOp():
            return _of_element(owner)
        case arith.IndexCastOp() | arith.ExtSIOp():
            return range_of(owner.operands[0])
        case arith.AddiOp() | arith.SubiOp() | arith.MuliOp():
            return arithmetic_range(owner)
        case ModOp():
            divisor = number_of(owner.rhs)
            return None if divisor is None or divisor < 1 else (0, divisor - 1)
        case arith.FloorDivSIOp():
            divisor, (low, high) = number_of(owner.rhs), range_of(owner.lhs)
            return None if divisor is None or divisor < 1 else (low // divisor, high // divisor)
        case arith.MinSIOp() | arith.MaxSIOp():
            chosen = min if isinstance(owner, arith.MinSIOp) else max
            (a, b), (c, d) = range_of(owner.lhs), range_of(owner.rhs)
            return chosen(a, c), chosen(b, d)
        case arith.SelectOp():
            (a, b), (c, d) = range_of(owner.lhs), range_of(owner.rhs)
            return min(a, c), max(b, d)
    return None


def _of_element(op: nest.ReadOp) -> Range | None:
    type_ = op.tensor.type
    assert isinstance(type_, TensorType)
    name = dtype_name(type_.element)
    if name.startswith("index"):
        return None
    dtype = dtype_of(name)
    # A read that is not carried out gives 0.
    return (min(0, int(dtype.min_finite)), int(dtype.max_finite)) if dtype.is_integer else None


def arithmetic_range(op: arith.AddiOp | arith.SubiOp | arith.MuliOp) -> Range | None:
    """The range of exact arithmetic; None where it may wrap."""
    (a, b), (c, d) = range_of(op.lhs), range_of(op.rhs)
    if isinstance(op, arith.AddiOp):
        low, high = a + c, b + d
    elif isinstance(op, arith.SubiOp):
        low, high = a - d, b - c
    else:
        corners = (a * c, a * d, b * c, b * d)
        low, high = min(corners), max(corners)
    widest = _of_bits(op.results[0])
    return (low, high) if widest[0] <= low and high <= widest[1] else None
