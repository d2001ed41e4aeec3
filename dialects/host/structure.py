"""The frame of a host program, and what runs on devices.

host.program   a symbol table: dims and declarations (mp.dim, mp.declare) and one host.step a step
host.step      one callable step
host.kernel    the launches that make up one task kernel: what it reads and writes
host.launch    one launch of a generated kernel
host.wait      wait for what was launched on a device
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, StringAttr, SymbolNameConstraint
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import IsolatedFromAbove, NoTerminator, SymbolOpInterface, SymbolTable
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.host.types import BufferType
from hetc.dialects.mp import DeclareOp, DimOp
from hetc.dialects.task import ArgumentAttr


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
        expected = sum(not item.of_dim for item in self.arguments)
        if len(self.buffers) != expected:
            raise VerifyException(f"host.launch: expected {expected} buffers, got {len(self.buffers)}")
        for item in self.arguments:
            if item.of_dim and not item.part.data:
                raise VerifyException(f"host.launch: a {item.role.data} names its dim")


@irdl_op_definition
class WaitOp(IRDLOperation):
    """`host.wait "fpga"`: everything launched on the device has completed."""

    name = "host.wait"
    device = prop_def(StringAttr)
    assembly_format = "$device attr-dict"

    def __init__(self, device: str):
        super().__init__(properties={"device": StringAttr(device)})
