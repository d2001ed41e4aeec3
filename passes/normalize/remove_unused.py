"""Drop statements whose results nothing reads, and what only the passes before read."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from hetc.dialects.mp import (
    ComputeOp,
    ConstantOp,
    ForOp,
    PipelineOp,
    QuantizeOp,
    RopeOp,
    SelectOp,
    SoftmaxOp,
    TopkOp,
    UpdateOp,
    in_order,
)

_WITHOUT_EFFECT = (ComputeOp, ConstantOp, ForOp, QuantizeOp, RopeOp, SelectOp, SoftmaxOp, TopkOp, UpdateOp)


@dataclass(frozen=True)
class RemoveUnusedPass(ModulePass):
    """Erase statements that neither an output, a memory nor another statement needs.

    Before: any mp module.
    After: every statement, and every loop, has a result that is used. Appends, commits and outputs are uses, and stay;
    so do the declared tensors of mp.get, which are the interface of the step. A condition that is joined with itself,
    which marks it as known for the passes that work presence out, stands for itself.

        %a = mp.compute ...   (no use)
        %b = mp.compute ...             ->  %b = mp.compute ...
        mp.output "b", %b                   mp.output "b", %b
    """

    name = "remove-unused"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in op.body.block.ops:
            if isinstance(pipeline, PipelineOp):
                for step in pipeline.steps.values():
                    for statement in reversed(list(in_order(step.body.block))):
                        if isinstance(statement, _WITHOUT_EFFECT) and not any(r.uses for r in statement.results):
                            statement.detach()
                            statement.erase()
                            continue
                        for inner in list(statement.walk()):
                            if isinstance(inner, arith.AndIOp) and inner.lhs is inner.rhs:
                                inner.result.replace_all_uses_with(inner.lhs)
                                Rewriter.erase_op(inner)
