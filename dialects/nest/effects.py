"""What ops do to buffers and states.

Passes ask this of every op again and again: `touches` says what is touched and written by the places of operands, and
`accesses`, which takes longer, at which indices, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from xdsl.ir import Operation, SSAValue

from hetc.dialects.nest.accumulate import (
    ArrangeOp,
    EntryOp,
    FinishOp,
    FoldOp,
    MergeOp,
    OfferedOp,
)
from hetc.dialects.nest.joining import JoinOp
from hetc.dialects.nest.memory import LoadOp, PopOp, PushOp, StoreOp
from hetc.dialects.nest.types import AccType

_TAKING = frozenset({LoadOp, FinishOp, EntryOp, OfferedOp})
_OF_TWO = frozenset({MergeOp, JoinOp, PushOp, PopOp})
_ACCESSING = _TAKING | _OF_TWO | {StoreOp, FoldOp, ArrangeOp}


class Access(NamedTuple):
    """One access to a buffer or to states. `fold`: a write that only adds an element to a state."""

    op: Operation
    target: SSAValue
    indices: tuple[SSAValue, ...]
    writes: bool
    fold: bool = False


class Touch(NamedTuple):
    """A buffer or states that an op reads or writes, wherever in them."""

    op: Operation
    target: SSAValue
    writes: bool


def ops_in(root: Operation) -> Iterator[Operation]:
    """An op and what is in it, in order. An op that was handed out may be erased before the next one is asked for."""
    yield root
    if root.regions:
        yield from inner_ops(root)


def inner_ops(root: Operation) -> Iterator[Operation]:
    """What is in an op, in order."""
    for region in root.regions:
        for block in region.blocks:
            op = block.first_op
            while op is not None:
                following = op.next_op
                yield op
                if op.regions:
                    yield from inner_ops(op)
                op = following


def accesses(op: Operation) -> Iterator[Access]:
    """What one op (not those in its regions) does to buffers and states."""
    match op:
        case LoadOp():
            yield Access(op, op.buffer, tuple(op.indices), False)
        case StoreOp():
            yield Access(op, op.buffer, tuple(op.indices), True)
        case FoldOp():
            yield Access(op, op.states, tuple(op.indices), True, fold=True)
        case MergeOp() | JoinOp():
            yield Access(op, op.part, tuple(op.part_indices), False)
            yield Access(op, op.states, tuple(op.indices), True, fold=True)
        case FinishOp() | EntryOp() | OfferedOp():
            yield Access(op, op.states, tuple(op.indices), False)
        case ArrangeOp():
            yield Access(op, op.states, tuple(op.indices), True)
        case PushOp():
            yield Access(op, op.buffer, (), False)
            yield Access(op, op.stream, (), True)
        case PopOp():
            yield Access(op, op.stream, (), True)
            yield Access(op, op.buffer, (), True)


def accesses_inside(root: Operation) -> Iterator[Access]:
    for op in ops_in(root):
        if type(op) in _ACCESSING:
            yield from accesses(op)


def touches(op: Operation) -> tuple[Touch, ...]:
    """The buffers and states that one op (not those in its regions) accesses, in the order of its accesses."""
    kind = type(op)
    if kind in _TAKING:
        return (Touch(op, op.operands[0], False),)
    if kind is FoldOp:
        return (Touch(op, next(value for value in op.operands if type(value.type) is AccType), True),)
    if kind is StoreOp:
        return (Touch(op, op.operands[1], True),)
    if kind is ArrangeOp:
        return (Touch(op, op.operands[0], True),)
    if kind not in _OF_TWO:
        return ()
    return tuple(Touch(op, access.target, access.writes) for access in accesses(op))


def touches_inside(root: Operation) -> Iterator[Touch]:
    """The same of an op and what is in it."""
    for op in ops_in(root):
        if type(op) in _ACCESSING:
            yield from touches(op)
