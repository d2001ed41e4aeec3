"""When each buffer of a step is in use: from the op that first touches it to the last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects import host


@dataclass(frozen=True)
class Lifetime:
    """A buffer, by the value that first named it, and the numbers of the ops at which it is in use. Ops count in the
    order in which they happen, those of a loop as of one pass: what is made in a pass is not read in the next."""

    buffer: SSAValue
    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        """Whether the two are in use at one time."""
        return self.first <= other.last and other.first <= self.last


def ops_in_order(step: host.StepOp) -> list[Operation]:
    """The ops of a step; those of loops and the launches of kernels behind what they are in."""
    return [op for op in step.walk() if op is not step]


def lifetimes(step: host.StepOp, start: int = 0) -> list[Lifetime]:
    """Of every value that names a buffer, in the order of the step; ops are numbered from `start`. What a kernel reads
    and writes is in use during all of its launches, scratch during those that touch it. What the caller or a memory
    gets is in use until the step ends."""
    ops = ops_in_order(step)
    numbers = {op: start + number for number, op in enumerate(ops)}
    found = []
    for op in ops:
        for value in op.results:
            if host.buffer_of(value) is value:
                spans = [_span(user, op.parent, numbers) for user in _users(value)] or [(numbers[op], numbers[op])]
                first = min(spans)[0] if isinstance(op, host.AllocateOp) else numbers[op]
                found.append(Lifetime(value, first, max(last for _, last in spans)))
    return found


def _users(value: SSAValue) -> Iterator[Operation]:
    """The ops that touch a buffer by any of its names."""
    for use in value.uses:
        yield use.operation
        for result in use.operation.results:
            if host.buffer_of(result) is host.buffer_of(value):
                yield from _users(result)


def _span(user: Operation, block: Block | None, numbers: Mapping[Operation, int]) -> tuple[int, int]:
    """The numbers between which a use counts, of a buffer made in `block`: all of a loop that it is in."""
    if isinstance(user, host.CommitOp | host.OutputOp):
        return numbers[user], max(numbers.values())
    outer = user.parent_op()
    if isinstance(user, host.LaunchOp) and outer is not None and outer.parent is block:
        return numbers[user], numbers[user]
    while user.parent is not block:
        parent = user.parent_op()
        assert parent is not None
        user = parent
    return numbers[user], max(numbers[op] for op in user.walk())
