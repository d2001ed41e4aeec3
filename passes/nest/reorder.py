"""Two loops, one in the other, the other way round."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.traits import is_side_effect_free

from hetc.dialects import nest
from hetc.passes.refusal import refuse


@dataclass(frozen=True)
class ReorderPass(ModulePass):
    """Exchange each loop whose index is named `loop` with the one that it holds, and move what it works out beside that
    one into it. Raises LoweringRefused where the order of passes matters, and where the loops' limits or what stands
    between them forbid it.

    Before: any verified nest.kernel on one of `devices`. After: there the loop of that name stands in the other.

        nest.for %t ... { nest.for %h ... { ... } }   ->   nest.for %h ... { nest.for %t ... { ... } }
    """

    name = "reorder"
    loop: str
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in [item for item in op.body.block.ops if isinstance(item, nest.KernelOp)]:
            if kernel.device.data in self.devices:
                for loop in [item for item in nest.ops_in(kernel) if isinstance(item, nest.ForOp)]:
                    if loop.index.name_hint == self.loop:
                        reorder(loop)


def reorder(outer: nest.ForOp) -> None:
    """One loop and the one that it holds."""
    acting = [op for op in outer.block.ops if op.regions or not is_side_effect_free(op)]
    inner = acting[0] if len(acting) == 1 else None
    if not isinstance(inner, nest.ForOp):
        raise refuse("a loop that holds more than another one is not exchanged with it", outer, "device")
    beside = [op for op in outer.block.ops if op is not inner]
    limits = [op for op in beside if isinstance(op, arith.ConstantOp) and op.result in (inner.lower, inner.upper)]
    made = {outer.index, *(result for op in beside if op not in limits for result in op.results)}
    if made.intersection((inner.lower, inner.upper)):
        raise refuse("the limits of the inner loop are worked out in the outer one", inner, "device")
    reason = nest.order_of_passes(outer)
    if reason is not None:
        raise refuse(reason, outer, "device")
    block = outer.parent
    assert block is not None
    for limit in limits:
        limit.detach()
        block.insert_op_before(limit, outer)
    inner.detach()
    block.insert_op_before(inner, outer)
    outer.detach()
    # What stood beside the inner loop comes before what it held.
    for op in list(inner.block.ops):
        op.detach()
        outer.block.add_op(op)
    inner.block.add_op(outer)
