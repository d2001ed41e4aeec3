"""What the values of a statement's region depend on: read only, computed once a statement."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.dialects import arith
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects.mp import RangedOp, ReadStoredOp, ReduceOp, TensorType, YieldOp

Indices = frozenset[SSAValue]


def outside_values(op: Operation) -> Iterator[SSAValue]:
    """The values, tensors apart, that `op` and what is nested in it use from outside of it."""
    inside: set[SSAValue] = {result for nested in op.walk() for result in nested.results}
    inside |= {argument for nested in op.walk() for region in nested.regions for argument in region.block.args}
    for nested in op.walk():
        for operand in nested.operands:
            if operand not in inside and not isinstance(operand.type, TensorType):
                yield operand


def conjuncts(condition: SSAValue) -> Iterator[SSAValue]:
    """The conditions whose conjunction `condition` is."""
    if isinstance(condition.owner, arith.AndIOp):
        yield from conjuncts(condition.owner.lhs)
        yield from conjuncts(condition.owner.rhs)
    else:
        yield condition


def stored_row(op: ReduceOp) -> ReadStoredOp | None:
    """The read of a sparse tensor's row over whose stored entries alone the reduction may run: its elements count
    only where that read found an entry, and the row is the same for every element."""
    if op.yielded.present is None:
        return None
    body = op.body.block
    for condition in conjuncts(op.yielded.present):
        read = condition.owner
        if not isinstance(read, ReadStoredOp) or condition is not read.stored or read.parent is not body:
            continue
        row, column = read.indices
        if column is body.args[0] and not _is_inside(row, body):
            return read
    return None


def _is_inside(value: SSAValue, block: Block) -> bool:
    owner = value.owner
    current: Block | None = owner if isinstance(owner, Block) else owner.parent
    while current is not None:
        if current is block:
            return True
        parent = current.parent_op()
        current = parent.parent if parent is not None else None
    return False


class Dependencies:
    """The indices that each value of a statement's region varies with.

    An index of a run-time dim that is per another varies with that one too: its extent does. A reduction's own
    index is not among what its result varies with."""

    def __init__(self, statement: RangedOp):
        self.of: dict[SSAValue, Indices] = {}
        arguments = statement.body.block.args
        for argument, item in zip(arguments, statement.index_ranges, strict=True):
            per = item.per_position
            self.of[argument] = frozenset((argument,) if per is None else (argument, arguments[per]))
        self._block(statement.body.block)

    def _block(self, block: Block) -> None:
        for op in block.ops:
            if isinstance(op, ReduceOp):
                self._reduce(op)
            elif not isinstance(op, YieldOp):
                found = self.union(op.operands)
                for result in op.results:
                    self.of[result] = found

    def _reduce(self, op: ReduceOp) -> None:
        index = op.body.block.args[0]
        around = self.union([op.per] if op.per is not None else [])
        row = stored_row(op)
        if row is not None:
            around |= self.of[row.indices[0]]
        self.of[index] = around | {index}
        self._block(op.body.block)
        inside = self.union(op.yielded.operands) | around
        self.of[op.result] = inside - {index}

    def union(self, values: object) -> Indices:
        """The indices that any of the values (tensors apart) varies with."""
        found: Indices = frozenset()
        for value in values:  # type: ignore[attr-defined]
            if not isinstance(value.type, TensorType):
                found |= self.of[value]
        return found
