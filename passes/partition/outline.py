"""Grouping a step's statements into kernels, and moving each group into a `task.kernel`."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Block, Operation, Region, SSAValue

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    WRITES_IN_PLACE,
    ComputeOp,
    ConstantOp,
    ForOp,
    ScatterOp,
    SelectOp,
    StepOp,
    TensorType,
    TopkOp,
    in_order,
)
from hetc.dialects.task import KernelOp, ReturnOp

STATEMENTS = (ComputeOp, TopkOp, SelectOp)
"""The statements that kernels are made of."""


def attribute(op: Operation, name: str) -> str:
    """A string attribute of `op`, "" where it has none."""
    value = op.attributes.get(name)
    return value.data if isinstance(value, StringAttr) else ""


def statements_of(step: StepOp) -> list[Operation]:
    """The placed statements of a step, in program order, those in loops among them."""
    return [op for op in in_order(step.body.block) if isinstance(op, STATEMENTS)]


def group_statements(block: Block, *, by_stage: bool = False) -> list[list[Operation]]:
    """The kernels of a block (a step's or a loop's) as lists of statements.

    A unit is a run of neighbouring statements on one device (and of one stage, where `by_stage`), with no loop between
    them. Within a unit a statement that needs a row written to a memory from a result of the same unit belongs to a
    later kernel, since such writes stand between kernels; so does one that needs a memory in which places were
    overwritten that another statement of the unit reads as they were."""
    phase: dict[Operation, tuple[int, int]] = {}
    groups: dict[tuple[int, int], list[Operation]] = {}
    unit, previous = -1, None
    for op in block.ops:
        if isinstance(op, ForOp):
            previous = None
        if not isinstance(op, STATEMENTS):
            continue
        key = (attribute(op, "device"), attribute(op, "stage") if by_stage else "")
        if key != previous:
            unit, previous = unit + 1, key
        place = (unit, max((_after(value, unit, phase) for value in captured_values([op])), default=0))
        phase[op] = place
        groups.setdefault(place, []).append(op)
    return [groups[place] for place in sorted(groups)]


def _after(value: SSAValue, unit: int, phase: dict[Operation, tuple[int, int]]) -> int:
    """The earliest phase of `unit` at which `value` can be read."""
    written = False
    pending = [value.owner]
    earliest = 0
    while pending:
        current = pending.pop()
        if isinstance(current, WRITES_IN_PLACE):
            written = True
            pending += [operand.owner for operand in current.operands]
            if isinstance(current, ScatterOp):
                readers = [statement_around(use.operation) for use in current.memory.uses]
                pending += [reader for reader in readers if isinstance(reader, STATEMENTS)]
        elif isinstance(current, Operation) and current in phase and phase[current][0] == unit:
            earliest = max(earliest, phase[current][1] + (1 if written else 0))
    return earliest


def statement_around(op: Operation) -> Operation:
    """The op of a step's (or loop's) block that `op` is, or stands in."""
    while op.parent_op() is not None and not isinstance(op.parent_op(), StepOp | ForOp):
        op = op.parent_op()  # type: ignore[assignment]
    return op


def captured_values(ops: Sequence[Operation]) -> list[SSAValue]:
    """Tensors that `ops` (statements) use from outside, each once, in order of use; constants are not among them."""
    return [value for value in _used(ops) if not isinstance(value.owner, ConstantOp)]


def _used(ops: Sequence[Operation]) -> list[SSAValue]:
    """Tensors and constants that `ops` use from outside, each once, in order of use."""
    inside = set(ops)  # what is nested in a statement makes no tensor
    values = dict.fromkeys(operand for op in ops for nested in op.walk() for operand in nested.operands)
    return [value for value in values if isinstance(value.type, TensorType) and value.owner not in inside]


def outline(ops: Sequence[Operation], name: str, device: str) -> KernelOp:
    """Move `ops` (statements of one step) into one `task.kernel` at the place of the first."""
    used = _used(ops)
    constants = [value.owner for value in used if isinstance(value.owner, ConstantOp)]
    arguments = [value for value in used if not isinstance(value.owner, ConstantOp)]
    inside = set(ops)
    used_outside = {
        result: [use for use in result.uses if not _within(use.operation, inside)]
        for op in ops
        for result in op.results
    }
    results = [value for value, uses in used_outside.items() if uses]
    block = Block(arg_types=[value.type for value in arguments])
    stages = list(dict.fromkeys(attribute(op, "stage") for op in ops))
    kernel = KernelOp(name, device, stages, arguments, Region(block), [value.type for value in results])
    parent = ops[0].parent
    assert parent is not None
    parent.insert_op_before(copy_location(ops[0], kernel), ops[0])
    mapping: dict[SSAValue, SSAValue] = dict(zip(arguments, block.args, strict=True))
    for value, argument in mapping.items():
        argument.name_hint = value.name_hint
    for constant in constants:
        block.add_op(constant.clone(mapping))
    for op in ops:
        op.detach()
        block.add_op(op)
        _replace_operands(op, mapping)
    for value, output in zip(results, kernel.outputs, strict=True):
        output.name_hint = value.name_hint
        for use in used_outside[value]:
            use.operation.operands[use.index] = output
    block.add_op(copy_location(ops[0], ReturnOp(results)))
    return kernel


def _replace_operands(op: Operation, mapping: Mapping[SSAValue, SSAValue]) -> None:
    """Let `op`, and what is nested in it, use what values are mapped to."""
    for nested in op.walk():
        for index, operand in enumerate(nested.operands):
            if operand in mapping:
                nested.operands[index] = mapping[operand]


def _within(op: Operation, ops: set[Operation]) -> bool:
    current: Operation | None = op
    while current is not None:
        if current in ops:
            return True
        current = current.parent_op()
    return False


def order_by_dependency(block: Block) -> None:
    """Reorder the ops of a block so that every value is defined before it is used, and a memory is read before places
    of it are overwritten where that is possible, else keeping their order."""
    ops = list(block.ops)
    position = {op: index for index, op in enumerate(ops)}
    before = {op: _producers(op, position) for op in ops}
    for op in ops:
        if isinstance(op, ScatterOp):
            readers = {_sibling(use.operation, block) for use in op.memory.uses} - {op}
            before[op] |= {reader for reader in readers if not _comes_after(reader, op, before)}
    waiting = {op: len(before[op]) for op in ops}
    users: dict[Operation, list[Operation]] = {}
    for op in ops:
        for producer in before[op]:
            users.setdefault(producer, []).append(op)
    ready = [position[op] for op in ops if not waiting[op]]
    heapq.heapify(ready)
    ordered: list[Operation] = []
    while ready:
        op = ops[heapq.heappop(ready)]
        ordered.append(op)
        for user in users.get(op, ()):
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(ready, position[user])
    assert len(ordered) == len(ops), "a step's kernels depend on each other in a circle"
    for op in ops:
        op.detach()
    block.add_ops(ordered)


def _sibling(op: Operation, block: Block) -> Operation:
    """The op of the block that `op` is, or stands in."""
    while op.parent is not block:
        parent = op.parent_op()
        assert parent is not None
        op = parent
    return op


def _comes_after(op: Operation, other: Operation, before: Mapping[Operation, set[Operation]]) -> bool:
    """Whether `op` needs `other` to be done."""
    seen, pending = {op}, [op]
    while pending:
        for needed in before.get(pending.pop(), ()):
            if needed is other:
                return True
            if needed not in seen:
                seen.add(needed)
                pending.append(needed)
    return False


def _producers(op: Operation, siblings: Iterable[Operation]) -> set[Operation]:
    producers = set()
    for nested in op.walk():
        for operand in nested.operands:
            if isinstance(operand.owner, Operation) and operand.owner in siblings and operand.owner is not op:
                producers.add(operand.owner)
    return producers
