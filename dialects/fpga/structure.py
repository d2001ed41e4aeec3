"""The frame of an FPGA kernel and its arguments.

fpga.kernel     one compute unit; the ops of its body run in order
fpga.port       a pointer argument and the AXI master behind it
fpga.scalar     an argument passed by value
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    IndexType,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
)
from xdsl.ir import Region
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    prop_def,
    region_def,
    result_def,
    traits_def,
)
from xdsl.traits import IsolatedFromAbove, NoTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.fpga.types import PointerType, element_bits
from hetc.dialects.mp import TensorType
from hetc.dialects.task import ArgumentAttr


@irdl_op_definition
class KernelOp(IRDLOperation):
    """One compute unit. Its ports and scalars come first, in the order of the host's argument list, which
    `arguments` describes; `task` names the task.kernel that it implements; `scratch` are the buffers in device
    memory that the host allocates for it; `target` says what it is built for (`part`, `platform`, `clock_ns`).

    `fpga.kernel @scan task "scan" arguments [...] scratch [] target {...} { ... }`"""

    name = "fpga.kernel"
    sym_name = prop_def(SymbolNameConstraint())
    task = prop_def(StringAttr)
    arguments = prop_def(ArrayAttr[ArgumentAttr])
    scratch = prop_def(ArrayAttr[TensorType])
    target = prop_def(DictionaryAttr)
    body = region_def("single_block")
    traits = traits_def(SymbolOpInterface(), IsolatedFromAbove(), NoTerminator())
    assembly_format = (
        "$sym_name `task` $task `arguments` $arguments `scratch` $scratch `target` $target $body attr-dict"
    )

    def __init__(
        self,
        sym_name: str,
        task: str,
        arguments: Sequence[ArgumentAttr],
        scratch: Sequence[TensorType],
        target: Mapping[str, str],
        body: Region,
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(sym_name),
                "task": StringAttr(task),
                "arguments": ArrayAttr(arguments),
                "scratch": ArrayAttr(scratch),
                "target": DictionaryAttr({name: StringAttr(text) for name, text in target.items()}),
            },
            regions=[body],
        )

    @property
    def interface(self) -> list[PortOp | ScalarOp]:
        """The ports and scalars, in argument order."""
        return [op for op in self.body.ops if isinstance(op, PortOp | ScalarOp)]

    def verify_(self) -> None:
        if len(self.interface) != len(self.arguments):
            raise VerifyException(
                f"fpga.kernel: {len(self.arguments)} arguments but {len(self.interface)} ports and scalars"
            )
        for op in self.interface:
            by_value = op.argument.role.data == "capacity"
            if by_value != isinstance(op, ScalarOp):
                raise VerifyException(f"fpga.kernel: argument {op.sym_name.data} is passed the wrong way")
        bundles = [op.bundle.data for op in self.interface if isinstance(op, PortOp)]
        if len(set(bundles)) != len(bundles):
            raise VerifyException("fpga.kernel: two ports share a bundle")


class _InterfaceOp(IRDLOperation):
    sym_name = prop_def(StringAttr)

    @property
    def argument(self) -> ArgumentAttr:
        """The entry of the kernel's `arguments` that this op declares."""
        kernel = self.parent_op()
        assert isinstance(kernel, KernelOp)
        position = next(number for number, op in enumerate(kernel.interface) if op is self)
        return kernel.arguments.data[position]


@irdl_op_definition
class PortOp(_InterfaceOp):
    """`%keys = fpga.port "keys" bundle "gmem0" bank 0 burst 64 outstanding 16 access "read" : !fpga.pointer<...>`:
    an AXI master. Its width is the element's; `burst` counts elements; `bank` is the memory channel it is joined to,
    or -1 where the tools may choose."""

    name = "fpga.port"
    bundle = prop_def(StringAttr)
    bank = prop_def(IntegerAttr)
    burst = prop_def(IntegerAttr)
    outstanding = prop_def(IntegerAttr)
    access = prop_def(StringAttr)
    result = result_def(PointerType)
    assembly_format = (
        "$sym_name `bundle` $bundle `bank` $bank `burst` $burst `outstanding` $outstanding "
        "`access` $access attr-dict `:` type($result)"
    )

    def __init__(
        self, sym_name: str, bundle: str, type: PointerType, *, bank: int = -1, burst: int = 64,
        outstanding: int = 16, access: str = "read",
    ):  # fmt: skip
        super().__init__(
            properties={
                "sym_name": StringAttr(sym_name),
                "bundle": StringAttr(bundle),
                "bank": IntegerAttr(bank, 64),
                "burst": IntegerAttr(burst, 64),
                "outstanding": IntegerAttr(outstanding, 64),
                "access": StringAttr(access),
            },
            result_types=[type],
        )
        self.result.name_hint = sym_name

    @property
    def width_bits(self) -> int:
        return element_bits(self.result.type.element)

    def verify_(self) -> None:
        if self.access.data not in ("read", "write", "both"):
            raise VerifyException(f"fpga.port: access is read, write or both, got {self.access.data}")
        if self.width_bits > 512 or self.width_bits & (self.width_bits - 1):
            raise VerifyException(f"fpga.port: a width of {self.width_bits} bits is not a power of two up to 512")


@irdl_op_definition
class ScalarOp(_InterfaceOp):
    """`%cap_T = fpga.scalar "cap_T" : index`: a 32-bit integer passed by value."""

    name = "fpga.scalar"
    result = result_def(IndexType())
    assembly_format = "$sym_name attr-dict `:` type($result)"

    def __init__(self, sym_name: str):
        super().__init__(properties={"sym_name": StringAttr(sym_name)}, result_types=[IndexType()])
        self.result.name_hint = sym_name
