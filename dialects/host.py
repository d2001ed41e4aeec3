"""The host dialect: what the host does in one call of a step, in order.

host.program   a symbol table: dims and declarations (mp.dim, mp.declare) and one host.step a step
host.step      one callable step
host.input     a tensor that the caller hands in, in the host's memory
host.memory    a memory at its home, as it is when the step starts
host.constant  a table known at compile time, kept on a device
host.allocate  the buffer of a value, kept from call to call
host.copy      a value made available elsewhere
host.kernel    the launches that make up one task kernel: what it reads and writes
host.launch    one launch of a generated kernel
host.wait      wait for what was launched on a device
host.append    rows written at the end of a memory
host.commit    a memory's new contents, visible once the step has completed
host.output    a value handed to the caller

!host.buffer<[B, T, 128], bf16, "fpga">               a tensor in a device's memory
!host.buffer<[B, T, 128], bf16, "fpga" striped 8 at 1>  row t of extent 1 in channel t % 8
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    IntAttr,
    StringAttr,
    SymbolNameConstraint,
)
from xdsl.ir import Attribute, Block, Dialect, ParametrizedAttribute, Region, SSAValue, TypeAttribute
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, NoTerminator, SymbolOpInterface, SymbolTable
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp import DeclareOp, DimOp, TensorType
from hetc.dialects.task import ArgumentAttr

HOST_KIND = "host"


@irdl_attr_definition
class BufferType(ParametrizedAttribute, TypeAttribute):
    """A tensor in the memory of a device kind. With `channels` > 1 it lies in so many buffers: row t along the
    extent at position `axis` in buffer t % channels, at local row t // channels."""

    name = "host.buffer"
    tensor: TensorType
    device: StringAttr
    channels: IntAttr
    axis: IntAttr

    def __init__(
        self, tensor: TensorType, device: str | StringAttr, channels: int | IntAttr = 1, axis: int | IntAttr = 0
    ):
        super().__init__(
            tensor,
            StringAttr(device) if isinstance(device, str) else device,
            IntAttr(channels) if isinstance(channels, int) else channels,
            IntAttr(axis) if isinstance(axis, int) else axis,
        )

    @property
    def kind(self) -> str:
        return self.device.data

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_attribute(self.tensor)
            printer.print_string(f' on "{self.kind}"')
            if self.channels.data > 1:
                printer.print_string(f" striped {self.channels.data} at {self.axis.data}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            tensor = parser.parse_attribute()
            parser.parse_keyword("on")
            device = StringAttr(parser.parse_str_literal())
            channels, axis = 1, 0
            if parser.parse_optional_keyword("striped"):
                channels = parser.parse_integer()
                parser.parse_keyword("at")
                axis = parser.parse_integer()
        return (tensor, device, IntAttr(channels), IntAttr(axis))

    def verify(self) -> None:
        if not isinstance(self.tensor, TensorType):
            raise VerifyException(f"host.buffer: expected an mp.tensor, got {self.tensor}")
        if self.channels.data < 1 or not 0 <= self.axis.data < max(self.tensor.rank, 1):
            raise VerifyException(f"host.buffer: {self.channels.data} channels along extent {self.axis.data}")
        if self.channels.data > 1 and self.tensor.is_sparse:
            raise VerifyException("host.buffer: a sparse tensor is not striped")


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """`host.program "p" source "p.mp" { mp.dim ... mp.declare ... host.step ... }`: the whole host program of a
    pipeline. It is no symbol of the module's: the pipeline has that name."""

    name = "host.program"
    pipeline = prop_def(StringAttr)
    source = prop_def(StringAttr)
    body = region_def("single_block")
    traits = traits_def(SymbolTable(), NoTerminator(), IsolatedFromAbove())
    assembly_format = "$pipeline `source` $source $body attr-dict"

    def __init__(self, pipeline: str, source: str, body: Region):
        super().__init__(properties={"pipeline": StringAttr(pipeline), "source": StringAttr(source)}, regions=[body])

    @property
    def dims(self) -> dict[str, DimOp]:
        return {op.sym_name.data: op for op in self.body.ops if isinstance(op, DimOp)}

    @property
    def declarations(self) -> dict[str, DeclareOp]:
        return {op.sym_name.data: op for op in self.body.ops if isinstance(op, DeclareOp)}

    @property
    def steps(self) -> list[StepOp]:
        return [op for op in self.body.ops if isinstance(op, StepOp)]


@irdl_op_definition
class StepOp(IRDLOperation):
    """`host.step @decode grows {T = 1 : i64} { ... }`: what one call does, in order."""

    name = "host.step"
    sym_name = prop_def(SymbolNameConstraint())
    grows = prop_def(DictionaryAttr)
    body = region_def("single_block")
    traits = traits_def(SymbolOpInterface(), NoTerminator(), IsolatedFromAbove())
    assembly_format = "$sym_name `grows` $grows $body attr-dict"

    def __init__(self, sym_name: str, grows: Mapping[str, Attribute] | DictionaryAttr, body: Region):
        grows = grows if isinstance(grows, DictionaryAttr) else DictionaryAttr(dict(grows))
        super().__init__(properties={"sym_name": StringAttr(sym_name), "grows": grows}, regions=[body])

    @property
    def block(self) -> Block:
        return self.body.block


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


@irdl_op_definition
class AllocateOp(IRDLOperation):
    """`%s = host.allocate "s" : !host.buffer<...>`: a buffer with undefined contents, the same at every call unless
    a memory takes it over."""

    name = "host.allocate"
    buffer = prop_def(StringAttr)
    result = result_def(BufferType)
    assembly_format = "$buffer attr-dict `:` type($result)"

    def __init__(self, buffer: str, type: BufferType):
        super().__init__(properties={"buffer": StringAttr(buffer)}, result_types=[type])
        self.result.name_hint = buffer


@irdl_op_definition
class CopyOp(IRDLOperation):
    """`%y = host.copy "y" %x : !host.buffer<... on "gpu"> -> !host.buffer<... on "fpga">`. Of a memory only the rows
    move that the copy there lacks."""

    name = "host.copy"
    buffer = prop_def(StringAttr)
    value = operand_def(BufferType)
    result = result_def(BufferType)
    assembly_format = "$buffer $value attr-dict `:` type($value) `->` type($result)"

    def __init__(self, buffer: str, value: SSAValue, type: BufferType):
        super().__init__(operands=[value], properties={"buffer": StringAttr(buffer)}, result_types=[type])
        self.result.name_hint = buffer

    def verify_(self) -> None:
        source, target = self.value.type, self.result.type
        assert isinstance(source, BufferType) and isinstance(target, BufferType)
        if source == target:
            raise VerifyException("host.copy: the value is there already")
        if source.tensor != target.tensor:
            raise VerifyException(f"host.copy keeps the tensor type {source.tensor}, got {target.tensor}")


@irdl_op_definition
class KernelOp(IRDLOperation):
    """`host.kernel "scan" on "fpga" reads (%q, %keys) writes (%s) { host.launch ... } : (types) -> (types)`."""

    name = "host.kernel"
    task = prop_def(StringAttr)
    device = prop_def(StringAttr)
    reads = var_operand_def(BufferType)
    writes = var_operand_def(BufferType)
    body = region_def("single_block")
    traits = traits_def(NoTerminator())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$task `on` $device `reads` `(` $reads `)` `writes` `(` $writes `)` $body attr-dict "
        "`:` `(` type($reads) `)` `->` `(` type($writes) `)`"
    )

    def __init__(self, task: str, device: str, reads: Sequence[SSAValue], writes: Sequence[SSAValue], body: Region):
        super().__init__(
            operands=[reads, writes],
            properties={"task": StringAttr(task), "device": StringAttr(device)},
            regions=[body],
        )

    @property
    def launches(self) -> list[LaunchOp]:
        return [op for op in self.body.ops if isinstance(op, LaunchOp)]

    def verify_(self) -> None:
        for value in (*self.reads, *self.writes):
            if cast(BufferType, value.type).kind != self.device.data:
                raise VerifyException(f"host.kernel: {self.task.data} on {self.device.data} is given {value.type}")
        if len(self.launches) != len(list(self.body.ops)):
            raise VerifyException("host.kernel holds launches only")


