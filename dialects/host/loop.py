"""Loops of a host program.

host.for    ops executed once a pass, in order
host.pass   the number of the pass on a device
host.layer  what of a tensor belongs to the pass
host.store  contents copied into a buffer that outlives the pass
"""

from __future__ import annotations

from typing import cast

from xdsl.dialects.builtin import IntegerAttr, StringAttr, i64
from xdsl.ir import Block, Region, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, prop_def, region_def, result_def, traits_def
from xdsl.traits import NoTerminator
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.host.types import BufferType
from hetc.dialects.mp import PASS_NUMBER


@irdl_op_definition
class ForOp(IRDLOperation):
    """`host.for "l" 28 : i64 { ... }`: passes 0 to 27. What lasts longer than a pass lies in buffers from around it."""

    name = "host.for"
    index = prop_def(StringAttr)
    count = prop_def(IntegerAttr)
    body = region_def("single_block")
    traits = traits_def(NoTerminator())
    assembly_format = "$index $count $body attr-dict"

    def __init__(self, index: str, count: int, body: Region):
        super().__init__(properties={"index": StringAttr(index), "count": IntegerAttr(count, i64)}, regions=[body])

    @property
    def block(self) -> Block:
        return self.body.block


@irdl_op_definition
class PassOp(IRDLOperation):
    """`%l = host.pass : !host.buffer<!mp.tensor<[], index> on "gpu">`: the number of the innermost loop's pass."""

    name = "host.pass"
    result = result_def(BufferType)
    assembly_format = "attr-dict `:` type($result)"

    def __init__(self, kind: str):
        super().__init__(result_types=[BufferType(PASS_NUMBER, kind)])


@irdl_op_definition
class LayerOp(IRDLOperation):
    """`%w_l = host.layer %w : type -> type`: the tensor at [l, ...], l the number of the innermost loop's pass."""

    name = "host.layer"
    value = operand_def(BufferType)
    result = result_def(BufferType)
    assembly_format = "$value attr-dict `:` type($value) `->` type($result)"

    def __init__(self, value: SSAValue):
        super().__init__(operands=[value], result_types=[cast(BufferType, value.type).layer])
        self.result.name_hint = value.name_hint

    def verify_(self) -> None:
        if cast(BufferType, self.value.type).layer != self.result.type:
            raise VerifyException(f"host.layer: {self.result.type} is no layer of {self.value.type}")


@irdl_op_definition
class StoreOp(IRDLOperation):
    """`host.store %h2 in %h : type, type`: the live contents of a buffer copied into another on the same device."""

    name = "host.store"
    value = operand_def(BufferType)
    target = operand_def(BufferType)
    assembly_format = "$value `in` $target attr-dict `:` type($value) `,` type($target)"

    def __init__(self, value: SSAValue, target: SSAValue):
        super().__init__(operands=[value, target])

    def verify_(self) -> None:
        source, target = cast(BufferType, self.value.type), cast(BufferType, self.target.type)
        if source.tensor.plain != target.tensor.plain or source.kind != target.kind:
            raise VerifyException(f"host.store keeps tensor and device, got {source} in {target}")
