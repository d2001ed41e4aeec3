"""The scalar operations of a region, with the results that mp defines where upstream's ops have none.

Upstream, integer division by 0 (and of the least integer by -1) is undefined: the divisor is replaced first, the result
after. Shifts by the width or more, and conversions of what an integer cannot hold, are poison: the result is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import FloatAttr, IndexType, IntegerAttr, IntegerType
from xdsl.ir import Attribute, Operation, SSAValue

from hetc.dialects.mp import ModOp, RoundOp
from hetc.passes.emission import REGION_OPS
from hetc.passes.lower_linalg.builder import Builder
from hetc.passes.lower_linalg.elements import rounded


def lowered(builder: Builder, op: Operation, operands: Sequence[SSAValue]) -> SSAValue:
    """The value of a scalar op of `REGION_OPS` on these operands."""
    special = _SPECIAL.get(type(op))
    if special is not None:
        return special(builder, op, operands)
    return builder.add(op.clone(value_mapper=dict(zip(op.operands, operands, strict=True))))


def is_scalar(op: Operation) -> bool:
    """Whether `lowered` takes the op."""
    return isinstance(op, REGION_OPS) and (op.name.split(".")[0] in ("arith", "math") or type(op) in _SPECIAL)


def _constant(value: SSAValue) -> int | float | None:
    owner = value.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr | FloatAttr):
        return owner.value.value.data
    return None


def _is(builder: Builder, value: SSAValue, number: int) -> SSAValue:
    return builder.add(arith.CmpiOp(value, builder.constant(number, value.type), "eq"))


def _choose(builder: Builder, condition: SSAValue, value: SSAValue, otherwise: SSAValue) -> SSAValue:
    return builder.add(arith.SelectOp(condition, value, otherwise))


def _divisor(builder: Builder, divisor: SSAValue) -> tuple[SSAValue, SSAValue | None, SSAValue | None]:
    """(a divisor that may be divided by, whether the given one is 0, whether it is -1); 1 takes the place of both."""
    known = _constant(divisor)
    if known is not None and known not in (0, -1):
        return divisor, None, None
    zero, minus_one = _is(builder, divisor, 0), _is(builder, divisor, -1)
    one = builder.constant(1, divisor.type)
    return _choose(builder, builder.add(arith.OrIOp(zero, minus_one)), one, divisor), zero, minus_one


def _floor_divide(builder: Builder, op: Operation, operands: Sequence[SSAValue]) -> SSAValue:
    """The quotient rounded down; 0 where the divisor is 0. The least integer over -1 wraps to itself."""
    dividend, given = operands
    divisor, zero, minus_one = _divisor(builder, given)
    quotient = builder.add(arith.FloorDivSIOp(dividend, divisor))
    if zero is None or minus_one is None:
        return quotient
    nothing = builder.constant(0, quotient.type)
    negated = builder.add(arith.SubiOp(nothing, dividend))
    return _choose(builder, zero, nothing, _choose(builder, minus_one, negated, quotient))


def _modulo(builder: Builder, op: Operation, operands: Sequence[SSAValue]) -> SSAValue:
    """a - b * floor(a / b), which has the sign of b; 0 where b is 0."""
    dividend, given = operands
    divisor, _, _ = _divisor(builder, given)
    rest = builder.add(arith.RemSIOp(dividend, divisor))
    nothing = builder.constant(0, rest.type)
    signs = builder.add(arith.XOrIOp(rest, divisor))
    differ = builder.add(arith.CmpiOp(signs, nothing, "slt"))
    some = builder.add(arith.CmpiOp(rest, nothing, "ne"))
    return _choose(builder, builder.add(arith.AndIOp(differ, some)), builder.add(arith.AddiOp(rest, divisor)), rest)


def _shift(builder: Builder, op: Operation, operands: Sequence[SSAValue]) -> SSAValue:
    """0 where the distance is negative or not below the width. What upstream gives there is poison, which a select that
    takes the other side does not pass on."""
    value, distance = operands
    width = _width(value.type)
    moved = builder.add(op.clone(value_mapper=dict(zip(op.operands, operands, strict=True))))
    known = _constant(distance)
    if known is not None and 0 <= known < width:
        return moved
    inside = builder.add(arith.CmpiOp(distance, builder.constant(width, distance.type), "ult"))
    return builder.select(inside, moved, 0)


def _shift_signed(builder: Builder, op: Operation, operands: Sequence[SSAValue]) -> SSAValue:
    """By the width less one, which leaves the sign, where the distance is negative or not below the width."""
    value, distance = operands
    last = _width(value.type) - 1
    known = _constant(distance)
    if known is None or not 0 <= known <= last:
        limit = builder.constant(last, distance.type)
        inside = builder.add(arith.CmpiOp(distance, limit, "ule"))
        distance = _choose(builder, inside, distance, limit)
    return builder.add(arith.ShRSIOp(value, distance))


def _float_to_integer(builder: Builder, op: Operation, operands: Sequence[SSAValue]) -> SSAValue:
    """Truncated towards 0 and saturating; NaN gives 0. Poison as for shifts."""
    (value,) = operands
    target = op.results[0].type
    assert isinstance(target, IntegerType)
    half = 1 << (target.width.data - 1)
    whole = builder.add(arith.FPToSIOp(value, target))
    # Both ends are powers of two, which every float type of a region holds exactly.
    for predicate, limit, result in (("oge", half, half - 1), ("olt", -half, -half), ("uno", 0, 0)):
        beyond = builder.add(arith.CmpfOp(value, builder.constant(float(limit), value.type), predicate))
        whole = _choose(builder, beyond, builder.constant(result, target), whole)
    return whole


def _round(builder: Builder, op: Operation, operands: Sequence[SSAValue]) -> SSAValue:
    assert isinstance(op, RoundOp)
    return rounded(builder, operands[0], op.element)


def _width(type: Attribute) -> int:
    return 64 if isinstance(type, IndexType) or not isinstance(type, IntegerType) else type.width.data


_SPECIAL: dict[type[Operation], Callable[[Builder, Operation, Sequence[SSAValue]], SSAValue]] = {
    arith.FloorDivSIOp: _floor_divide,
    ModOp: _modulo,
    arith.ShLIOp: _shift,
    arith.ShRUIOp: _shift,
    arith.ShRSIOp: _shift_signed,
    arith.FPToSIOp: _float_to_integer,
    RoundOp: _round,
}
