"""Building inside the regions of statements: emitting without repeats, cloning slices, hoisting, erasing.

Every op of a region is pure (reads have no effect), so an op may move outwards to any block that its operands reach.
New ops take the location of the op that they are made for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import FloatAttr, IndexType, IntegerAttr, IntegerType, f32, i1
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.rewriter import Rewriter

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    DimSizeOp,
    GuardOp,
    ModOp,
    RangedOp,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    RoundOp,
)

REGION_OPS: tuple[type[Operation], ...] = (
    arith.ConstantOp, arith.AddfOp, arith.SubfOp, arith.MulfOp, arith.DivfOp, arith.NegfOp, arith.MaximumfOp,
    arith.MinimumfOp, arith.CmpfOp, arith.CmpiOp, arith.AddiOp, arith.SubiOp, arith.MuliOp, arith.FloorDivSIOp,
    arith.MaxSIOp, arith.MinSIOp, arith.AndIOp, arith.OrIOp, arith.XOrIOp, arith.ShLIOp, arith.ShRUIOp,
    arith.SelectOp, arith.SIToFPOp, arith.FPToSIOp, arith.IndexCastOp, arith.ExtSIOp, arith.TruncIOp, arith.ExtUIOp,
    arith.BitcastOp,
    math.ExpOp, math.LogOp, math.SqrtOp, math.RsqrtOp, math.AbsFOp, math.AbsIOp, math.TanhOp, math.SinOp, math.CosOp,
    math.Atan2Op, math.ErfOp, math.FloorOp, math.CeilOp, math.RoundEvenOp, math.PowFOp,
    ReadOp, ReadStoredOp, ReduceOp, DimSizeOp, RoundOp, ModOp, GuardOp,
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


def statement_of(op: Operation) -> RangedOp:
    """The statement in whose region `op` stands."""
    current = op.parent_op()
    while not isinstance(current, RangedOp):
        assert current is not None, f"{op.name} stands in no statement"
        current = current.parent_op()
    return current


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


def emit(op: Operation, before: Operation) -> SSAValue:
    """The value of `op` (of one result, without regions), put before `before` or further out where its operands
    allow it. An equal op that stands there already is used instead."""
    anchor = _outermost(op, before)
    block = anchor.parent
    assert block is not None
    for other in block.ops:
        if other is anchor:
            break
        if _equal(op, other):
            op.erase()
            return other.results[0]
    block.insert_op_before(copy_location(before, op), anchor)
    return op.results[0]


def _equal(op: Operation, other: Operation) -> bool:
    return (
        op.name == other.name
        and not other.regions
        and tuple(op.operands) == tuple(other.operands)
        and op.properties == other.properties
        and [result.type for result in op.results] == [result.type for result in other.results]
    )


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


def conjunction(conditions: Iterable[SSAValue], before: Operation) -> SSAValue | None:
    """All of the conditions as one i1; None for none."""
    result: SSAValue | None = None
    for condition in conditions:
        result = condition if result is None else emit(arith.AndIOp(result, condition), before)
    return result


def negation(condition: SSAValue, before: Operation) -> SSAValue:
    """True where `condition` is false."""
    return emit(arith.XOrIOp(condition, emit(constant(True, i1), before)), before)


def mentions(value: SSAValue, argument: SSAValue) -> bool:
    """Whether `value` is an expression of the index `argument`."""
    return argument in _arguments(value)


def _arguments(value: SSAValue) -> set[SSAValue]:
    """The block arguments that `value` depends on, apart from those of reductions inside of it."""
    seen: set[Operation] = set()
    found: set[SSAValue] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        owner = current.owner
        if isinstance(owner, Block):
            found.add(current)
        elif owner not in seen:
            seen.add(owner)
            for nested in owner.walk():
                pending.extend(nested.operands)
    inner = {argument for op in seen for nested in op.walk() for r in nested.regions for argument in r.block.args}
    return found - inner


def arguments_of(value: SSAValue) -> set[SSAValue]:
    """The indices that `value` is an expression of."""
    return _arguments(value)


def hoist(value: SSAValue, out_of: ReduceOp) -> None:
    """Move the definition of `value`, and what it needs, out of the region of `out_of`, whose index it must not
    mention."""
    owner = value.owner
    if isinstance(owner, Block) or owner.parent is not out_of.body.block:
        return
    for nested in list(owner.walk()):
        for operand in nested.operands:
            hoist(operand, out_of)
    block = out_of.parent
    assert block is not None
    owner.detach()
    block.insert_op_before(owner, out_of)


def contains_reduction(value: SSAValue) -> bool:
    """Whether computing `value` needs a reduction."""
    owner = value.owner
    if isinstance(owner, Block) or not isinstance(owner.parent_op(), RangedOp | ReduceOp):
        return False
    return isinstance(owner, ReduceOp) or any(contains_reduction(operand) for operand in owner.operands)


@dataclass(frozen=True)
class Confinement:
    """The conditions under which some indices are in range: all of them, and those of each index that is not in range
    in any case. What is computed at these indices may dereference only where the conditions hold."""

    conditions: tuple[SSAValue, ...] = ()
    of_index: Mapping[SSAValue, tuple[SSAValue, ...]] = field(default_factory=dict)

    def row(self, value: SSAValue, before: Operation) -> SSAValue:
        """`value`, for use as the row whose length is asked for: 0 where it may be out of range."""
        return confined(value, self.of_index.get(value, self.conditions), before)


def clone_expression(
    value: SSAValue, mapping: dict[SSAValue, SSAValue], before: Operation, bounds: Confinement = Confinement()
) -> SSAValue:
    """Clone what `value` is computed from, up to the keys of `mapping` (indices, usually) and to what stands
    outside of any region. Reads are guarded, and rows confined, by the `bounds` of the mapped indices."""
    if value in mapping:
        return mapping[value]
    owner = value.owner
    if isinstance(owner, Block) or not isinstance(owner.parent_op(), RangedOp | ReduceOp):
        return value
    for operand in {operand for nested in owner.walk() for operand in nested.operands}:
        if not _defined_inside(operand, owner):
            mapping[operand] = clone_expression(operand, mapping, before, bounds)
    copied = owner.clone(value_mapper=dict(mapping))
    for source, target in zip(owner.walk(), copied.walk(), strict=True):
        target.location = source.location
    if bounds.conditions:
        _confine(copied, bounds, before)
    position = owner.results.index(value)  # type: ignore[arg-type]
    if len(copied.results) == 1 and not copied.regions:
        mapping[value] = emit(copied, before)
        return mapping[value]
    block = before.parent
    assert block is not None
    block.insert_op_before(copied, before)
    mapping.update(zip(owner.results, copied.results, strict=True))
    return copied.results[position]


def _defined_inside(value: SSAValue, op: Operation) -> bool:
    current: Operation | None = value.owner if isinstance(value.owner, Operation) else value.owner.parent_op()
    while current is not None:
        if current is op:
            return not (value.owner is op)
        current = current.parent_op()
    return False


def _confine(copied: Operation, bounds: Confinement, before: Operation) -> None:
    for op in copied.walk():
        if isinstance(op, ReadOp | ReadStoredOp):
            set_present(op, union(bounds.conditions, leaves(op.present)), before)
        elif isinstance(op, DimSizeOp | ReduceOp) and op.per is not None:
            op.operands[0] = bounds.row(op.per, before)


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


def inline_region(block: Block, mapping: Mapping[SSAValue, SSAValue], before: Operation) -> dict[SSAValue, SSAValue]:
    """Clone the ops of `block` (its terminator aside) before `before`, its arguments replaced as `mapping` says.
    Returns the whole map from old to new values."""
    values = dict(mapping)
    target = before.parent
    assert target is not None
    for op in block.ops:
        if op is block.last_op:
            break
        copied = op.clone(value_mapper=values)
        for source, made in zip(op.walk(), copied.walk(), strict=True):
            made.location = source.location
        target.insert_op_before(copied, before)
        values.update(zip(op.results, copied.results, strict=True))
    return values


def erase_unused(block: Block) -> None:
    """Erase the ops of `block`, and of the reductions in it, whose results nobody uses."""
    for op in reversed(list(block.ops)):
        if op is block.last_op:
            continue
        if not any(result.uses for result in op.results):
            Rewriter.erase_op(op)
        elif isinstance(op, ReduceOp):
            erase_unused(op.body.block)
