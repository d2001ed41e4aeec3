"""The frame of a kernel.

nest.kernel   one task kernel as loops, for one kind of device
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, StringAttr, SymbolNameConstraint
from xdsl.ir import Block, BlockArgument, Region
from xdsl.irdl import IRDLOperation, irdl_op_definition, prop_def, region_def, traits_def
from xdsl.traits import IsolatedFromAbove, NoTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp import TensorType
from hetc.dialects.nest.legality import verify_kernel
from hetc.dialects.nest.types import GLOBAL, BufferType
from hetc.dialects.task import ArgumentAttr


@irdl_op_definition
class KernelOp(IRDLOperation):
    """One task kernel as loops. The region's arguments are the operands of the task kernel, then a global buffer for
    each of its results; its ops are constants, global buffers and states, and phases.

    `arguments` is the argument list of the generated kernel and `scratch` the buffers that the host allocates for it:
    both are written down by the pass `bind-arguments`, when the loops are final.

        nest.kernel @scan task "scan" on "cpu" arguments [...] scratch [...] {
        ^bb0(%q: !mp.tensor<[B, 128], f32>, %s: !nest.buf<[B, T] x f32, global>):
          nest.phase { ... }
        }"""

    name = "nest.kernel"
    sym_name = prop_def(SymbolNameConstraint())
    task = prop_def(StringAttr)
    device = prop_def(StringAttr)
    arguments = prop_def(ArrayAttr[ArgumentAttr])
    scratch = prop_def(ArrayAttr[TensorType])
    body = region_def("single_block")
    traits = traits_def(SymbolOpInterface(), IsolatedFromAbove(), NoTerminator())
    assembly_format = "$sym_name `task` $task `on` $device `arguments` $arguments `scratch` $scratch $body attr-dict"

    def __init__(
        self,
        sym_name: str,
        task: str,
        device: str,
        body: Region,
        arguments: Sequence[ArgumentAttr] = (),
        scratch: Sequence[TensorType] = (),
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(sym_name),
                "task": StringAttr(task),
                "device": StringAttr(device),
                "arguments": ArrayAttr(arguments),
                "scratch": ArrayAttr(scratch),
            },
            regions=[body],
        )

    @property
    def block(self) -> Block:
        return self.body.block

    @property
    def operand_arguments(self) -> list[BlockArgument]:
        return [argument for argument in self.block.args if isinstance(argument.type, TensorType)]

    @property
    def result_arguments(self) -> list[BlockArgument]:
        return [argument for argument in self.block.args if isinstance(argument.type, BufferType)]

    def verify_(self) -> None:
        types = [argument.type for argument in self.block.args]
        for type_ in types:
            if not isinstance(type_, TensorType | BufferType):
                raise VerifyException(f"nest.kernel: an argument is an mp.tensor or a nest.buf, got {type_}")
            if isinstance(type_, BufferType) and type_.where != GLOBAL:
                raise VerifyException(f"nest.kernel: a result lies in a global buffer, got {type_}")
        kinds = [isinstance(type_, BufferType) for type_ in types]
        if kinds != sorted(kinds):
            raise VerifyException("nest.kernel: operands come before results")
        allowed = ("nest.phase", "nest.buffer", "nest.acc", "mp.constant")
        for op in self.block.ops:
            if op.name not in allowed:
                raise VerifyException(f"nest.kernel holds {', '.join(allowed)}, got {op.name}")
        verify_kernel(self)
