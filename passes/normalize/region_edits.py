"""Ops of a region put in the place of others."""

from __future__ import annotations

from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import Rewriter

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import YieldOp
from hetc.passes.emission import conjunction, earlier_equal
from hetc.passes.normalize.in_range import Conditions
from hetc.passes.rebuild import replace


def replace_yield(end: YieldOp, value: SSAValue, conditions: Conditions) -> None:
    """End the region with `value`, present where all of the conditions hold."""
    fresh = YieldOp(value, conjunction(conditions, end))
    block = end.parent
    assert block is not None
    block.insert_op_before(copy_location(end, fresh), end)
    Rewriter.erase_op(end)


def replaced_by(op: Operation, made: Operation) -> Operation:
    """`made`, in the place of `op`."""
    block = op.parent
    assert block is not None
    block.insert_op_before(copy_location(op, made), op)
    replace(op, made, {})
    return made


def merged(op: Operation) -> Operation:
    """An op equal to `op` that stands before it, which then takes its place; or `op`."""
    twin = earlier_equal(op)
    if twin is None:
        return op
    replace(op, twin, {})
    return twin
