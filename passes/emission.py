"""Emitting single ops into the regions of statements, without repeats, and conjunctions of conditions.

Every op of a region is pure (reads have no effect), so an op may stand as far out as its operands allow. New ops take
the location of the op that they are made for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import FloatAttr, IndexType, IntegerAttr, IntegerType, UnitAttr, f32, i1
from xdsl.ir import Attribute, Block, Operation, SSAValue

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import DimSizeOp, GuardOp, ModOp, PresentOp, ReadOp, ReadStoredOp, ReduceOp, RoundOp

REGION_OPS: tuple[type[Operation], ...] = (
    arith.ConstantOp, arith.AddfOp, arith.SubfOp, arith.MulfOp, arith.DivfOp, arith.NegfOp, arith.MaximumfOp,
    arith.MinimumfOp, arith.CmpfOp, arith.CmpiOp, arith.AddiOp, arith.SubiOp, arith.MuliOp, arith.FloorDivSIOp,
    arith.MaxSIOp, arith.MinSIOp, arith.AndIOp, arith.OrIOp, arith.XOrIOp, arith.ShLIOp, arith.ShRUIOp,
    arith.ShRSIOp, arith.SelectOp, arith.SIToFPOp, arith.FPToSIOp, arith.IndexCastOp, arith.ExtSIOp, arith.TruncIOp,
    arith.ExtUIOp, arith.BitcastOp,
    math.ExpOp, math.LogOp, math.SqrtOp, math.RsqrtOp, math.AbsFOp, math.AbsIOp, math.TanhOp, math.SinOp, math.CosOp,
    math.Atan2Op, math.ErfOp, math.FloorOp, math.CeilOp, math.RoundEvenOp, math.PowFOp,
    ReadOp, ReadStoredOp, ReduceOp, DimSizeOp, RoundOp, ModOp, GuardOp, PresentOp,
)  # fmt: skip
"""Every op that may stand in the region of a statement, its terminator aside."""


def constant(value: bool | int | float, type: Attribute) -> arith.ConstantOp:
    """A constant of a compute type: index, i1, i32, i64 or f32."""
    if isinstance(type, IndexType | IntegerType):
        return arith.ConstantOp(IntegerAttr(int(value), type))
    assert type == f32, f"constants are f32, integers or indices, not {type}"
    return arith.ConstantOp(FloatAttr(float(value), f32))


def constant_value(value: SSAValue) -> int | float | None:
    """The number that a constant holds (i1: 0 or 1), or None for any other value."""
    owner = value.owner
    if not isinstance(owner, arith.ConstantOp):
        return None
    if isinstance(owner.value, IntegerAttr):
        held = int(owner.value.value.data)
        return held & 1 if value.type == i1 else held
    return float(owner.value.value.data) if isinstance(owner.value, FloatAttr) else None


def block_of(value: SSAValue) -> Block:
    """The block that defines `value`."""
    owner = value.owner
    block = owner if isinstance(owner, Block) else owner.parent
    assert block is not None
    return block


def _outermost(op: Operation, before: Operation) -> Operation:
    """The op before which `op` may stand as far out as its operands allow: `before` or a reduction around it."""
    defined_in = {block_of(operand) for operand in op.operands}
    anchor = before
    while isinstance(parent := anchor.parent_op(), ReduceOp) and anchor.parent not in defined_in:
        anchor = parent
    return anchor


KNOWN, DECIDED = "known", "decided"
"""Marks of conditions in the explicit form: one that holds whatever is absent of what it is computed from, and one that
one of its sides may decide alone."""


HOLDS = "holds"
"""The attribute of an op whose value is one of this element type, put together from its bits."""


CONVERSION = "conversion"
"""The mark of an op that takes a value out of its byte or puts it in: no operation of the program."""


def marked(op: Operation, mark: str) -> Operation:
    """The op with a mark."""
    op.attributes[mark] = UnitAttr()
    return op


def emit(op: Operation, before: Operation) -> SSAValue:
    """The value of `op` (of one result, without regions), put before `before` or further out where its operands
    allow it. An equal op that stands there already, or on the way out, is used instead."""
    anchor = _outermost(op, before)
    block = anchor.parent
    assert block is not None
    twin = _earlier(op, before)
    if twin is None:
        block.insert_op_before(copy_location(before, op), anchor)
        return op.results[0]
    op.erase()
    if twin.parent is not block and twin.parent in _blocks_between(before, anchor):
        twin.detach()
        block.insert_op_before(twin, anchor)
    return twin.results[0]


def emit_after(op: Operation, make: Callable[[Operation], Operation]) -> SSAValue:
    """The value of an op that `make` gives, which uses results of `op`, put behind it. `make` is given the op before
    which other ops may be put."""
    following = op.next_op
    assert following is not None, "a region ends in a terminator"
    return emit(copy_location(op, make(following)), following)


def _blocks_between(inner: Operation, outer: Operation) -> list[Block]:
    """The blocks from that of `inner` outwards, up to but without that of `outer`."""
    found: list[Block] = []
    current: Operation | None = inner
    while current is not None and current is not outer and current.parent is not None:
        found.append(current.parent)
        current = current.parent_op()
    return found


def _equal(op: Operation, other: Operation) -> bool:
    """Whether two ops without regions give the same values."""
    return (
        op.name == other.name
        and not op.regions
        and tuple(op.operands) == tuple(other.operands)
        and op.properties == other.properties
        and all((mark in op.attributes) == (mark in other.attributes) for mark in (KNOWN, DECIDED))
        and [result.type for result in op.results] == [result.type for result in other.results]
    )


def earlier_equal(op: Operation) -> Operation | None:
    """An op equal to `op` (of no regions) that stands before it in its block, or around."""
    return _earlier(op, op)


def _earlier(op: Operation, before: Operation) -> Operation | None:
    anchor: Operation | None = before
    while anchor is not None and anchor.parent is not None:
        for other in anchor.parent.ops:
            if other is anchor:
                break
            if _equal(op, other):
                return other
        parent = anchor.parent_op()
        anchor = parent if isinstance(parent, ReduceOp) else None
    return None


def index(value: int, before: Operation) -> SSAValue:
    """A constant index."""
    return emit(constant(value, IndexType()), before)


def leaves(condition: SSAValue | None) -> tuple[SSAValue, ...]:
    """The conditions that `condition` is the conjunction of; none for None."""
    if condition is None or constant_value(condition) == 1:
        return ()
    if isinstance(condition.owner, arith.AndIOp):
        return union(leaves(condition.owner.lhs), leaves(condition.owner.rhs))
    return (condition,)


def union(*several: Iterable[SSAValue]) -> tuple[SSAValue, ...]:
    """The values of all, each once, in order of first occurrence."""
    return tuple(dict.fromkeys(value for values in several for value in values))


def without(values: Iterable[SSAValue], removed: Iterable[SSAValue]) -> tuple[SSAValue, ...]:
    """The values that are not among `removed`."""
    gone = set(removed)
    return tuple(value for value in values if value not in gone)


def irredundant(conditions: Iterable[SSAValue]) -> tuple[SSAValue, ...]:
    """The conditions without those that others imply: `select c, q, true` beside q, or a clause beside one of its
    parts."""
    listed = union(conditions)
    return tuple(value for value in listed if not _implied(value, set(listed) - {value}))


def _implied(value: SSAValue, conditions: set[SSAValue]) -> bool:
    if value in conditions:
        return True
    owner = value.owner
    if isinstance(owner, arith.OrIOp):
        return any(all(_implied(leaf, conditions) for leaf in leaves(side)) for side in owner.operands)
    if not isinstance(owner, arith.SelectOp):
        return False
    if constant_value(owner.rhs) == 1:
        return _implied(owner.lhs, conditions)
    return constant_value(owner.lhs) == 1 and _implied(owner.rhs, conditions)


def conjunction(conditions: Iterable[SSAValue], before: Operation) -> SSAValue | None:
    """All of the conditions as one i1; None for none."""
    result: SSAValue | None = None
    for condition in conditions:
        result = condition if result is None else emit(arith.AndIOp(result, condition), before)
    return result


def confined(value: SSAValue, bounds: tuple[SSAValue, ...], before: Operation) -> SSAValue:
    """`value` where the bounds hold, else 0."""
    condition = conjunction(bounds, before)
    return value if condition is None else emit(arith.SelectOp(condition, value, index(0, before)), before)


def set_present(op: ReadOp | ReadStoredOp, conditions: tuple[SSAValue, ...], before: Operation | None = None) -> None:
    """Replace the condition of a read."""
    condition = conjunction(conditions, before or op)
    tensor, indices = op.tensor, tuple(op.indices)
    op.operands = [tensor, *indices, *([] if condition is None else [condition])]
    fresh = type(op)(tensor, indices, condition)
    op.properties["operandSegmentSizes"] = fresh.properties["operandSegmentSizes"]
    fresh.erase()
