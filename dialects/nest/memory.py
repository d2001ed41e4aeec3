"""What loops read and write.

nest.read     an element of an operand
nest.find     an element of a sparse operand, and whether it is stored
nest.buffer   elements that the kernel makes
nest.load     one of them
nest.store    one of them written
nest.push     a row at the end of a stream
nest.pop      the first row of a stream taken out
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, IndexType, IntegerAttr, StringAttr, i1
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import MemoryAllocEffect, MemoryReadEffect, MemoryWriteEffect, Pure
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp import TensorType, compute_type
from hetc.dialects.mp.region import TensorRead
from hetc.dialects.nest.types import STREAM, BufferType


@irdl_op_definition
class ReadOp(TensorRead):
    """`%v = nest.read %x[%i, %j] if %p : type -> f32`: 0 where the condition is false; the indices are in range where
    it holds. Operands are not written while a kernel runs, so equal reads are one."""

    name = "nest.read"
    result = result_def(Attribute)
    traits = traits_def(Pure())
    assembly_format = "$tensor `[` $indices `]` (`if` $present^)? attr-dict `:` type($tensor) `->` type($result)"


@irdl_op_definition
class FindOp(TensorRead):
    """`%v, %stored = nest.find %tf[%r, %c] if %p : type -> f32, i1`: an element of a sparse tensor (0 where it is not
    stored), and whether it is stored."""

    name = "nest.find"
    result = result_def(Attribute)
    stored = result_def(i1)
    traits = traits_def(Pure())
    assembly_format = (
        "$tensor `[` $indices `]` (`if` $present^)? attr-dict `:` type($tensor) `->` type($result) `,` type($stored)"
    )

    @staticmethod
    def read_types(type: TensorType) -> list[Attribute]:
        return [compute_type(type.element), i1]

    def verify_(self) -> None:
        super().verify_()
        type_ = self.tensor.type
        assert isinstance(type_, TensorType)
        if not type_.is_sparse:
            raise VerifyException(f"nest.find: expected a sparse tensor, got {type_}")


@irdl_op_definition
class BufferOp(IRDLOperation):
    """`%s = nest.buffer "s" : !nest.buf<[B, T] x f32, global>`: undefined until it is stored to. One that stands in a
    loop is a new one in each pass. `order`: its dims from the outermost to the innermost as they lie in memory, as they
    are written if left out; `banks`: how many rows of the last dim can be read at once (an FPGA's partition factor)."""

    name = "nest.buffer"
    sym_name = prop_def(StringAttr)
    order = opt_prop_def(ArrayAttr[IntegerAttr])
    banks = opt_prop_def(IntegerAttr)
    result = result_def(BufferType)
    traits = traits_def(MemoryAllocEffect())
    assembly_format = "$sym_name (`order` $order^)? (`banks` $banks^)? attr-dict `:` type($result)"

    def __init__(self, sym_name: str, type: BufferType):
        super().__init__(properties={"sym_name": StringAttr(sym_name)}, result_types=[type])
        self.result.name_hint = sym_name if sym_name.isidentifier() else None

    def verify_(self) -> None:
        if self.order is None:
            return
        type_ = self.result.type
        assert isinstance(type_, BufferType)
        order = [item.value.data for item in self.order]
        if sorted(order) != list(range(len(type_.shape))):
            raise VerifyException(f"nest.buffer: the order names each of {len(type_.shape)} dims once, got {order}")


def _element(op: IRDLOperation, buffer: SSAValue, indices: Sequence[SSAValue], value: Attribute) -> None:
    """The indices and the type of an element that is loaded or stored."""
    type_ = buffer.type
    assert isinstance(type_, BufferType)
    if type_.where == STREAM:
        raise VerifyException(f"{op.name}: rows of a stream are pushed and popped")
    if len(indices) != len(type_.shape):
        raise VerifyException(f"{op.name}: expected {len(type_.shape)} indices, got {len(indices)}")
    if value != compute_type(type_.element):
        raise VerifyException(f"{op.name}: expected a value of type {compute_type(type_.element)}, got {value}")


@irdl_op_definition
class LoadOp(IRDLOperation):
    """`%v = nest.load %s[%b, %t] if %p : type -> f32`: 0 where the condition is false; the indices are in range where
    it holds."""

    name = "nest.load"
    buffer = operand_def(BufferType)
    indices = var_operand_def(IndexType())
    present = opt_operand_def(i1)
    result = result_def(Attribute)
    traits = traits_def(MemoryReadEffect())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = "$buffer `[` $indices `]` (`if` $present^)? attr-dict `:` type($buffer) `->` type($result)"

    def __init__(self, buffer: SSAValue, indices: Sequence[SSAValue], present: SSAValue | None = None):
        type_ = buffer.type
        assert isinstance(type_, BufferType)
        super().__init__(
            operands=[[buffer], indices, [present] if present is not None else []],
            result_types=[compute_type(type_.element)],
        )

    def verify_(self) -> None:
        _element(self, self.buffer, self.indices, self.result.type)


@irdl_op_definition
class StoreOp(IRDLOperation):
    """`nest.store %v in %s[%b, %t] : f32, type`: in range by the limits of the loops. Rounds to the element type, ties
    to even; fp8 and integers saturate."""

    name = "nest.store"
    value = operand_def(Attribute)
    buffer = operand_def(BufferType)
    indices = var_operand_def(IndexType())
    traits = traits_def(MemoryWriteEffect())
    assembly_format = "$value `in` $buffer `[` $indices `]` attr-dict `:` type($value) `,` type($buffer)"

    def __init__(self, value: SSAValue, buffer: SSAValue, indices: Sequence[SSAValue]):
        super().__init__(operands=[value, buffer, indices])

    def verify_(self) -> None:
        _element(self, self.buffer, self.indices, self.value.type)


def _rows(op: IRDLOperation, stream: SSAValue, row: SSAValue) -> None:
    """A row that goes into a stream or comes out of it."""
    stream_type, row_type = stream.type, row.type
    assert isinstance(stream_type, BufferType) and isinstance(row_type, BufferType)
    if stream_type.where != STREAM or row_type.where == STREAM:
        raise VerifyException(f"{op.name}: expected a stream and a buffer, got {stream_type} and {row_type}")
    if (stream_type.shape, stream_type.element) != (row_type.shape, row_type.element):
        raise VerifyException(f"{op.name}: rows of {stream_type} are no rows of {row_type}")


@irdl_op_definition
class PushOp(IRDLOperation):
    """`nest.push %row into %rows : type, type`: what a buffer holds, as it is stored, as one row at the end of a stream
    of its extents."""

    name = "nest.push"
    buffer = operand_def(BufferType)
    stream = operand_def(BufferType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$buffer `into` $stream attr-dict `:` type($buffer) `,` type($stream)"

    def __init__(self, buffer: SSAValue, stream: SSAValue):
        super().__init__(operands=[buffer, stream])

    def verify_(self) -> None:
        _rows(self, self.stream, self.buffer)


@irdl_op_definition
class PopOp(IRDLOperation):
    """`nest.pop %rows into %row : type, type`: the first row of a stream, taken out of it, into a buffer of its
    extents."""

    name = "nest.pop"
    stream = operand_def(BufferType)
    buffer = operand_def(BufferType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$stream `into` $buffer attr-dict `:` type($stream) `,` type($buffer)"

    def __init__(self, stream: SSAValue, buffer: SSAValue):
        super().__init__(operands=[stream, buffer])

    def verify_(self) -> None:
        _rows(self, self.stream, self.buffer)
