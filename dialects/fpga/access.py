"""Memory, words, streams and sorted columns.

fpga.load         an element of memory or of an array
fpga.load_at      an element of memory past a 64-bit start
fpga.store        writes one
fpga.lane         an element of a word
fpga.join         words side by side
fpga.read         takes a value from a stream
fpga.write        puts one
fpga.lower_bound  how many sorted columns of a row lie below a column
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IndexType, i1, i64
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    result_def,
    var_operand_def,
)
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.fpga.types import ArrayType, CodeType, PointerType, StreamType, WordType, value_type
from hetc.dialects.mp import compute_type


def _stored_element(type: Attribute) -> Attribute:
    if isinstance(type, PointerType | ArrayType):
        return type.element
    raise VerifyException(f"expected !fpga.pointer or !fpga.array, got {type}")


class _AccessOp(IRDLOperation):
    source = operand_def(Attribute)
    indices = var_operand_def(IndexType())
    extents = var_operand_def(IndexType())
    present = opt_operand_def(i1)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def verify_access(self) -> None:
        type_ = self.source.type
        if isinstance(type_, ArrayType):
            expected, extents = len(type_.extents), 0
        else:
            expected, extents = len(self.indices), max(len(self.indices) - 1, 0)
        if len(self.indices) != expected:
            raise VerifyException(f"{self.name}: expected {expected} indices, got {len(self.indices)}")
        if len(self.extents) != extents:
            raise VerifyException(f"{self.name}: expected {extents} inner extents, got {len(self.extents)}")


@irdl_op_definition
class LoadOp(_AccessOp):
    """`%v = fpga.load %keys[%b, %t, %d] within [%cap_T, %c128] if %p : type -> f32`. A pointer is row-major; `within`
    gives the extents of all but the first index. Where the condition is false nothing is loaded and the value is 0."""

    name = "fpga.load"
    result = result_def(Attribute)
    assembly_format = (
        "$source `[` $indices `]` (`within` `[` $extents^ `]`)? (`if` $present^)? attr-dict "
        "`:` type($source) `->` type($result)"
    )

    def __init__(
        self,
        source: SSAValue,
        indices: Sequence[SSAValue],
        extents: Sequence[SSAValue] = (),
        present: SSAValue | None = None,
    ):
        element = _stored_element(source.type)
        super().__init__(
            operands=[[source], indices, extents, [present] if present is not None else []],
            result_types=[value_type(element)],
        )

    def verify_(self) -> None:
        self.verify_access()
        if self.result.type != value_type(_stored_element(self.source.type)):
            raise VerifyException(f"fpga.load: {self.source.type} does not give {self.result.type}")


@irdl_op_definition
class StoreOp(_AccessOp):
    """`fpga.store %v, %out[%b] within [] if %p : type, type`: rounds or saturates to the element."""

    name = "fpga.store"
    value = operand_def(Attribute)
    assembly_format = (
        "$value `,` $source `[` $indices `]` (`within` `[` $extents^ `]`)? (`if` $present^)? attr-dict "
        "`:` type($value) `,` type($source)"
    )

    def __init__(
        self,
        value: SSAValue,
        source: SSAValue,
        indices: Sequence[SSAValue],
        extents: Sequence[SSAValue] = (),
        present: SSAValue | None = None,
    ):
        super().__init__(operands=[[value], [source], indices, extents, [present] if present is not None else []])

    def verify_(self) -> None:
        self.verify_access()
        if self.value.type != value_type(_stored_element(self.source.type)):
            raise VerifyException(f"fpga.store: {self.value.type} does not fit {self.source.type}")


@irdl_op_definition
class LoadAtOp(IRDLOperation):
    """`%v = fpga.load_at %columns[%start plus %offset] if %p : type -> index`: an element past a 64-bit start (i64)."""

    name = "fpga.load_at"
    source = operand_def(PointerType)
    start = operand_def(i64)
    offset = operand_def(IndexType())
    present = opt_operand_def(i1)
    result = result_def(Attribute)
    assembly_format = (
        "$source `[` $start `plus` $offset `]` (`if` $present^)? attr-dict `:` type($source) `->` type($result)"
    )

    def __init__(self, source: SSAValue, start: SSAValue, offset: SSAValue, present: SSAValue | None = None):
        element = _stored_element(source.type)
        super().__init__(
            operands=[source, start, offset, [present] if present is not None else []],
            result_types=[value_type(element)],
        )


@irdl_op_definition
class LaneOp(IRDLOperation):
    """`%v = fpga.lane %word[%i] : !fpga.word<bf16, 32> -> f32`; the element's code where the result is one."""

    name = "fpga.lane"
    word = operand_def(WordType)
    lane = operand_def(IndexType())
    result = result_def(Attribute)
    assembly_format = "$word `[` $lane `]` attr-dict `:` type($word) `->` type($result)"

    def __init__(self, word: SSAValue, lane: SSAValue, *, coded: bool = False):
        type_ = word.type
        assert isinstance(type_, WordType)
        result = CodeType(type_.element) if coded else compute_type(type_.element)
        super().__init__(operands=[word, lane], result_types=[result])


