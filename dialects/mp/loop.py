"""Statements that are executed several times in turn.

mp.for    a loop with a constant number of passes: what it carries, and what it goes through layer by layer
mp.next   the end of its region: what the next pass begins with, and the new contents of this pass's layers
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xdsl.dialects.builtin import ArrayAttr, IndexType, IntAttr, IntegerAttr, StringAttr, i64
from xdsl.ir import Block, BlockArgument, Operation, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import IsTerminator
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp.memory import WRITES_IN_PLACE
from hetc.dialects.mp.types import TensorType

PASS_NUMBER = TensorType([], IndexType())
"""The type of a loop's pass number."""


@irdl_op_definition
class NextOp(IRDLOperation):
    """`mp.next carries (%h1 : type) layers (%m1 : type)`: in the order of the loop's results."""

    name = "mp.next"
    carried = var_operand_def(TensorType)
    layers = var_operand_def(TensorType)
    traits = traits_def(IsTerminator())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "`carries` `(` ($carried^ `:` type($carried))? `)` `layers` `(` ($layers^ `:` type($layers))? `)` attr-dict"
    )

    def __init__(self, carried: Sequence[SSAValue], layers: Sequence[SSAValue]):
        super().__init__(operands=[carried, layers])


@irdl_op_definition
class ForOp(IRDLOperation):
    """`count` passes over the region, in order. Its arguments are the number of the pass (0 at first), the tensors
    that the loop carries, and of each tensor in `sliced` the layer of this pass: pass l sees what lies at [l, ...],
    of the same type without the first extent. Of the sliced tensors at the positions in `written` each pass gives the
    layer's new contents, and the loop the whole tensor with all layers new. The region may use values from around it.

    What a loop carries, and what it writes, is stored as in a memory: absent elements become 0, -1 (indices) or false.

        %h1, %m1 = mp.for "l" 28 : i64 carries (%h0 : t) slices (%w, %m : t, t) writes [#builtin.int<1>] {
          ^bb0(%l: !mp.tensor<[], index>, %h: t, %w_l: t, %m_l: t):
            ...
            mp.next carries (%h2 : t) layers (%m2 : t)
        } -> t, t"""

    name = "mp.for"
    index = prop_def(StringAttr)
    count = prop_def(IntegerAttr)
    carried = var_operand_def(TensorType)
    sliced = var_operand_def(TensorType)
    written = prop_def(ArrayAttr[IntAttr])
    body = region_def("single_block")
    outputs = var_result_def(TensorType)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$index $count `carries` `(` ($carried^ `:` type($carried))? `)` "
        "`slices` `(` ($sliced^ `:` type($sliced))? `)` `writes` $written $body attr-dict (`->` type($outputs)^)?"
    )

    def __init__(
        self,
        index: str,
        count: int,
        carried: Sequence[SSAValue],
        sliced: Sequence[SSAValue],
        written: Sequence[int],
        body: Region,
    ):
        super().__init__(
            operands=[carried, sliced],
            properties={
                "index": StringAttr(index),
                "count": IntegerAttr(count, i64),
                "written": ArrayAttr([IntAttr(position) for position in written]),
            },
            regions=[body],
            result_types=[[value.type for value in (*carried, *(sliced[position] for position in written))]],
        )

    @property
    def passes(self) -> int:
        return self.count.value.data

    @property
    def number(self) -> BlockArgument:
        """The number of the pass, in the region."""
        return self.body.block.args[0]

    @property
    def arguments(self) -> dict[SSAValue, SSAValue]:
        """What each of the region's other arguments comes from: what is carried at first, and what is sliced."""
        return dict(zip(self.body.block.args[1:], (*self.carried, *self.sliced), strict=True))

    @property
    def carried_arguments(self) -> Sequence[BlockArgument]:
        return self.body.block.args[1 : 1 + len(self.carried)]

    @property
    def layer_arguments(self) -> Sequence[BlockArgument]:
        """This pass's layer of each sliced tensor."""
        return self.body.block.args[1 + len(self.carried) :]

    @property
    def written_positions(self) -> tuple[int, ...]:
        return tuple(item.data for item in self.written)

    @property
    def next(self) -> NextOp:
        last = self.body.block.last_op
        assert isinstance(last, NextOp)
        return last

    @property
    def carried_outputs(self) -> Sequence[SSAValue]:
        return self.outputs[: len(self.carried)]

    @property
    def written_outputs(self) -> Sequence[SSAValue]:
        return self.outputs[len(self.carried) :]

    def verify_(self) -> None:
        if self.passes < 1:
            raise VerifyException(f"mp.for: expected at least one pass, got {self.passes}")
        layers = [layer_type(value.type, self.passes) for value in self.sliced]  # type: ignore[arg-type]
        expected = [PASS_NUMBER, *(value.type for value in self.carried), *layers]
        if [argument.type for argument in self.body.block.args] != expected:
            raise VerifyException(f"mp.for: expected region arguments of types {', '.join(map(str, expected))}")
        if not isinstance(self.body.block.last_op, NextOp):
            raise VerifyException("mp.for: the region must end in mp.next")
        if any(not 0 <= position < len(layers) for position in self.written_positions):
            raise VerifyException(f"mp.for: writes {self.written_positions} of {len(layers)} sliced tensors")
        self._verify_results(layers)

    def _verify_results(self, layers: Sequence[TensorType]) -> None:
        if [value.type for value in self.next.carried] != [value.type for value in self.carried]:
            raise VerifyException("mp.for: what a pass carries on differs in type from what it began with")
        new = [layers[position].plain for position in self.written_positions]
        if [value.type.plain for value in self.next.layers] != new:  # type: ignore[attr-defined]
            raise VerifyException("mp.for: new layers differ in type from the tensor's")
        whole = [self.sliced[position].type for position in self.written_positions]
        if [value.type for value in self.outputs] != [*(value.type for value in self.carried), *whole]:
            raise VerifyException("mp.for: results differ in type from what is carried and written")
        for position, type_ in zip(self.written_positions, whole, strict=True):
            if type_.shape[0] != self.passes:  # type: ignore[attr-defined]
                raise VerifyException(
                    f"mp.for: writes {self.passes} layers of sliced tensor {position}, which has more"
                )


