"""What is done with a queue.

fpga.push     offers a score and its index
fpga.arrange  orders what it holds
fpga.taken    how many pairs it holds
fpga.entry    one of its pairs
"""

from __future__ import annotations

from xdsl.dialects.builtin import IndexType, StringAttr, i1
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    prop_def,
    result_def,
)
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.fpga.types import QueueType

ARRANGEMENTS = ("score", "index")


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
