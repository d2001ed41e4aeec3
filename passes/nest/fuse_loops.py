"""Loops of one range as one loop: a value is then used where it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.passes.nest.cost import CORE_CACHE_BYTES
from hetc.passes.nest.moving import (
    Order,
    blocks_of,
    is_taken,
    is_value,
    kernels_on,
    phases_of,
    same_value,
    written_in,
)
from hetc.passes.nest.reuse import evict_each_other
from hetc.passes.nest.sharing import shared_as_before


@dataclass(frozen=True)
class FuseLoopsPass(ModulePass):
    """Join phases whose loops have the same range and may run at the same time before and after, then the loops inside
    of them that have the same range, wherever what they share is that of one pass, unless passes taken in turns evict
    what each of them reads again from a cache of `cache_bytes`. What stands between two loops moves in front or behind.
    Nothing is computed twice, no loop whose passes were independent gets some that are not, and phases that threads
    share by loops inside of a batch stay apart where those cannot be one.

    Before: any verified nest.kernel on one of `devices`. After: no two loops could be one without passes that meet.

        nest.phase { nest.for %b { ... store %v in %s[%b] } }
        nest.phase { nest.for %c { %w = load %s[%c] ... } }   ->   nest.phase { nest.for %b { ... store ; load ... } }
    """

    name = "fuse-loops"
    devices: tuple[str, ...] = ("cpu",)
    cache_bytes: int = CORE_CACHE_BYTES

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels_on(op, self.devices):
            fuse(kernel, self.cache_bytes)


def fuse(kernel: nest.KernelOp, cache_bytes: int = CORE_CACHE_BYTES) -> None:
    """The phases of one kernel, and the loops inside of those that may run at the same time."""
    order = Order()
    parallel = {
        loop for phase in phases_of(kernel) if (loop := _only_loop(phase)) is not None and _may_be_parallel(loop)
    }
    for phase in phases_of(kernel):
        _join(phase, parallel, order, cache_bytes)
    for phase in phases_of(kernel):
        for op in phase.block.ops:
            if isinstance(op, nest.ForOp) and (op in parallel or _may_be_parallel(op)):
                _fuse_inside(op.block, order, cache_bytes)


def _may_be_parallel(loop: nest.ForOp) -> bool:
    return loop.most_passes > 1 and nest.dependence(loop) is None


# Phases


def _join(phase: nest.PhaseOp, parallel: set[nest.ForOp], order: Order, cache_bytes: int) -> None:
    """Put the ops of a phase into an earlier one, if there is one with which it can share its loop."""
    own = _only_loop(phase)
    if own is None or own not in parallel:
        return
    earlier = phase.prev_op
    while earlier is not None:
        loop = _only_loop(earlier) if isinstance(earlier, nest.PhaseOp) else None
        if (
            loop in parallel
            and _is_joinable(loop, own, order)  # type: ignore[arg-type]
            and shared_as_before(loop, own, cache_bytes)  # type: ignore[arg-type]
            and _bring_together(earlier, phase, order)
        ):
            _append(earlier, phase, order)
            _bring_together(loop, own, order)  # type: ignore[arg-type]
            _fuse(loop, own, order)  # type: ignore[arg-type]
            return
        earlier = earlier.prev_op


def _only_loop(phase: nest.PhaseOp) -> nest.ForOp | None:
    """The loop that a phase is, values and loads aside."""
    others = [op for op in phase.block.ops if not is_value(op) and not is_taken(op)]
    return others[0] if len(others) == 1 and isinstance(others[0], nest.ForOp) else None


def _is_joinable(first: nest.ForOp, second: nest.ForOp, order: Order) -> bool:
    """Whether the loops of two phases can be one, nothing beside one of them uses what the other one writes, and
    nothing would have to wait for a parallel loop in one of them."""
    if not _ranges_agree(first, second):
        return False
    for loop, other in ((first, second), (second, first)):
        phase = loop.parent_op()
        assert phase is not None
        beside = {value for op in phase.regions[0].block.ops if is_taken(op) for value in order.touched(op)}
        if beside & order.written(other) or _written_in_parallel(loop) & order.touched(other):
            return False
    return _is_fusable(first, second, order)


def _written_in_parallel(loop: nest.ForOp) -> set[SSAValue]:
    """What the parallel loops inside of a loop write."""
    inner = [
        op for op in nest.ops_in(loop) if isinstance(op, nest.ForOp) and op is not loop and op.is_bound(nest.PARALLEL)
    ]
    return {target for op in inner for target in written_in(op)}


# Loops


def _fuse_inside(block: Block, order: Order, cache_bytes: int) -> None:
    for op in list(block.ops):
        if isinstance(op, nest.ForOp):
            before = op.prev_op
            while before is not None:
                if isinstance(before, nest.ForOp) and _is_fusable(before, op, order):
                    keeps = not evict_each_other(before, op, cache_bytes)
                    if keeps and _bring_together(before, op, order):
                        _fuse(before, op, order)
                        break
                before = before.prev_op
    for op in list(block.ops):
        for inner in blocks_of(op):
            _fuse_inside(inner, order, cache_bytes)


def _is_fusable(first: nest.ForOp, second: nest.ForOp, order: Order) -> bool:
    if not _ranges_agree(first, second):
        return False
    return not order.needs(second, first) or nest.fused_dependence(first, second) is None


def _ranges_agree(first: nest.ForOp, second: nest.ForOp) -> bool:
    bounds = ((first.lower, second.lower), (first.upper, second.upper))
    return first.properties == second.properties and all(same_value(one, other) for one, other in bounds)


def _fuse(first: nest.ForOp, second: nest.ForOp, order: Order) -> None:
    """Put the ops of a loop at the end of an earlier one that it may follow at once."""
    second.index.replace_all_uses_with(first.index)
    _append(first, second, order)


def _append(first: Operation, second: Operation, order: Order) -> None:
    """Move the ops of a phase or a loop to the end of another one."""
    order.join(first, second)
    for op in list(second.regions[0].block.ops):
        op.detach()
        first.regions[0].block.add_op(op)
    second.detach()
    second.erase()


# What stands between


def _bring_together(first: Operation, second: Operation, order: Order) -> bool:
    """Move what stands between two ops of a block in front of the first or behind the second; False, and nothing is
    moved, where something has to come after the first and before the second. Their own order is no matter here."""
    between = []
    op = first.next_op
    while op is not None and op is not second:
        between.append(op)
        op = op.next_op
    before = _before(second, between, order)
    if any(order.needs(op, first) for op in before):
        return False
    block = first.parent
    assert block is not None
    for op in between:
        op.detach()
        if op in before:
            block.insert_op_before(op, first)
    last = second
    for op in between:
        if op not in before:
            block.insert_op_after(op, last)
            last = op
    return True


def _before(second: Operation, between: Sequence[Operation], order: Order) -> list[Operation]:
    """What an op needs of what stands before it, directly or not, in order."""
    found: list[Operation] = []
    for op in reversed(between):
        if any(order.needs(later, op) for later in (second, *found)):
            found.insert(0, op)
    return found