def layer_type(type: TensorType, passes: int) -> TensorType:
    """The type of one layer. Raises VerifyException for a tensor that has no layer for each pass."""
    first = type.shape[0] if type.rank else 0
    if type.is_sparse or not isinstance(first, int) or first < passes:
        raise VerifyException(f"mp.for: {type} has no {passes} layers")
    return type.layer


def in_order(block: Block) -> Iterator[Operation]:
    """The ops of a step's block in program order, those in loops among them, each loop before what is in it."""
    for op in block.ops:
        yield op
        if isinstance(op, ForOp):
            yield from in_order(op.body.block)


def blocks_of(block: Block) -> Iterator[Block]:
    """A step's block, and the blocks of the loops in it, outer ones first."""
    yield block
    for op in block.ops:
        if isinstance(op, ForOp):
            yield from blocks_of(op.body.block)


def loops_around(op: Operation) -> list[ForOp]:
    """The loops that `op` stands in, outer ones first."""
    found: list[ForOp] = []
    parent = op.parent_op()
    while parent is not None:
        if isinstance(parent, ForOp):
            found.insert(0, parent)
        parent = parent.parent_op()
    return found


def times(op: Operation) -> int:
    """How often `op` is executed in one call of its step."""
    count = 1
    for loop in loops_around(op):
        count *= loop.passes
    return count


def loop_of(value: SSAValue) -> ForOp | None:
    """The loop that `value` is an argument of the region of."""
    parent = value.owner.parent_op() if isinstance(value.owner, Block) else None
    return parent if isinstance(parent, ForOp) else None


def is_pass_number(value: SSAValue) -> bool:
    """Whether `value` is the number of a loop's pass."""
    loop = loop_of(value)
    return loop is not None and value is loop.number


def end_of(output: SSAValue, loop: ForOp) -> SSAValue:
    """What the last pass of a loop leaves as one of its results."""
    return (*loop.next.carried, *loop.next.layers)[list(loop.outputs).index(output)]  # type: ignore[arg-type]


def origin(value: SSAValue) -> SSAValue:
    """What `value` was before something was written in it, and before it came into a loop or out of one; of a layer,
    the whole tensor."""
    while True:
        loop = loop_of(value)
        if loop is not None and value in loop.arguments:
            value = loop.arguments[value]
        elif isinstance(value.owner, WRITES_IN_PLACE):
            value = value.owner.memory
        elif isinstance(value.owner, ForOp):
            value = end_of(value, value.owner)
        else:
            return value