@irdl_op_definition
class JoinOp(IRDLOperation):
    """`%row = fpga.join %w0, %w1 : types -> !fpga.word<f8E4M3FN, 128>`: words side by side, the first lowest."""

    name = "fpga.join"
    words = var_operand_def(WordType)
    result = result_def(WordType)
    assembly_format = "$words attr-dict `:` type($words) `->` type($result)"

    def __init__(self, words: Sequence[SSAValue]):
        types = [word.type for word in words]
        assert all(isinstance(type_, WordType) for type_ in types)
        lanes = sum(type_.lanes.data for type_ in types)  # type: ignore[attr-defined]
        super().__init__(operands=[words], result_types=[WordType(types[0].element, lanes)])  # type: ignore[attr-defined]

    def verify_(self) -> None:
        types = [word.type for word in self.words]
        elements = {type_.element for type_ in types}  # type: ignore[attr-defined]
        lanes = sum(type_.lanes.data for type_ in types)  # type: ignore[attr-defined]
        if elements != {self.result.type.element} or lanes != self.result.type.lanes.data:
            raise VerifyException(f"fpga.join: the words do not make up {self.result.type}")


@irdl_op_definition
class ReadOp(IRDLOperation):
    """`%v = fpga.read %stream : !fpga.stream<f32>`."""

    name = "fpga.read"
    stream = operand_def(StreamType)
    result = result_def(Attribute)
    assembly_format = "$stream attr-dict `:` type($stream) `->` type($result)"

    def __init__(self, stream: SSAValue):
        type_ = stream.type
        assert isinstance(type_, StreamType)
        super().__init__(operands=[stream], result_types=[value_type(type_.element)])


@irdl_op_definition
class WriteOp(IRDLOperation):
    """`fpga.write %v to %stream : f32, !fpga.stream<f32>`."""

    name = "fpga.write"
    value = operand_def(Attribute)
    stream = operand_def(StreamType)
    assembly_format = "$value `to` $stream attr-dict `:` type($value) `,` type($stream)"

    def __init__(self, value: SSAValue, stream: SSAValue):
        super().__init__(operands=[value, stream])

    def verify_(self) -> None:
        type_ = self.stream.type
        assert isinstance(type_, StreamType)
        if self.value.type != value_type(type_.element):
            raise VerifyException(f"fpga.write: {self.value.type} does not fit {type_}")


@irdl_op_definition
class LowerBoundOp(IRDLOperation):
    """`%n = fpga.lower_bound %columns[%start] length %length below %column : type`: of the `length` ascending columns
    that begin at `start`, how many are less than `column`."""

    name = "fpga.lower_bound"
    columns = operand_def(PointerType)
    start = operand_def(i64)
    length = operand_def(IndexType())
    column = operand_def(IndexType())
    result = result_def(IndexType())
    assembly_format = "$columns `[` $start `]` `length` $length `below` $column attr-dict `:` type($columns)"

    def __init__(self, columns: SSAValue, start: SSAValue, length: SSAValue, column: SSAValue):
        super().__init__(operands=[columns, start, length, column], result_types=[IndexType()])
