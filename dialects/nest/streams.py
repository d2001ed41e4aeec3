"""The rules of streams.

A stream joins two ops of the block that it is declared in, one that pushes in one place, and a later one that pops in
one place. As many rows go in as come out. So streams go round in no circle, and carrying the ops out one after the
other gives what carrying them out at the same time does. Two streams that fork and join again need depth for that: the
depth is a device's matter, the meaning has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp import DimSizeOp
from hetc.dialects.nest.memory import PopOp, PushOp
from hetc.dialects.nest.structure import ForOp
from hetc.dialects.nest.types import STREAM, BufferType


def verify_streams(kernel: Operation) -> None:
    """Raises VerifyException where a rule of the module's docstring is broken in a kernel."""
    for block in dict.fromkeys(op.parent for op in kernel.walk() if _makes_stream(op)):
        assert block is not None
        _verify_block(block)


def _makes_stream(op: Operation) -> bool:
    return any(isinstance(result.type, BufferType) and result.type.where == STREAM for result in op.results)


def _verify_block(block: Block) -> None:
    for stream in [op.results[0] for op in block.ops if _makes_stream(op)]:
        users = [use.operation for use in stream.uses]
        pushes = [op for op in users if isinstance(op, PushOp)]
        pops = [op for op in users if isinstance(op, PopOp)]
        name = stream.name_hint or "a stream"
        if len(pushes) != 1 or len(pops) != 1:
            raise VerifyException(f"nest.phase: {name} is pushed in one place and popped in one")
        if _rows(pushes[0], block) is None or _rows(pushes[0], block) != _rows(pops[0], block):
            raise VerifyException(f"nest.phase: as many rows go into {name} as come out")
        pushing, popping = _at_level(pushes[0], block), _at_level(pops[0], block)
        if block.get_operation_index(pushing) >= block.get_operation_index(popping):
            raise VerifyException(f"nest.phase: the op that pushes {name} comes before the one that pops it")


def _at_level(op: Operation, block: Block) -> Operation:
    """The op of a block that an op is, or stands in."""
    while op.parent is not block:
        outer = op.parent_op()
        assert outer is not None
        op = outer
    return op


def _rows(op: Operation, block: Block) -> tuple[int, Counter[Hashable]] | None:
    """How often an op runs each time that a block around it does: a number, times the passes of loops whose limits are
    known only when the kernel runs. None where that depends on more than loops."""
    number, loops = 1, Counter[Hashable]()
    while op.parent is not block:
        outer = op.parent_op()
        if not isinstance(outer, ForOp):
            return None
        lower, upper, step = _key(outer.lower), _key(outer.upper), outer.step_size
        if isinstance(lower, int) and isinstance(upper, int):
            number *= max(0, -(-(upper - lower) // step))
        else:
            loops[(lower, upper, step)] += 1
        op = outer
    return number, loops


def _key(value: SSAValue) -> Hashable:
    """What two values have in common that are always equal: a number, a dim's size, or the value itself."""
    owner = value.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
        return owner.value.value.data
    if isinstance(owner, DimSizeOp):
        return (owner.dim.data, None if owner.per is None else _key(owner.per))
    return value
