"""A loop as blocks of its passes."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp, i64
from xdsl.ir import Block, Region
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.passes.nest.building import Builder, dims_of, put_before
from hetc.passes.refusal import refuse


@dataclass(frozen=True)
class SplitPass(ModulePass):
    """Make of each loop whose index is named `loop` one over blocks of `by` passes, and one over the passes of a block,
    of which the last may have fewer. The order of the passes stays, so it is always the same kernel. Raises
    LoweringRefused for blocks of no pass and for a loop that is bound.

    Before: any verified nest.kernel on one of `devices`. After: no loop of that name there has more than `by` passes.

        nest.for %t = 0 to %T { ... }   ->   nest.for %t0 = 0 to %T step 64 {
                                               nest.for %t = %t0 to min(%t0 + 64, %T) { ... } }
    """

    name = "split"
    loop: str
    by: int
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        dims = dims_of(op)
        for kernel in [item for item in op.body.block.ops if isinstance(item, nest.KernelOp)]:
            if kernel.device.data in self.devices:
                for loop in [item for item in nest.ops_in(kernel) if isinstance(item, nest.ForOp)]:
                    if loop.index.name_hint == self.loop:
                        split(loop, self.by, Builder(dims, Block(), loop))


def split(loop: nest.ForOp, by: int, builder: Builder) -> None:
    """One loop, which becomes that of a block."""
    if by < 1:
        raise refuse(f"blocks of {by} passes", loop, "device")
    if loop.bind is not None:
        raise refuse(f"a loop is split before it is bound to {loop.bind.kind.data}", loop, "device")
    if loop.most_passes <= by:
        return
    blocks = Block(arg_types=[IndexType()])
    first, length = blocks.args[0], by * loop.step_size
    first.name_hint = f"{loop.index.name_hint or 'i'}0"
    lower, upper = loop.lower, loop.upper
    builder.add(nest.ForOp(lower, upper, -(-loop.most_passes // by), Region(blocks), length))
    put_before(builder, loop)
    with builder.inside(blocks):
        end = builder.value(arith.AddiOp(first, builder.index(length)))
        known_lower, known_upper = nest.number_of(lower), nest.number_of(upper)
        whole = known_lower is not None and known_upper is not None and (known_upper - known_lower) % length == 0
        last = end if whole else builder.value(arith.MinSIOp(end, upper))
        loop.detach()
        builder.block.add_op(loop)
    loop.operands[0], loop.operands[1] = first, last
    loop.properties["most"] = IntegerAttr(by, i64)
