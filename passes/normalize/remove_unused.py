"""Drop statements whose results nothing reads, and what only the passes before read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    ComputeOp,
    ConstantOp,
    ForOp,
    NextOp,
    PipelineOp,
    QuantizeOp,
    RopeOp,
    SelectOp,
    SoftmaxOp,
    StepOp,
    TopkOp,
    UpdateOp,
    end_of,
    in_order,
    loop_of,
)

_WITHOUT_EFFECT = (ComputeOp, ConstantOp, ForOp, QuantizeOp, RopeOp, SelectOp, SoftmaxOp, TopkOp, UpdateOp)


@dataclass(frozen=True)
class RemoveUnusedPass(ModulePass):
    """Erase statements that neither an output, a memory nor another statement needs.

    Before: any mp module.
    After: every statement, and every loop, has a result that is used, and loops carry what a pass or what follows
    reads. Appends, commits and outputs are uses, and stay; so do the declared tensors of mp.get, which are the
    interface of the step. A condition that is joined with itself, which marks it as known for the passes that work
    presence out, stands for itself.

        %a = mp.compute ...   (no use)
        %b = mp.compute ...             ->  %b = mp.compute ...
        mp.output "b", %b                   mp.output "b", %b
    """

    name = "remove-unused"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in op.body.block.ops:
            if isinstance(pipeline, PipelineOp):
                for step in pipeline.steps.values():
                    _carry_less(step)
                    for statement in reversed(list(in_order(step.body.block))):
                        if isinstance(statement, _WITHOUT_EFFECT) and not any(r.uses for r in statement.results):
                            statement.detach()
                            statement.erase()
                            continue
                        for inner in list(statement.walk()):
                            if isinstance(inner, arith.AndIOp) and inner.lhs is inner.rhs:
                                inner.result.replace_all_uses_with(inner.lhs)
                                Rewriter.erase_op(inner)


def _carry_less(step: StepOp) -> None:
    """Let loops carry only what is read: by what has an effect, or for what is read."""
    loops = [op for op in in_order(step.body.block) if isinstance(op, ForOp)]
    if loops:
        read = _read_values(step)
        for loop in reversed(loops):
            pairs = enumerate(zip(loop.carried_arguments, loop.carried_outputs, strict=True))
            kept = [at for at, (argument, output) in pairs if argument in read or output in read]
            if len(kept) < len(loop.carried):
                _keep(loop, kept)


def _read_values(step: StepOp) -> set[SSAValue]:
    """The values on which anything that has an effect depends. What a loop carries depends on what it begins with and
    on the end of a pass."""
    found: set[SSAValue] = set()
    pending = [
        value
        for op in in_order(step.body.block)
        if not isinstance(op, (*_WITHOUT_EFFECT, NextOp))
        for value in op.operands
    ]
    while pending:
        value = pending.pop()
        if value in found:
            continue
        found.add(value)
        loop = loop_of(value)
        if loop is not None:
            pending += [loop.arguments[value]] if value in loop.arguments else []
            if value in loop.carried_arguments:
                pending.append(loop.next.carried[list(loop.carried_arguments).index(value)])  # type: ignore[arg-type]
        elif isinstance(value.owner, ForOp):
            pending.append(end_of(value, value.owner))
            position = list(value.owner.outputs).index(value)  # type: ignore[arg-type]
            if position < len(value.owner.carried):
                pending.append(value.owner.carried_arguments[position])
        elif isinstance(value.owner, Operation):
            pending += [operand for inner in value.owner.walk() for operand in inner.operands]
    return found


def _keep(loop: ForOp, kept: Sequence[int]) -> None:
    """Let the loop carry only what stands at the positions `kept`. Of the rest nobody reads what a pass makes of it: it
    may as well be what it was before the loop."""
    ends, block = loop.next, loop.body.block
    less = NextOp([ends.carried[at] for at in kept], ends.layers)
    less.attributes.update(ends.attributes)
    block.insert_op_before(copy_location(ends, less), ends)
    Rewriter.erase_op(ends)
    carried, outputs = [loop.carried[at] for at in kept], [loop.carried_outputs[at] for at in kept]
    for at in reversed(range(len(loop.carried))):
        if at not in kept:
            argument = loop.carried_arguments[at]
            for value in (argument, loop.carried_outputs[at]):
                value.replace_all_uses_with(loop.carried[at])
            block.erase_arg(argument)
    position = loop.written_positions
    made = ForOp(loop.index.data, loop.passes, carried, loop.sliced, position, loop.detach_region(loop.body))
    made.attributes.update(loop.attributes)
    outer = loop.parent
    assert outer is not None
    outer.insert_op_before(copy_location(loop, made), loop)
    for old, new in zip((*outputs, *loop.written_outputs), made.outputs, strict=True):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)
    Rewriter.erase_op(loop)
