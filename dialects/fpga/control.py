"""Control in a process.

fpga.loop   a counted loop with values carried between its iterations
fpga.lanes  copies of an expression side by side, combined by a balanced tree
fpga.yield  the end of a loop's or a lane's region

Conditions are upstream `scf.if`; numbers are upstream `arith` and `math`, with `mp.round` and `mp.mod`.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import I64, IndexType, IntegerAttr, StringAttr, i64
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import IsTerminator
from xdsl.utils.exceptions import VerifyException

TREE_KINDS = ("sum", "prod", "max", "min", "any", "all")


@irdl_op_definition
class YieldOp(IRDLOperation):
    """`fpga.yield %a, %b : types`."""

    name = "fpga.yield"
    values = var_operand_def()
    traits = traits_def(IsTerminator())
    assembly_format = "($values^ `:` type($values))? attr-dict"

    def __init__(self, values: Sequence[SSAValue] = ()):
        super().__init__(operands=[values])


@irdl_op_definition
class LoopOp(IRDLOperation):
    """`%s = fpga.loop "d" %zero to %n carry (%init) {ii = 1} { ^bb0(%d: index, %acc: f32): ... } : index, f32`.

    `ii` asks for a pipeline with that many cycles between iterations; `unroll` copies the body (0: fully). `apart`
    states that two iterations that touch one element of an on-chip array are at least so many iterations apart
    (0: none do). `most` bounds the number of iterations, for reports."""

    name = "fpga.loop"
    index = prop_def(StringAttr)
    lower = operand_def(IndexType())
    upper = operand_def(IndexType())
    carried = var_operand_def()
    ii = opt_prop_def(IntegerAttr)
    unroll = opt_prop_def(IntegerAttr)
    apart = opt_prop_def(IntegerAttr)
    most = opt_prop_def(IntegerAttr)
    body = region_def("single_block")
    results_ = var_result_def()
    assembly_format = (
        "$index $lower `to` $upper (`carry` `(` $carried^ `:` type($carried) `)`)? (`ii` $ii^)? (`unroll` $unroll^)? "
        "(`apart` $apart^)? (`most` $most^)? $body attr-dict (`:` type($results_)^)?"
    )

    def __init__(
        self, index: str, lower: SSAValue, upper: SSAValue, carried: Sequence[SSAValue], body: Region, *,
        ii: int | None = None, unroll: int | None = None, apart: int | None = None, most: int | None = None,
    ):  # fmt: skip
        super().__init__(
            operands=[lower, upper, carried],
            properties={
                "index": StringAttr(index),
                "ii": _optional(ii),
                "unroll": _optional(unroll),
                "apart": _optional(apart),
                "most": _optional(most),
            },
            regions=[body],
            result_types=[[value.type for value in carried]],
        )

    @property
    def yielded(self) -> YieldOp:
        last = self.body.block.last_op
        assert isinstance(last, YieldOp)
        return last

    def verify_(self) -> None:
        if not isinstance(self.body.block.last_op, YieldOp):
            raise VerifyException("fpga.loop: the region must end in fpga.yield")
        expected = [value.type for value in self.carried]
        if [argument.type for argument in self.body.block.args] != [IndexType(), *expected]:
            raise VerifyException("fpga.loop: the region's arguments are not the index and the carried values")
        if [value.type for value in self.yielded.values] != expected:
            raise VerifyException("fpga.loop: yielded types differ from the carried ones")
        if [result.type for result in self.results] != expected:
            raise VerifyException("fpga.loop: result types differ from the carried ones")


def _optional(value: int | None) -> IntegerAttr[I64] | None:
    return None if value is None else IntegerAttr(value, i64)


@irdl_op_definition
class LanesOp(IRDLOperation):
    """`%s = fpga.lanes "sum" "d" 128 { ^bb0(%d: index): ... fpga.yield %v : f32 } : f32`: the region for each lane,
    all in one cycle, combined by a balanced tree."""

    name = "fpga.lanes"
    kind = prop_def(StringAttr)
    index = prop_def(StringAttr)
    count = prop_def(IntegerAttr)
    body = region_def("single_block")
    result = result_def(Attribute)
    assembly_format = "$kind $index $count $body attr-dict `:` type($result)"

    def __init__(self, kind: str, index: str, count: int, body: Region, type: Attribute):
        super().__init__(
            properties={
                "kind": StringAttr(kind),
                "index": StringAttr(index),
                "count": IntegerAttr(count, i64),
            },
            regions=[body],
            result_types=[type],
        )

    @property
    def yielded(self) -> YieldOp:
        last = self.body.block.last_op
        assert isinstance(last, YieldOp)
        return last

    def verify_(self) -> None:
        if self.kind.data not in TREE_KINDS:
            raise VerifyException(f"fpga.lanes: kind is one of {', '.join(TREE_KINDS)}, got {self.kind.data}")
        if not isinstance(self.body.block.last_op, YieldOp):
            raise VerifyException("fpga.lanes: the region must end in fpga.yield")
        if [value.type for value in self.yielded.values] != [self.result.type]:
            raise VerifyException("fpga.lanes: the yielded type differs from the result's")
