"""Pipelines in upstream's dialects alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    AppendOp,
    CommitOp,
    ComputeOp,
    ConstantOp,
    ForOp,
    GetOp,
    NextOp,
    OutputOp,
    PipelineOp,
    ScatterOp,
    SelectOp,
    StepOp,
    TensorType,
    TopkOp,
)
from hetc.passes.lower_linalg.builder import Builder
from hetc.passes.lower_linalg.extents import Extents
from hetc.passes.lower_linalg.limits import left_out
from hetc.passes.lower_linalg.loop import lower_loop
from hetc.passes.lower_linalg.memories import FLAG, lower_append, lower_commit, lower_output
from hetc.passes.lower_linalg.scatter import lower_scatter
from hetc.passes.lower_linalg.selection import lower_select, lower_topk
from hetc.passes.lower_linalg.signature import Argument, arguments_of, results_of, upstream_type
from hetc.passes.lower_linalg.statement import lower_compute
from hetc.passes.lower_linalg.step import Step
from hetc.passes.normalize.explicit_presence import EXPLICIT
from hetc.passes.normalize.rejection import rejected
from hetc.passes.rebuild import erase_unused


@dataclass(frozen=True)
class MpToLinalgPass(ModulePass):
    """Replaces each pipeline by one func.func a step, of linalg, tensor, scf, arith and math.

    Before: the expanded form: presence is explicit, no composite op is left. After: no mp op is left. The arguments
    and results of a function are those of `signature.py`, each argument with its name as `hetc.name`. Arithmetic that
    upstream leaves undefined (division by 0, long shifts, conversions out of range) has the results that mp defines.

    partial: a statement that upstream cannot express (`limits.left_out` lists them) is left out, its results become
    arguments. Without, such a statement is an error.

    Example: `o[b, e] = sum[d](x[b, d] * w[d, e])` becomes

        %0 = linalg.generic {[(b, e, d) -> (b, d), (b, e, d) -> (d, e), (b, e, d) -> (b, e)],
                             ["parallel", "parallel", "reduction"]} ins(%x, %w) outs(%zero) { ... }
    """

    name = FLAG
    partial: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        found = left_out(op)
        if found and not self.partial:
            raise rejected(found[0].statement, FLAG, str(found[0]))
        omitted = {item.statement for item in found}
        for pipeline in [item for item in op.body.block.ops if isinstance(item, PipelineOp)]:
            for step in pipeline.steps.values():
                op.body.block.insert_op_before(lower_step(step, omitted), pipeline)
            Rewriter.erase_op(pipeline)


def lower_step(step: StepOp, omitted: Collection[Operation]) -> FuncOp:
    """The function of a step. Raises PassFailedException where the step is not in its expanded form."""
    if EXPLICIT not in step.attributes:
        raise rejected(step, FLAG, "expected explicit presence: run explicit-presence and the expansions first")
    arguments = arguments_of(step, omitted)
    block = Block(arg_types=[argument.type for argument in arguments])
    for value, argument in zip(block.args, arguments, strict=True):
        value.name_hint = argument.name if argument.name.isidentifier() else None
    returned = _Function(step, omitted, arguments, block).results()
    erase_unused(block)  # extents, mostly: all are computed at the beginning
    names = [DictionaryAttr({"hetc.name": StringAttr(argument.name)}) for argument in arguments]
    made = FuncOp(
        step.sym_name.data,
        (block.arg_types, [value.type for value in returned]),
        Region(block),
        arg_attrs=ArrayAttr(names),
    )
    return copy_location(step, made)


class _Function:
    """The body of one step's function."""

    def __init__(self, step: StepOp, omitted: Collection[Operation], arguments: list[Argument], block: Block):
        self.op, self.omitted = step, omitted
        pipeline = step.parent_op()
        assert isinstance(pipeline, PipelineOp)
        builder = Builder(block, step)
        given = dict(zip(arguments, block.args, strict=True))
        dims: dict[str, SSAValue] = {a.name: value for a, value in given.items() if a.kind in ("dim", "lengths")}
        self.step = Step(pipeline, builder, Extents(pipeline, dims, builder))
        self.declared = {a.name: value for a, value in given.items() if a.kind == "tensor"}
        self.step.whole.update(self.declared.values())
        for argument, value in given.items():
            if argument.value is not None:
                # It may have spare places; a memory's new value is its live part, put into what the memory held.
                self.step.whole.add(value)
                self.step.tensors[argument.value] = value
                self.step.tensors[argument.value] = self.step.live(argument.value)

    def results(self) -> list[SSAValue]:
        """Lower the statements; what the function returns."""
        self._statements(self.op.body.block)
        returned = [self._result(item.op) for item in results_of(self.op, self.omitted)]
        self.step.builder.add_all(ReturnOp(*returned))
        return returned

    def _statements(self, block: Block) -> None:
        for op in block.ops:
            if op in self.omitted:
                continue
            with self.step.builder.at(op):
                for result, tensor in zip(op.results, self._statement(op), strict=True):
                    self.step.tensors[result] = tensor
                    tensor.name_hint = tensor.name_hint or result.name_hint

    def _statement(self, op: Operation) -> list[SSAValue]:
        match op:
            case GetOp():
                return [self.declared[op.declared.data]]
            case ConstantOp():
                return [self._constant(op)]
            case ComputeOp():
                return [lower_compute(self.step, op)]
            case TopkOp():
                return lower_topk(self.step, op)
            case SelectOp():
                return lower_select(self.step, op)
            case AppendOp():
                return [lower_append(self.step, op)]
            case ScatterOp():
                return [lower_scatter(self.step, op)]
            case ForOp():
                return lower_loop(self.step, op, self._statements)
            case _:
                assert isinstance(op, OutputOp | CommitOp | NextOp), op.name
                return []

    def _result(self, op: OutputOp | CommitOp) -> SSAValue:
        with self.step.builder.at(op):
            if isinstance(op, OutputOp):
                return lower_output(self.step, op)
            return lower_commit(self.step, op, self.declared[op.declared.data])

    def _constant(self, op: ConstantOp) -> SSAValue:
        type_ = op.result.type
        assert isinstance(type_, TensorType)
        if op.value.type != upstream_type(type_):
            raise rejected(op, FLAG, f"expected a table of type {upstream_type(type_)}, got {op.value.type}")
        return self.step.builder.add(arith.ConstantOp(op.value))  # type: ignore[arg-type]
