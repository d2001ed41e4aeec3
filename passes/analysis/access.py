"""How a value is reached: which indices an SSA value depends on, and what kind of access a read is."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType
from xdsl.ir import BlockArgument, OpResult, SSAValue

from hetc.dialects.mp import DimSizeOp, ReadOp, ReadStoredOp, ReduceOp, TensorType, is_pass_number
from hetc.passes.emission import constant_value


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


def touched(read: ReadOp | ReadStoredOp) -> dict[BlockArgument, float]:
    """The indices that a read goes through, and the share of each one's values that reach another element: where `i`
    stands as `i // 8`, and nowhere else, an eighth."""
    found: dict[BlockArgument, float] = {}
    for index in read.indices:
        divided = _divided(index)
        for argument in indices_used(index):
            share = 1.0 if divided is None or argument in found else divided
            found[argument] = share
    return found


def _divided(index: SSAValue) -> float | None:
    """1 / n of an index that is `i // n`; None for any other."""
    if not isinstance(index, OpResult) or not isinstance(index.op, arith.FloorDivSIOp | arith.ShRSIOp):
        return None
    number = constant_value(index.op.rhs)
    if not isinstance(index.op.lhs, BlockArgument) or not isinstance(number, int) or number < 1:
        return None
    return 1 / number if isinstance(index.op, arith.FloorDivSIOp) else 0.5**number


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
    indices, type_ = list(read.indices), read.tensor.type
    if isinstance(type_, TensorType) and type_.coded is not None and indices and _divided(indices[-1]) is not None:
        indices.pop()  # values of a row, in the order in which its bytes hold them
    return "affine" if all(isinstance(index, BlockArgument) for index in indices) else "blocked"
