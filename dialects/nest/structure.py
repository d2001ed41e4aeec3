"""Loops.

nest.phase    loops between two barriers
nest.for      a counted loop
nest.entries  a loop over the stored entries of a row of a sparse tensor
nest.yield    the end of a region that gives a value
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr, i1, i64
from xdsl.ir import Attribute, Block, BlockArgument, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import IsTerminator, NoTerminator
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp import TensorType, compute_type
from hetc.dialects.nest.types import VECTOR, BindAttr


def number_of(value: SSAValue) -> int | None:
    """The number that a value is, None where it is no constant."""
    owner = value.owner
    is_constant = isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr)
    return owner.value.value.data if is_constant else None  # type: ignore[union-attr]


@irdl_op_definition
class YieldOp(IRDLOperation):
    """`nest.yield %w : f32`."""

    name = "nest.yield"
    values = var_operand_def()
    traits = traits_def(IsTerminator())
    assembly_format = "($values^ `:` type($values))? attr-dict"

    def __init__(self, values: Sequence[SSAValue] = ()):
        super().__init__(operands=[values])


@irdl_op_definition
class PhaseOp(IRDLOperation):
    """What happens between two barriers: a launch of a GPU, a dataflow region of an FPGA, a parallel region of a
    processor. What one phase has stored, the next may load; inside of a phase nothing waits for other passes of a
    parallel loop."""

    name = "nest.phase"
    body = region_def("single_block")
    traits = traits_def(NoTerminator())
    assembly_format = "$body attr-dict"

    def __init__(self, body: Region):
        super().__init__(regions=[body])

    @property
    def block(self) -> Block:
        return self.body.block

    def verify_(self) -> None:
        parent = self.parent_op()
        if parent is None or parent.name != "nest.kernel":
            raise VerifyException("nest.phase stands in nest.kernel")
        if self.block.args:
            raise VerifyException("nest.phase has no arguments")


@irdl_op_definition
class ForOp(IRDLOperation):
    """A counted loop: `%i` is `lower`, `lower + step`, ... below `upper`, at most `most` passes. It carries nothing and
    gives nothing: what outlives a pass lies in buffers and states. `bind` says how passes are carried out, and may be
    erased.

    `nest.for %lo to %hi step 1 : i64 most 64 : i64 bind <parallel> { ^bb0(%b: index): ... }`"""

    name = "nest.for"
    lower = operand_def(IndexType())
    upper = operand_def(IndexType())
    step = prop_def(IntegerAttr)
    most = prop_def(IntegerAttr)
    bind = opt_prop_def(BindAttr)
    body = region_def("single_block")
    traits = traits_def(NoTerminator())
    assembly_format = "$lower `to` $upper `step` $step `most` $most (`bind` $bind^)? $body attr-dict"

    def __init__(
        self, lower: SSAValue, upper: SSAValue, most: int, body: Region, step: int = 1, bind: BindAttr | None = None
    ):
        super().__init__(
            operands=[lower, upper],
            properties={"step": IntegerAttr(step, i64), "most": IntegerAttr(most, i64), "bind": bind},
            regions=[body],
        )

    @property
    def block(self) -> Block:
        return self.body.block

    @property
    def index(self) -> BlockArgument:
        return self.block.args[0]

    @property
    def step_size(self) -> int:
        return self.step.value.data

    @property
    def most_passes(self) -> int:
        return self.most.value.data

    def is_bound(self, kind: str) -> bool:
        return self.bind is not None and self.bind.kind.data == kind

    @property
    def lane_count(self) -> int:
        """How many passes are carried out in lockstep, 0 where none are."""
        return self.bind.width.data if self.bind is not None and self.is_bound(VECTOR) else 0

    def verify_(self) -> None:
        if [argument.type for argument in self.block.args] != [IndexType()]:
            raise VerifyException("nest.for: the region has one argument, of type index")
        if self.step_size < 1 or self.most_passes < 0:
            raise VerifyException("nest.for: a positive step and a number of passes")
        lower, upper = number_of(self.lower), number_of(self.upper)
        if lower is not None and upper is not None and upper - lower > self.step_size * self.most_passes:
            raise VerifyException(f"nest.for: from {lower} to {upper} there are more than {self.most_passes} passes")


@irdl_op_definition
class EntriesOp(IRDLOperation):
    """A loop over the stored entries of one row of a sparse tensor whose columns lie in [lower, upper), ascending, each
    column once; none where the condition is false. The row is in range where the condition holds.

    `nest.entries %tf[%row] from %lo to %hi if %p most 4096 : i64 { ^bb0(%n: index, %v: f32): ... } : type`"""

    name = "nest.entries"
    tensor = operand_def(TensorType)
    row = operand_def(IndexType())
    lower = operand_def(IndexType())
    upper = operand_def(IndexType())
    present = opt_operand_def(i1)
    most = prop_def(IntegerAttr)
    body = region_def("single_block")
    traits = traits_def(NoTerminator())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$tensor `[` $row `]` `from` $lower `to` $upper (`if` $present^)? `most` $most $body attr-dict "
        "`:` type($tensor)"
    )

    def __init__(
        self,
        tensor: SSAValue,
        row: SSAValue,
        lower: SSAValue,
        upper: SSAValue,
        most: int,
        body: Region,
        present: SSAValue | None = None,
    ):
        super().__init__(
            operands=[[tensor], [row], [lower], [upper], [present] if present is not None else []],
            properties={"most": IntegerAttr(most, i64)},
            regions=[body],
        )

    @property
    def block(self) -> Block:
        return self.body.block

    @property
    def column(self) -> BlockArgument:
        return self.block.args[0]

    @property
    def value(self) -> BlockArgument:
        return self.block.args[1]

    def verify_(self) -> None:
        type_ = self.tensor.type
        assert isinstance(type_, TensorType)
        if not type_.is_sparse:
            raise VerifyException(f"nest.entries: expected a sparse tensor, got {type_}")
        expected: list[Attribute] = [IndexType(), compute_type(type_.element)]
        if [argument.type for argument in self.block.args] != expected:
            raise VerifyException("nest.entries: the region's arguments are the column and the value")
