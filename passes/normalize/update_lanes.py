"""The indices of an mp.update: which of them a place of the memory gives, and reductions over the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith
from xdsl.ir import Attribute, Operation, Region, SSAValue

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import RangeAttr, ReduceOp, TensorType, UpdateOp, YieldOp, extent_key, index_block
from hetc.passes.emission import constant, constant_value
from hetc.passes.normalize.region_presence import Conditions, replace_yield
from hetc.passes.rebuild import arguments_of

Mapping = dict[SSAValue, SSAValue]
Term = Callable[[YieldOp, Mapping], tuple[SSAValue, Conditions]]
"""(the end of the innermost region, what the update's indices are there) -> a lane's value and conditions."""


def offset_from(value: SSAValue, argument: SSAValue) -> int | None:
    """c where the value is `argument + c`, None where it is something else."""
    if value is argument:
        return 0
    owner = value.owner
    if not isinstance(owner, arith.AddiOp | arith.SubiOp):
        return None
    sign = 1 if isinstance(owner, arith.AddiOp) else -1
    pairs: Sequence[tuple[SSAValue, SSAValue]] = [(owner.lhs, owner.rhs)]
    if sign == 1:
        pairs = [*pairs, (owner.rhs, owner.lhs)]
    for first, second in pairs:
        shift = constant_value(second)
        if first is argument and isinstance(shift, int):
            return sign * shift
    return None


def reduce_lanes(
    op: UpdateOp,
    positions: Sequence[int],
    kind: str,
    type: Attribute,
    mapping: Mapping,
    before: YieldOp,
    row: Callable[[SSAValue, Operation], SSAValue],
    term: Term,
) -> SSAValue:
    """A reduction over the update's indices at `positions` (some), outer ones first, put before the end of a region.
    `mapping` gives what the other indices are there; `row` what an index is as the row that an extent is per."""
    mapping, outermost = dict(mapping), None
    for position in positions:
        item = op.index_ranges[position]
        per = None
        if item.per_position is not None:
            per = row(mapping[op.body.block.args[item.per_position]], before)
        body = index_block([RangeAttr(item.index, item.extent)])
        neutral = copy_location(op, constant(0, type))
        end = copy_location(op, YieldOp(neutral.results[0]))
        body.add_ops([neutral, end])
        made = ReduceOp(kind, RangeAttr(item.index, item.extent), Region(body), type, per)
        block = before.parent
        assert block is not None
        block.insert_op_before(copy_location(op, made), before)
        if outermost is None:
            outermost = made.result
        else:
            replace_yield(before, made.result, ())
        mapping[op.body.block.args[position]], before = body.args[0], end
    value, conditions = term(before, mapping)
    replace_yield(before, value, conditions)
    assert outermost is not None
    return outermost


def piece_of(op: UpdateOp) -> tuple[int, ...]:
    """The positions of the indices that run over the memory's last, constant, extents as a whole, in the memory's
    order: nothing that decides where, or whether, is written depends on them."""
    arguments, put, type_ = op.body.block.args, op.put, op.memory.type
    assert isinstance(type_, TensorType)
    found: list[int] = []
    for axis in reversed(range(type_.rank)):
        value, extent = put.indices[axis], type_.shape[axis]
        others = (*put.indices[:axis], *([] if put.present is None else [put.present]))
        position = next((at for at, argument in enumerate(arguments) if value is argument), None)
        if position is None or extent != extent_key(op.index_ranges[position].extent) or not isinstance(extent, int):
            break
        if any(value in arguments_of(other) for other in others):
            break
        found.insert(0, position)
    return tuple(found)


def owners_first(op: UpdateOp, positions: Sequence[int]) -> tuple[int, ...]:
    """The positions in order, but each index after the one that its extent is per."""
    found: dict[int, None] = {}
    for position in positions:
        owner = op.index_ranges[position].per_position
        if owner is not None:
            found.setdefault(owner)
        found.setdefault(position)
    return tuple(found)
