"""The task dialect: kernels bound to devices, and what moves between them.

    task.kernel    statements that one device executes as a unit; isolated
    task.return    its results
    task.transfer  a value made available on another device

    #task.argument<role, index, part>   one argument of a generated kernel (see ArgumentAttr)

`mp.append`, `mp.get`, `mp.commit` and `mp.output` stay beside the kernels in the step. A declaration's attribute
`home` names the device kind that keeps a memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntAttr, StringAttr, SymbolNameConstraint
from xdsl.ir import Attribute, Block, Dialect, ParametrizedAttribute, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
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
from xdsl.traits import IsolatedFromAbove, IsTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp import TensorType

DIM_ROLES = ("length", "capacity", "longest")
"""Those that say how long a run-time dim is."""
SCALAR_ROLES = ("capacity", "longest")
"""Those that are passed by value."""
ARGUMENT_ROLES = ("operand", "result", *DIM_ROLES, "constant", "scratch")


@irdl_attr_definition
class ArgumentAttr(ParametrizedAttribute):
    """What the host passes at one position of a generated kernel's argument list.

    role      index            part
    operand   task operand     "" (dense buffer); row_start, row_length, column, value (sparse); table (paged);
                               stripe:N:A (memory channel N, with its share of the rows along
                               extent A)
    result    task result      ""
    length    -                a run-time dim: pointer to i32, one element, or one a row where the dim is per a dim
    capacity  -                a run-time dim: the extent that buffers are allocated with, an i32 by value
    longest   -                a run-time dim: the longest that it is in a call, at least 1, an i32 by value
    constant  which mp.constant of the task kernel, in order
    scratch   which entry of the generated kernel's `scratch` list
    """

    name = "task.argument"
    role: StringAttr
    index: IntAttr
    part: StringAttr

    def __init__(self, role: str | StringAttr, index: int | IntAttr = 0, part: str | StringAttr = ""):
        super().__init__(
            StringAttr(role) if isinstance(role, str) else role,
            IntAttr(index) if isinstance(index, int) else index,
            StringAttr(part) if isinstance(part, str) else part,
        )

    @property
    def of_dim(self) -> bool:
        return self.role.data in DIM_ROLES

    @property
    def by_value(self) -> bool:
        return self.role.data in SCALAR_ROLES

    @staticmethod
    def stripe_part(channel: int, axis: int) -> str:
        """The `part` of an operand's stripe."""
        return f"stripe:{channel}:{axis}"

    @property
    def stripe(self) -> tuple[int, int] | None:
        """(channel, axis) of an operand's stripe, None for what is not striped."""
        if not self.part.data.startswith("stripe:"):
            return None
        _, channel, axis = self.part.data.split(":")
        return int(channel), int(axis)

    def verify(self) -> None:
        if self.role.data not in ARGUMENT_ROLES:
            raise VerifyException(f"task.argument: role is one of {', '.join(ARGUMENT_ROLES)}, got {self.role.data}")


@irdl_op_definition
class ReturnOp(IRDLOperation):
    """`task.return %a, %b : types`."""

    name = "task.return"
    values = var_operand_def(TensorType)
    traits = traits_def(IsTerminator())
    assembly_format = "($values^ `:` type($values))? attr-dict"

    def __init__(self, values: Sequence[SSAValue]):
        super().__init__(operands=[values])


@irdl_op_definition
class KernelOp(IRDLOperation):
    """Statements executed as one unit on one device kind. Its region holds `mp.compute`, `mp.topk`, `mp.select` and
    `mp.constant`, reading its block arguments. `stages` are the stages that its statements came from; `schedule`
    is what the scheduler chose for it, as the lowering applies it.

    `%r = task.kernel @scan on "fpga" (%q) { ^bb0(%a: ...): ... task.return %v : ... } : (...) -> ...`"""

    name = "task.kernel"
    sym_name = prop_def(SymbolNameConstraint())
    device = prop_def(StringAttr)
    stages = prop_def(ArrayAttr[StringAttr])
    schedule = opt_prop_def(DictionaryAttr)
    arguments = var_operand_def(TensorType)
    body = region_def("single_block")
    outputs = var_result_def(TensorType)
    traits = traits_def(SymbolOpInterface(), IsolatedFromAbove())
    assembly_format = (
        "$sym_name `on` $device `stages` $stages (`schedule` $schedule^)? "
        "`(` $arguments `)` $body attr-dict `:` functional-type($arguments, $outputs)"
    )

    def __init__(
        self,
        sym_name: str,
        device: str,
        stages: Sequence[str],
        arguments: Sequence[SSAValue],
        body: Region,
        result_types: Sequence[Attribute],
        schedule: DictionaryAttr | None = None,
    ):
        super().__init__(
            operands=[arguments],
            properties={
                "sym_name": StringAttr(sym_name),
                "device": StringAttr(device),
                "stages": ArrayAttr([StringAttr(stage) for stage in stages]),
                "schedule": schedule,
            },
            regions=[body],
            result_types=[result_types],
        )

    @property
    def returned(self) -> ReturnOp:
        last = self.body.block.last_op
        assert isinstance(last, ReturnOp)
        return last

    @property
    def block(self) -> Block:
        return self.body.block

    def verify_(self) -> None:
        if [a.type for a in self.block.args] != [a.type for a in self.arguments]:
            raise VerifyException("task.kernel: operand types differ from the region's argument types")
        if not isinstance(self.block.last_op, ReturnOp):
            raise VerifyException("task.kernel: the region must end in task.return")
        if [v.type for v in self.returned.values] != [r.type for r in self.outputs]:
            raise VerifyException("task.kernel: returned types differ from the result types")


@irdl_op_definition
class TransferOp(IRDLOperation):
    """`%y = task.transfer %x from "gpu" to "fpga" : type`: the value, readable on another device kind. `host` is
    the host's memory. For a memory only the rows that the other copy lacks move."""

    name = "task.transfer"
    value = operand_def(TensorType)
    source = prop_def(StringAttr)
    target = prop_def(StringAttr)
    result = result_def(TensorType)
    assembly_format = "$value `from` $source `to` $target attr-dict `:` type($value) `->` type($result)"

    def __init__(self, value: SSAValue, source: str, target: str):
        super().__init__(
            operands=[value],
            properties={"source": StringAttr(source), "target": StringAttr(target)},
            result_types=[value.type],
        )

    def verify_(self) -> None:
        if self.source == self.target:
            raise VerifyException(f"task.transfer: from {self.source.data} to itself")
        if self.value.type != self.result.type:
            raise VerifyException("task.transfer keeps the type")


TASK = Dialect("task", [KernelOp, ReturnOp, TransferOp], [ArgumentAttr])
