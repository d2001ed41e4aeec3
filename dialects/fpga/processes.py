"""What runs in an FPGA kernel: processes, and dataflows of them joined by FIFOs.

fpga.process    an isolated piece of work; between two of them nothing but streams in a dataflow
fpga.instance   a process that came before it once more, with other operands
fpga.dataflow   processes that run at the same time, joined by streams
fpga.stream     a FIFO of a dataflow
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IntegerAttr, StringAttr
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import IsolatedFromAbove, NoTerminator
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.fpga.types import StreamType


class IsolatedOp(IRDLOperation):
    """A named region that sees its operands only."""

    sym_name = prop_def(StringAttr)
    operands_ = var_operand_def()
    body = region_def("single_block")

    def __init__(self, sym_name: str, operands: Sequence[SSAValue], body: Region):
        super().__init__(operands=[operands], properties={"sym_name": StringAttr(sym_name)}, regions=[body])

    @property
    def block(self) -> Block:
        return self.body.block

    def verify_(self) -> None:
        if [argument.type for argument in self.block.args] != [operand.type for operand in self.operands]:
            raise VerifyException(f"{self.name}: operand types differ from the region's argument types")


@irdl_op_definition
class ProcessOp(IsolatedOp):
    """`fpga.process "score" (%words, %scores) { ^bb0(...): ... } : types`: one function of the emitted kernel."""

    name = "fpga.process"
    traits = traits_def(IsolatedFromAbove(), NoTerminator())
    assembly_format = "$sym_name `(` $operands_ `)` $body attr-dict `:` type($operands_)"


@irdl_op_definition
class InstanceOp(IRDLOperation):
    """`fpga.instance of "score" (%words_1, %scores_1) : types`: the process of that name once more, beside it,
    with these operands."""

    name = "fpga.instance"
    process = prop_def(StringAttr)
    operands_ = var_operand_def()
    assembly_format = "`of` $process `(` $operands_ `)` attr-dict `:` type($operands_)"

    def __init__(self, process: str, operands: Sequence[SSAValue]):
        super().__init__(operands=[operands], properties={"process": StringAttr(process)})

    def definition(self) -> ProcessOp:
        """The process that this is an instance of: the nearest of the name before it. VerifyException without one."""
        op = self.prev_op
        while op is not None:
            if isinstance(op, ProcessOp) and op.sym_name == self.process:
                return op
            op = op.prev_op
        raise VerifyException(f"fpga.instance: no process {self.process.data} before it")

    def verify_(self) -> None:
        process = self.definition()
        if [operand.type for operand in self.operands] != [operand.type for operand in process.operands]:
            raise VerifyException(f"fpga.instance: operand types differ from those of {self.process.data}")


@irdl_op_definition
class DataflowOp(IsolatedOp):
    """`fpga.dataflow "row" (%keys, %n) { ... } : types`: streams, then processes that run at the same time. Each
    stream has one process that writes it and one that reads it."""

    name = "fpga.dataflow"
    traits = traits_def(IsolatedFromAbove(), NoTerminator())
    assembly_format = "$sym_name `(` $operands_ `)` $body attr-dict `:` type($operands_)"

    def verify_(self) -> None:
        IsolatedOp.verify_(self)
        for op in self.block.ops:
            if isinstance(op, StreamOp):
                self._verify_ends(op)
            elif not isinstance(op, ProcessOp | InstanceOp):
                raise VerifyException(f"fpga.dataflow holds streams and processes only, got {op.name}")

    def _verify_ends(self, stream: StreamOp) -> None:
        ends = {"read": 0, "write": 0}
        for use in stream.result.uses:
            for access in stream_accesses(use.operation, use.index):
                ends[access] += 1
        for access, count in ends.items():
            if count != 1:
                raise VerifyException(
                    f"fpga.dataflow: stream {stream.sym_name.data} has {count} processes that {access} it, expected 1"
                )


def stream_accesses(process: Operation, position: int) -> set[str]:
    """Whether a process reads or writes the stream passed at `position` ("read", "write")."""
    block = isolated_block(process)
    assert block is not None
    return {"read" if use.operation.name == "fpga.read" else "write" for use in block.args[position].uses}


def isolated_block(op: Operation) -> Block | None:
    """The block whose arguments stand for the operands of a process, a dataflow or an instance; None for other ops."""
    if isinstance(op, InstanceOp):
        return op.definition().block
    return op.block if isinstance(op, IsolatedOp) else None


@irdl_op_definition
class StreamOp(IRDLOperation):
    """`%words = fpga.stream "words" depth 32 : !fpga.stream<f32>`."""

    name = "fpga.stream"
    sym_name = prop_def(StringAttr)
    depth = prop_def(IntegerAttr)
    result = result_def(StreamType)
    assembly_format = "$sym_name `depth` $depth attr-dict `:` type($result)"

    def __init__(self, sym_name: str, depth: int, element: Attribute):
        super().__init__(
            properties={"sym_name": StringAttr(sym_name), "depth": IntegerAttr(depth, 64)},
            result_types=[StreamType(element)],
        )
        self.result.name_hint = sym_name

    def verify_(self) -> None:
        if self.depth.value.data < 1:
            raise VerifyException(f"fpga.stream: a FIFO holds at least one element, got depth {self.depth.value.data}")
