"""Where the values of a step come from and what becomes of them.

host.input     a tensor that the caller hands in, in the host's memory
host.memory    a memory at its home, as it is when the step starts
host.constant  a table known at compile time, kept on a device
host.allocate  the buffer of a value
host.copy      a value made available elsewhere
host.append    rows written at the end of a memory
host.scatter   rows written at computed places of a memory
host.clear     the memories along a dim emptied once the step has completed
host.commit    a memory's new contents, visible once the step has completed
host.output    a value handed to the caller
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xdsl.dialects.builtin import ArrayAttr, DenseIntOrFPElementsAttr, IntAttr, IntegerAttr, StringAttr
from xdsl.ir import SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
)
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.host.types import HOST_KIND, BufferType


class _DeclaredOp(IRDLOperation):
    """A value of a declared tensor."""

    declared = prop_def(StringAttr)
    result = result_def(BufferType)

    def __init__(self, declared: str, type: BufferType):
        super().__init__(properties={"declared": StringAttr(declared)}, result_types=[type])
        self.result.name_hint = declared


@irdl_op_definition
class InputOp(_DeclaredOp):
    """`%x = host.input "x" : !host.buffer<... on "host">`."""

    name = "host.input"
    assembly_format = "$declared attr-dict `:` type($result)"

    def verify_(self) -> None:
        if cast(BufferType, self.result.type).kind != HOST_KIND:
            raise VerifyException(f"host.input: a caller's tensor is on the host, got {self.result.type}")


@irdl_op_definition
class MemoryOp(_DeclaredOp):
    """`%keys = host.memory "keys" : !host.buffer<... on "fpga">`."""

    name = "host.memory"
    assembly_format = "$declared attr-dict `:` type($result)"


@irdl_op_definition
class ConstantOp(IRDLOperation):
    """`%t = host.constant "table_0" dense<...> : tensor<4xi64> -> !host.buffer<...>`: uploaded once."""

    name = "host.constant"
    constant = prop_def(StringAttr)
    value = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(BufferType)
    assembly_format = "$constant $value `->` type($result) attr-dict"

    def __init__(self, constant: str, value: DenseIntOrFPElementsAttr, type: BufferType):
        super().__init__(properties={"constant": StringAttr(constant), "value": value}, result_types=[type])
        self.result.name_hint = constant


class _InWorkspaceOp(IRDLOperation):
    """What may lie in the workspace: the memory of each device that is kept from call to call for values of a step.
    `slot` is a part of it, used by one value after the other; every device counts its own."""

    slot = opt_prop_def(IntegerAttr)

    @property
    def slot_number(self) -> int | None:
        return None if self.slot is None else self.slot.value.data


@irdl_op_definition
class AllocateOp(_InWorkspaceOp):
    """`%s = host.allocate "s" slot 0 : !host.buffer<...>`: a buffer with undefined contents."""

    name = "host.allocate"
    buffer = prop_def(StringAttr)
    result = result_def(BufferType)
    assembly_format = "$buffer (`slot` $slot^)? attr-dict `:` type($result)"

    def __init__(self, buffer: str, type: BufferType):
        super().__init__(properties={"buffer": StringAttr(buffer)}, result_types=[type])
        self.result.name_hint = buffer


@irdl_op_definition
class CopyOp(_InWorkspaceOp):
    """`%y = host.copy "y" %x slot 1 : !host.buffer<... on "gpu"> -> !host.buffer<... on "fpga">`. Of a memory, and of a
    weight of constant extents, the copy stays from call to call: of the first only the rows move that it lacks, of the
    second nothing."""

    name = "host.copy"
    buffer = prop_def(StringAttr)
    value = operand_def(BufferType)
    result = result_def(BufferType)
    assembly_format = "$buffer $value (`slot` $slot^)? attr-dict `:` type($value) `->` type($result)"

    def __init__(self, buffer: str, value: SSAValue, type: BufferType):
        super().__init__(operands=[value], properties={"buffer": StringAttr(buffer)}, result_types=[type])
        self.result.name_hint = buffer

    def verify_(self) -> None:
        source, target = self.value.type, self.result.type
        assert isinstance(source, BufferType) and isinstance(target, BufferType)
        if source == target:
            raise VerifyException("host.copy: the value is there already")
        if source.tensor != target.tensor and source.tensor.plain != target.tensor.plain:
            raise VerifyException(f"host.copy keeps the tensor type {source.tensor}, got {target.tensor}")


@irdl_op_definition
class AppendOp(IRDLOperation):
    """`%m1 = host.append %m, %rows along "T" : type, type`: the same buffer, the step's new rows written. The rows
    of a sparse memory are row numbers on the host."""

    name = "host.append"
    memory = operand_def(BufferType)
    rows = operand_def(BufferType)
    along = prop_def(StringAttr)
    result = result_def(BufferType)
    assembly_format = "$memory `,` $rows `along` $along attr-dict `:` type($memory) `,` type($rows) `->` type($result)"

    def __init__(self, memory: SSAValue, rows: SSAValue, along: str):
        super().__init__(operands=[memory, rows], properties={"along": StringAttr(along)}, result_types=[memory.type])
        self.result.name_hint = memory.name_hint

    def verify_(self) -> None:
        if self.memory.type != self.result.type:
            raise VerifyException("host.append writes in place: the types agree")


@irdl_op_definition
class ScatterOp(IRDLOperation):
    """`%m1 = host.scatter %m, %rows, %places over [64, 1024] : type, type, type`: the same buffer, rows written at
    computed places. The places are on the host: numbers over the given extents, row-major; a negative one writes
    nothing."""

    name = "host.scatter"
    memory = operand_def(BufferType)
    rows = operand_def(BufferType)
    places = operand_def(BufferType)
    over = prop_def(ArrayAttr[IntAttr])
    result = result_def(BufferType)
    assembly_format = (
        "$memory `,` $rows `,` $places `over` $over attr-dict `:` type($memory) `,` type($rows) `,` type($places) "
        "`->` type($result)"
    )

    def __init__(self, memory: SSAValue, rows: SSAValue, places: SSAValue, over: Sequence[int]):
        super().__init__(
            operands=[memory, rows, places],
            properties={"over": ArrayAttr([IntAttr(extent) for extent in over])},
            result_types=[memory.type],
        )
        self.result.name_hint = memory.name_hint

    def verify_(self) -> None:
        if self.memory.type != self.result.type:
            raise VerifyException("host.scatter writes in place: the types agree")
        places = self.places.type
        assert isinstance(places, BufferType)
        if places.kind != HOST_KIND:
            raise VerifyException(f"host.scatter: the places are on the {places.kind}, not the host")


@irdl_op_definition
class ClearOp(IRDLOperation):
    """`host.clear "T" if %done : type`: the dim's length becomes 0, in the rows where the condition holds. The
    condition is on the host."""

    name = "host.clear"
    dim = prop_def(StringAttr)
    condition = opt_operand_def(BufferType)
    assembly_format = "$dim (`if` $condition^ `:` type($condition))? attr-dict"

    def __init__(self, dim: str, condition: SSAValue | None = None):
        super().__init__(operands=[[condition] if condition is not None else []], properties={"dim": StringAttr(dim)})

    def verify_(self) -> None:
        if self.condition is not None and cast(BufferType, self.condition.type).kind != HOST_KIND:
            raise VerifyException(f"host.clear: the condition is on the host, got {self.condition.type}")


@irdl_op_definition
class CommitOp(IRDLOperation):
    """`host.commit "keys", %keys : type`."""

    name = "host.commit"
    declared = prop_def(StringAttr)
    value = operand_def(BufferType)
    assembly_format = "$declared `,` $value attr-dict `:` type($value)"

    def __init__(self, declared: str, value: SSAValue):
        super().__init__(operands=[value], properties={"declared": StringAttr(declared)})


@irdl_op_definition
class OutputOp(IRDLOperation):
    """`host.output "o", %o : type`."""

    name = "host.output"
    output = prop_def(StringAttr)
    value = operand_def(BufferType)
    assembly_format = "$output `,` $value attr-dict `:` type($value)"

    def __init__(self, output: str, value: SSAValue):
        super().__init__(operands=[value], properties={"output": StringAttr(output)})
