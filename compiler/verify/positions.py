"""What a pipeline does with the integers of a declared tensor: whether they say where something lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from xdsl.dialects.builtin import IndexType, IntegerType
from xdsl.ir import Operation, SSAValue, Use

from hetc.dialects.mp import (
    AppendOp,
    CommitOp,
    ForOp,
    GetOp,
    NextOp,
    PipelineOp,
    PutOp,
    ReadOp,
    ReadStoredOp,
    TensorType,
)

Extent = int | str

# What hands an integer on as it is.
_UNCHANGED = ("arith.index_cast", "arith.extsi", "arith.select", "mp.guard", "mp.put", "mp.update", "mp.yield")


@dataclass
class Positions:
    """reached: whether the integers, or what is computed from them, index something or say where it is written.
    extents: what they index as they are."""

    reached: bool = False
    extents: set[Extent] = field(default_factory=set)


def positions(pipeline: PipelineOp, name: str) -> Positions:
    """The uses of a declared tensor's integers as positions, in any step and through memories."""
    gets = [op for op in pipeline.walk() if isinstance(op, GetOp)]
    found = Positions()
    seen: set[tuple[SSAValue, bool]] = set()
    pending: list[tuple[SSAValue, bool]] = [(op.result, True) for op in gets if op.declared.data == name]
    while pending:
        value, plain = pending.pop()
        if (value, plain) in seen or not _holds_integers(value):
            continue
        seen.add((value, plain))
        for use in value.uses:
            extent = _indexed(use)
            if extent is not None:
                found.reached = True
                found.extents |= {extent} if plain else set()
            if isinstance(use.operation, CommitOp):
                stored = use.operation.declared.data
                pending += [(op.result, plain) for op in gets if op.declared.data == stored]
            pending += [(result, plain and use.operation.name in _UNCHANGED) for result in _computed_from(use)]
            pending += [(result, plain) for result in _carried_from(use)]
    return found


def _holds_integers(value: SSAValue) -> bool:
    element = value.type.element if isinstance(value.type, TensorType) else value.type
    return isinstance(element, IndexType) or (isinstance(element, IntegerType) and element.width.data > 1)


def _indexed(use: Use) -> Extent | None:
    """The extent that a use indexes: of a read, of what is written, of the rows that a sparse memory counts."""
    op, value = use.operation, use.operation.operands[use.index]
    if isinstance(op, ReadOp | ReadStoredOp) and use.index > 0 and value in op.indices:
        return _shape(op.tensor)[list(op.indices).index(value)]
    if isinstance(op, PutOp) and use.index > 0 and value in op.indices:
        memory = op.parent_op()
        assert memory is not None
        return _shape(memory.operands[0])[list(op.indices).index(value)]
    if isinstance(op, AppendOp) and use.index == 1 and op.memory.type.is_sparse:  # type: ignore[attr-defined]
        return _shape(op.memory)[0]
    return None


def _shape(tensor: SSAValue) -> tuple[Extent, ...]:
    assert isinstance(tensor.type, TensorType)
    return tensor.type.shape


def _computed_from(use: Use) -> Iterator[SSAValue]:
    """What an operation of a region makes of the value; the end of a region gives its statement's results."""
    op = use.operation
    if isinstance(op, ReadOp | ReadStoredOp | AppendOp | ForOp | NextOp | CommitOp):
        return
    if op.name == "mp.yield" or (isinstance(op, PutOp) and use.index == 0):
        owner = op.parent_op()
        yield from owner.results if owner is not None else ()
    else:
        yield from op.results


def _carried_from(use: Use) -> Iterator[SSAValue]:
    """The value itself elsewhere: read, appended to a memory, carried by a loop."""
    op: Operation = use.operation
    match op:
        case ReadOp() | ReadStoredOp() if use.index == 0:
            yield op.results[0]
        case AppendOp() if use.index == 0 or not op.memory.type.is_sparse:  # type: ignore[attr-defined]
            yield op.result
        case ForOp():
            yield from (inner for inner, outer in op.arguments.items() if outer is op.operands[use.index])
        case NextOp():
            loop = op.parent_op()
            assert isinstance(loop, ForOp)
            yield loop.outputs[use.index]
            if use.index < len(op.carried):
                yield loop.carried_arguments[use.index]
