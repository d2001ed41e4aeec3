"""How a value is reached: which indices an SSA value depends on, and what kind of access a read is."""

from __future__ import annotations

from xdsl.dialects.builtin import IndexType
from xdsl.ir import BlockArgument, OpResult, SSAValue

from hetc.dialects.mp import DimSizeOp, ReadOp, ReadStoredOp, ReduceOp, is_pass_number


def indices_used(value: SSAValue) -> dict[BlockArgument, None]:
    """The indices (block arguments of mp regions) that `value` depends on, in order of discovery."""
    found: dict[BlockArgument, None] = {}
    seen: set[SSAValue] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        if isinstance(current, BlockArgument):
            if isinstance(current.type, IndexType):
                found[current] = None
            continue
        assert isinstance(current, OpResult)
        owner = current.op
        if isinstance(owner, ReduceOp):
            pending.extend(owner.yielded.operands)
            inner = owner.body.block.args[0]
            seen.add(inner)
        if isinstance(owner, ReadOp | ReadStoredOp):
            pending.extend(owner.indices)
            if owner.present is not None:
                pending.append(owner.present)
        else:
            pending.extend(owner.operands)
    return found


def is_indirect(index: SSAValue) -> bool:
    """Whether an index comes from data: somewhere on the way to it a tensor is read."""
    pending, seen = [index], set[SSAValue]()
    while pending:
        current = pending.pop()
        if current in seen or isinstance(current, BlockArgument):
            continue
        seen.add(current)
        assert isinstance(current, OpResult)
        if isinstance(current.op, ReadOp | ReadStoredOp | ReduceOp):
            if isinstance(current.op, ReadOp) and is_pass_number(current.op.tensor):
                continue  # the same for all of a pass
            return True
        if not isinstance(current.op, DimSizeOp):
            pending.extend(current.op.operands)
    return False


def access_kind(read: ReadOp | ReadStoredOp) -> str:
    """affine (plain indices), blocked (other affine arithmetic), gather (an index from data) or sparse."""
    if isinstance(read, ReadStoredOp):
        return "sparse"
    if any(is_indirect(index) for index in read.indices):
        return "gather"
    return "affine" if all(isinstance(index, BlockArgument) for index in read.indices) else "blocked"
