"""Chooses the width of index arithmetic: 32 bits, or 64 where 32 may not hold a value."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, ModuleOp, i64
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from hetc.dialects.mp import (
    ComputeOp,
    Intervals,
    ModOp,
    OutputOp,
    PipelineOp,
    RangedOp,
    ReadOp,
    StepOp,
    TensorType,
    WideIndexType,
    YieldOp,
    in_order,
    intervals_of,
)
from hetc.passes.emission import constant, constant_value, emit
from hetc.passes.normalize.rejection import rejected
from hetc.passes.rebuild import erase_unused

_SCALAR = (
    arith.ConstantOp, arith.AddiOp, arith.SubiOp, arith.MuliOp, arith.FloorDivSIOp, ModOp, arith.MaxSIOp, arith.MinSIOp,
    arith.SelectOp, arith.CmpiOp, arith.IndexCastOp, arith.AndIOp, arith.OrIOp, arith.XOrIOp, arith.ShLIOp,
    arith.ShRSIOp,
)  # fmt: skip
"""What may compute an index, or use one of 64 bits."""


@dataclass(frozen=True)
class IndexWidthPass(ModulePass):
    """Rewrites index arithmetic that 32 bits may not hold as arithmetic of i64.

    Before: presence is explicit and composite ops are expanded.
    After: every value of type `index` fits 32 bits wherever it is present; those that may not are i64, as are the
    elements of tensors that were `index64`. An index is cut to 32 bits only where it is used to read, behind the
    conditions that its presence was tested with in 64 bits.

        %1 = arith.muli %n, %stride : index              %0 = arith.index_cast %n : index to i64
        %2 = arith.cmpi slt, %1, %size : index           %1 = arith.muli %0, %stride : i64
        %3 = mp.read %x[%1] if %2           ->           %2 = arith.cmpi slt, %1, %size : i64
                                                         %3 = arith.index_cast %1 : i64 to index
                                                         %4 = mp.read %x[%3] if %2
    """

    name = "index-width"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in op.body.block.ops:
            if isinstance(pipeline, PipelineOp):
                for step in pipeline.steps.values():
                    _widen_step(step, intervals_of(pipeline))


def _widen_step(step: StepOp, intervals: Intervals) -> None:
    for statement in list(in_order(step.body.block)):
        if isinstance(statement, OutputOp) and isinstance(statement.element, WideIndexType):
            statement.properties["element"] = i64
        if not isinstance(statement, RangedOp):
            continue
        _Widening(statement, intervals).run()
        intervals.note(statement)
        if isinstance(statement, ComputeOp) and isinstance(statement.result.type.element, WideIndexType):
            type_ = TensorType(statement.result.type.extents, i64)
            Rewriter.replace_value_with_new_type(statement.result, type_)


class _Widening:
    """The rewriting of one statement. `wide` maps each index that may need 64 bits to its i64."""

    def __init__(self, statement: RangedOp, intervals: Intervals):
        self.statement = statement
        # Worked out before anything changes.
        self.needs = {
            result
            for op in statement.walk()
            for result in op.results
            if result.type == IndexType() and not intervals.of(result).fits(32)
        }
        self.wide: dict[SSAValue, SSAValue] = {}

    def run(self) -> None:
        if not self.needs and not any(map(_reads_wide, self.statement.walk())):
            return
        for op in list(self.statement.walk()):
            if op is not self.statement:
                self._op(op)
        erase_unused(self.statement.body.block)

    def _op(self, op: Operation) -> None:
        if isinstance(op, ReadOp) and _reads_wide(op):
            self._narrow_operands(op)
            self.wide[op.result] = Rewriter.replace_value_with_new_type(op.result, i64)
            return
        needs = any(result in self.needs for result in op.results)
        if not needs and not any(operand in self.wide for operand in op.operands):
            return
        if isinstance(op, _SCALAR):
            self._scalar(op)
        elif needs:
            raise rejected(op, "index-width", f"{op.name} has no form on indices of 64 bits")
        elif isinstance(op, YieldOp):
            self._yield(op)
        else:
            self._narrow_operands(op)

    def _scalar(self, op: Operation) -> None:
        """The op on 64 bits."""
        result = op.results[0]
        operands = [self._as_i64(value, op) if value.type == IndexType() else value for value in op.operands]
        made = self._made(op, operands)
        if result.type != IndexType():
            result.replace_all_uses_with(made)
        elif result in self.needs:
            self.wide[result] = made
        else:
            result.replace_all_uses_with(emit(arith.IndexCastOp(made, IndexType()), op))

    def _made(self, op: Operation, operands: list[SSAValue]) -> SSAValue:
        if isinstance(op, arith.IndexCastOp):
            return self._cast(op, operands[0])
        made: Operation
        if isinstance(op, arith.ConstantOp):
            made = constant(op.value.value.data, i64)  # type: ignore[union-attr]
        elif isinstance(op, arith.CmpiOp):
            made = arith.CmpiOp(operands[0], operands[1], op.predicate.value.data)
        else:
            made = type(op)(*operands)  # type: ignore[call-arg]
        return emit(made, op)

    def _cast(self, op: arith.IndexCastOp, value: SSAValue) -> SSAValue:
        """To or from an index of 64 bits."""
        target: Attribute = i64 if op.result.type == IndexType() else op.result.type
        if value.type == target:
            return value
        return emit(arith.ExtSIOp(value, i64) if target == i64 else arith.TruncIOp(value, target), op)  # type: ignore[arg-type]

    def _yield(self, op: YieldOp) -> None:
        """A statement's element is yielded as it is stored, a score as it is compared."""
        keeps = isinstance(self.statement, ComputeOp) and self.statement.result.type.element == IndexType()
        value = op.value
        if value in self.wide:
            op.operands[0] = self._narrowed(value, op) if keeps else self.wide[value]

    def _narrow_operands(self, op: Operation) -> None:
        for position, value in enumerate(op.operands):
            if value in self.wide:
                op.operands[position] = self._narrowed(value, op)

    def _narrowed(self, value: SSAValue, before: Operation) -> SSAValue:
        return emit(arith.IndexCastOp(self.wide[value], IndexType()), before)

    def _as_i64(self, value: SSAValue, before: Operation) -> SSAValue:
        if value in self.wide:
            return self.wide[value]
        number = constant_value(value)
        return emit(arith.IndexCastOp(value, i64) if number is None else constant(number, i64), before)


def _reads_wide(op: Operation) -> bool:
    """Whether the op reads a tensor of indices of 64 bits: one that was, and is of i64 by now."""
    if not isinstance(op, ReadOp) or op.result.type != IndexType():
        return False
    type_ = op.tensor.type
    assert isinstance(type_, TensorType)
    return type_.element == i64
