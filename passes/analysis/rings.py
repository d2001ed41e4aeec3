"""Ring memories: which indices of a step's values run over a ring's slots, and which reads go over them.

A ring has a constant extent, which says nothing of where it comes from: what is as long as a bank is known by the
indices with which it was made.
"""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects import arith
from xdsl.ir import SSAValue

from hetc.dialects.mp import (
    CommitOp,
    ComputeOp,
    GetOp,
    RangedOp,
    ReadOp,
    ReadStoredOp,
    StepOp,
    YieldOp,
    enclosing_pipeline,
    in_order,
)
from hetc.passes.analysis.access import indices_used, is_indirect

Slots = Mapping[SSAValue, frozenset[int]]
"""The positions, among a value's extents, of those that count the slots of a ring memory. Others are not in it."""


def slots_of(step: StepOp) -> Slots:
    """Which values of a step are as long as a ring: the ring itself, its new contents, and what is computed slot by
    slot from such a value."""
    rings = {
        name: frozenset({declaration.ring.value.data})
        for name, declaration in enclosing_pipeline(step).declarations.items()
        if declaration.ring is not None
    }
    found: dict[SSAValue, frozenset[int]] = {}
    if not rings:
        return found
    for op in in_order(step.body.block):
        if isinstance(op, CommitOp) and op.declared.data in rings:
            found[op.value] = rings[op.declared.data]
    for op in in_order(step.body.block):
        if isinstance(op, GetOp) and op.declared.data in rings:
            found[op.result] = rings[op.declared.data]
        elif isinstance(op, ComputeOp) and op.result not in found and (places := _slot_by_slot(op, found)):
            found[op.result] = places
    return found


def _slot_by_slot(op: ComputeOp, slots: Slots) -> frozenset[int]:
    """Positions of the op's indices that stand alone where a slot is read."""
    alone = {
        read.indices[place]
        for read in op.walk()
        if isinstance(read, ReadOp | ReadStoredOp)
        for place in slots.get(read.tensor, ())
    }
    return frozenset(place for place, argument in enumerate(op.body.block.args) if argument in alone)


def goes_over_slots(read: ReadOp | ReadStoredOp, slots: Slots) -> bool:
    """Whether a read goes from slot to slot, as a scan goes from row to row: the slot depends on an index, and not on
    data (a gather is as long as what it picks). What an update keeps of a ring is not gone over: it stays as it is."""
    places = slots.get(read.tensor, ())
    over = any(indices_used(read.indices[place]) and not is_indirect(read.indices[place]) for place in places)
    return over and not _kept(read)


def _kept(read: ReadOp | ReadStoredOp) -> bool:
    """Whether this is the old element that an update leaves where it writes no new one: a branch of the choice that
    becomes the memory's new contents."""
    value = read.results[0]
    if not value.has_one_use():
        return False
    choice = next(iter(value.uses)).operation
    if not isinstance(choice, arith.SelectOp) or choice.cond is value or not choice.result.has_one_use():
        return False
    end = next(iter(choice.result.uses)).operation
    statement = end.parent_op()
    if not isinstance(end, YieldOp) or not isinstance(statement, RangedOp):
        return False
    return any(isinstance(use.operation, CommitOp) for result in statement.results for use in result.uses)
