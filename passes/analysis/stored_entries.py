"""Which reductions may visit stored entries only, and what changes with their index."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.ir import Block, SSAValue

from hetc.dialects.mp import ReadStoredOp, ReduceOp


def stored_only(op: ReduceOp) -> ReadStoredOp | None:
    """The sparse read whose unstored entries the reduction skips: its column is the reduction's index, its row does
    not depend on it, and the yield's condition implies that the entry is stored."""
    present = op.yielded.present
    if present is None:
        return None
    block = op.body.block
    varying = varying_in(block)
    for condition in conjuncts(present):
        read = condition.owner
        if (
            isinstance(read, ReadStoredOp)
            and condition is read.stored
            and read.parent_block() is block
            and read.indices[1] is block.args[0]
            and read.indices[0] not in varying
            and (read.present is None or read.present not in varying)
        ):
            return read
    return None


def conjuncts(condition: SSAValue) -> list[SSAValue]:
    """The conditions that `arith.andi` joins."""
    if isinstance(condition.owner, arith.AndIOp):
        return conjuncts(condition.owner.lhs) + conjuncts(condition.owner.rhs)
    return [condition]


def varying_in(block: Block) -> set[SSAValue]:
    """The values of a reduction's body that change with its index."""
    found: set[SSAValue] = {block.args[0]}
    for op in block.ops:
        inside = (value for nested in op.walk() for value in nested.operands)
        if any(value in found for value in inside):
            found.update(op.results)
    return found


def depends_on(value: SSAValue, block: Block) -> bool:
    """Whether the value is made inside the block (or a region of it)."""
    owner = value.owner
    current: Block | None = owner if isinstance(owner, Block) else owner.parent_block()
    while current is not None:
        if current is block:
            return True
        parent = current.parent_op()
        current = parent.parent_block() if parent is not None else None
    return False
