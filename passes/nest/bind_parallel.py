"""Which loops of a processor's kernels run on several threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.mp import DimOp
from hetc.passes.nest.building import dims_of
from hetc.passes.nest.chains import Chain
from hetc.passes.nest.cost import operations

LEAST_OPERATIONS = 1024
"""Of one pass that is worth being handed to a thread: some hundred nanoseconds."""


@dataclass(frozen=True)
class BindParallelPass(ModulePass):
    """Bind the outermost loop of each phase whose passes are independent, and which nothing beside it in its phase has
    to wait for, to `parallel`; one of a single pass is no loop to speak of, and the search goes on inside. A loop that
    a bound one holds alone, beside values, is bound too, where it is independent and its passes are not too small: the
    values move into it, and their passes together are shared by the threads.

    Before: no loop of the kernels on one of `devices` is bound to `parallel`; what is bound otherwise is left alone.
    After: those on the way to each statement that are hold nothing but each other.

        nest.for %b ... { ... nest.store %v in %s[%b] }   ->   nest.for %b ... bind <parallel> { ... }
    """

    name = "bind-parallel"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        dims = dims_of(op)
        for kernel in [item for item in op.body.block.ops if isinstance(item, nest.KernelOp)]:
            if kernel.device.data in self.devices:
                bind(kernel, dims)


def bind(kernel: nest.KernelOp, dims: Mapping[str, DimOp]) -> None:
    """The loops of one kernel."""
    extents = {name: dim.largest for name, dim in dims.items()}
    for phase in [item for item in kernel.block.ops if isinstance(item, nest.PhaseOp)]:
        for loop in list(_outermost(phase.block, phase)):
            loop.properties["bind"] = nest.BindAttr(nest.PARALLEL)
            inner = _held(loop, phase)
            while (
                inner is not None
                and inner.bind is None
                and _is_independent(inner, phase)
                and _is_worth_it(inner, loop, extents)
            ):
                _put_inside(inner)
                inner.properties["bind"] = nest.BindAttr(nest.PARALLEL)
                inner = _held(inner, phase)


def _outermost(block: Block, phase: nest.PhaseOp) -> Iterator[nest.ForOp]:
    for op in block.ops:
        if isinstance(op, nest.ForOp) and op.bind is None:
            if _is_independent(op, phase):
                yield op
            else:
                yield from _outermost(op.block, phase)


def _is_independent(loop: nest.ForOp, phase: nest.PhaseOp) -> bool:
    return loop.most_passes > 1 and nest.dependence(loop) is None and nest.unawaited(loop, phase) is None


def _held(loop: nest.ForOp, phase: nest.PhaseOp) -> nest.ForOp | None:
    """The loop that is all that a loop holds, beside what has no effect."""
    held = [op for op in loop.block.ops if not Chain(phase).is_fixed(op)]
    return held[0] if len(held) == 1 and isinstance(held[0], nest.ForOp) else None


def _put_inside(loop: nest.ForOp) -> None:
    """Move what stands beside a loop into it, so that its passes and those of the loop around it are one range."""
    block, first = loop.parent, loop.block.first_op
    assert block is not None and first is not None
    for op in [op for op in block.ops if op is not loop and not isinstance(op, arith.ConstantOp)]:
        op.detach()
        loop.block.insert_op_before(op, first)


def _is_worth_it(loop: nest.ForOp, outermost: nest.ForOp, extents: Mapping[str, int]) -> bool:
    """Whether a loop has the same limits in all passes around it, and passes that are not too small."""
    for limit in (loop.lower, loop.upper):
        owner = limit.owner.parent_op() if isinstance(limit.owner, Block) else limit.owner
        is_inside = owner is outermost or (owner is not None and nest.is_inside(owner, outermost))
        if is_inside and nest.number_of(limit) is None:
            return False
    taken = operations(loop, extents)
    return taken / max(1.0, min(float(loop.most_passes), taken)) >= LEAST_OPERATIONS
