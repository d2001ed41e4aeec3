"""What the ops of a process do: loops, loads and stores, FIFOs, queues.

fpga.loop          a counted loop with values carried between its iterations
fpga.lanes         copies of an expression side by side, combined by a balanced tree
fpga.yield         the end of a loop's or a lane's region
fpga.load          an element of memory or of an array
fpga.load_at       an element of memory past a 64-bit start
fpga.store         writes one
fpga.lane          an element of a word
fpga.read          takes a value from a stream
fpga.write         puts one
fpga.lower_bound   how many sorted columns of a row lie below a column
fpga.push          offers a score and its index to a queue
fpga.arrange       orders what a queue holds
fpga.taken         how many pairs a queue holds
fpga.entry         one of its pairs

Values in between are upstream `arith`, `math` and `scf.if`, with `mp.round` and `mp.mod`.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import I64, IndexType, IntegerAttr, StringAttr, i1, i64
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
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

from hetc.dialects.fpga.types import ArrayType, PointerType, QueueType, StreamType, WordType, value_type
from hetc.dialects.mp import compute_type

TREE_KINDS = ("sum", "prod", "max", "min", "any", "all")
ARRANGEMENTS = ("score", "index")


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
    """`%v = fpga.lane %word[%i] : !fpga.word<bf16, 32> -> f32`."""

    name = "fpga.lane"
    word = operand_def(WordType)
    lane = operand_def(IndexType())
    result = result_def(Attribute)
    assembly_format = "$word `[` $lane `]` attr-dict `:` type($word) `->` type($result)"

    def __init__(self, word: SSAValue, lane: SSAValue):
        type_ = word.type
        assert isinstance(type_, WordType)
        super().__init__(operands=[word, lane], result_types=[compute_type(type_.element)])


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


@irdl_op_definition
class PushOp(IRDLOperation):
    """`fpga.push %score at %index to %queue if %p : f32, type`: keeps the pair if it is among the best so far: higher
    scores first, equal ones by lower index. NaN and -inf are never kept."""

    name = "fpga.push"
    score = operand_def(Attribute)
    index = operand_def(IndexType())
    queue = operand_def(QueueType)
    present = opt_operand_def(i1)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = "$score `at` $index `to` $queue (`if` $present^)? attr-dict `:` type($score) `,` type($queue)"

    def __init__(self, score: SSAValue, index: SSAValue, queue: SSAValue, present: SSAValue | None = None):
        super().__init__(operands=[[score], [index], [queue], [present] if present is not None else []])

    def verify_(self) -> None:
        type_ = self.queue.type
        assert isinstance(type_, QueueType)
        if self.score.type != type_.score:
            raise VerifyException(f"fpga.push: expected a score of type {type_.score}, got {self.score.type}")


@irdl_op_definition
class ArrangeOp(IRDLOperation):
    """`fpga.arrange %queue by "score" : type`: `score` descending (ties by lower index) or `index` ascending."""

    name = "fpga.arrange"
    queue = operand_def(QueueType)
    order = prop_def(StringAttr)
    assembly_format = "$queue `by` $order attr-dict `:` type($queue)"

    def __init__(self, queue: SSAValue, order: str):
        super().__init__(operands=[queue], properties={"order": StringAttr(order)})

    def verify_(self) -> None:
        if self.order.data not in ARRANGEMENTS:
            raise VerifyException(f"fpga.arrange: order is one of {', '.join(ARRANGEMENTS)}, got {self.order.data}")


@irdl_op_definition
class TakenOp(IRDLOperation):
    """`%n = fpga.taken %queue : type`: how many pairs it holds."""

    name = "fpga.taken"
    queue = operand_def(QueueType)
    result = result_def(IndexType())
    assembly_format = "$queue attr-dict `:` type($queue)"

    def __init__(self, queue: SSAValue):
        super().__init__(operands=[queue], result_types=[IndexType()])


@irdl_op_definition
class EntryOp(IRDLOperation):
    """`%s, %i = fpga.entry %queue[%j] : type -> f32`: pair `j`; past those held, -inf (the least integer) and -1."""

    name = "fpga.entry"
    queue = operand_def(QueueType)
    position = operand_def(IndexType())
    score = result_def(Attribute)
    index = result_def(IndexType())
    assembly_format = "$queue `[` $position `]` attr-dict `:` type($queue) `->` type($score)"

    def __init__(self, queue: SSAValue, position: SSAValue):
        type_ = queue.type
        assert isinstance(type_, QueueType)
        super().__init__(operands=[queue, position], result_types=[type_.score, IndexType()])


__all__ = [
    "ArrangeOp", "EntryOp", "LaneOp", "LanesOp", "LoadAtOp", "LoadOp", "LoopOp", "LowerBoundOp", "PushOp", "ReadOp",
    "StoreOp", "TakenOp", "WriteOp", "YieldOp",
]  # fmt: skip
