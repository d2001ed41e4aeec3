"""Which loops of a processor's kernels run on several threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block
from xdsl.passes import ModulePass

from hetc.dialects import nest


@dataclass(frozen=True)
class BindParallelPass(ModulePass):
    """Bind the outermost loop of each phase whose passes are independent, and which nothing beside it in its phase has
    to wait for, to `parallel`; one of a single pass is no loop to speak of, and the search goes on inside.

    Before: no loop of the kernels on one of `devices` is bound. After: at most one on the way to each statement is.

        nest.for %b ... { ... nest.store %v in %s[%b] }   ->   nest.for %b ... bind <parallel> { ... }
    """

    name = "bind-parallel"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in [item for item in op.body.block.ops if isinstance(item, nest.KernelOp)]:
            if kernel.device.data in self.devices:
                bind(kernel)


def bind(kernel: nest.KernelOp) -> None:
    """The loops of one kernel."""
    for phase in [item for item in kernel.block.ops if isinstance(item, nest.PhaseOp)]:
        for loop in list(_outermost(phase.block, phase)):
            loop.properties["bind"] = nest.BindAttr(nest.PARALLEL)


def _outermost(block: Block, phase: nest.PhaseOp) -> Iterator[nest.ForOp]:
    for op in block.ops:
        if isinstance(op, nest.ForOp):
            if op.most_passes > 1 and nest.dependence(op) is None and nest.unawaited(op, phase) is None:
                yield op
            else:
                yield from _outermost(op.block, phase)