@irdl_op_definition
class LaunchOp(IRDLOperation):
    """`host.launch "scan_0" arguments [#task.argument<...>] options {...} (%q, %s) : types`: `arguments` is the
    generated kernel's list; the operands are its buffers in that order, lengths and capacities left out, and a tensor
    passed in several parts named once for each. `options`: how the device is to launch it (grid, warps, ...)."""

    name = "host.launch"
    kernel = prop_def(StringAttr)
    arguments = prop_def(ArrayAttr[ArgumentAttr])
    options = prop_def(DictionaryAttr)
    buffers = var_operand_def(BufferType)
    assembly_format = "$kernel `arguments` $arguments `options` $options `(` $buffers `)` attr-dict `:` type($buffers)"

    def __init__(
        self,
        kernel: str,
        arguments: Sequence[ArgumentAttr],
        options: Mapping[str, Attribute],
        buffers: Sequence[SSAValue],
    ):
        super().__init__(
            operands=[buffers],
            properties={
                "kernel": StringAttr(kernel),
                "arguments": ArrayAttr(arguments),
                "options": DictionaryAttr(dict(options)),
            },
        )

    def verify_(self) -> None:
        expected = sum(item.role.data not in ("length", "capacity") for item in self.arguments)
        if len(self.buffers) != expected:
            raise VerifyException(f"host.launch: expected {expected} buffers, got {len(self.buffers)}")
        for item in self.arguments:
            if item.role.data in ("length", "capacity") and not item.part.data:
                raise VerifyException(f"host.launch: a {item.role.data} names its dim")


@irdl_op_definition
class WaitOp(IRDLOperation):
    """`host.wait "fpga"`: everything launched on the device has completed."""

    name = "host.wait"
    device = prop_def(StringAttr)
    assembly_format = "$device attr-dict"

    def __init__(self, device: str):
        super().__init__(properties={"device": StringAttr(device)})


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


HOST = Dialect(
    "host",
    [
        ProgramOp, StepOp, InputOp, MemoryOp, ConstantOp, AllocateOp, CopyOp, KernelOp, LaunchOp, WaitOp, AppendOp,
        CommitOp, OutputOp,
    ],
    [BufferType],
)  # fmt: skip
