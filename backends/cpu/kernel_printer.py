"""One kernel as a C++ source: a struct of its arguments, and a function of one pointer to it."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.dialects import scf
from xdsl.ir import Operation, SSAValue

from hetc.backends.cpu.body_printer import BodyPrinter
from hetc.backends.cpu.lane_printer import LanePrinter
from hetc.backends.cxx import c_types
from hetc.backends.cxx.expressions import is_known
from hetc.backends.cxx.names import Names
from hetc.dialects import nest
from hetc.dialects.locations import source_line
from hetc.dialects.mp import ConstantOp, DimSizeOp, TensorType
from hetc.dialects.task import ArgumentAttr
from hetc.writer import Writer

_SPARSE = {"row_start": "int64_t", "row_length": "int32_t", "column": "int32_t"}


def knows(op: Operation) -> bool:
    """Whether the op can be printed in a kernel."""
    kinds = (nest.PhaseOp, nest.YieldOp, ConstantOp, DimSizeOp, scf.YieldOp)
    if isinstance(op, nest.AccOp):
        type_ = op.result.type
        assert isinstance(type_, nest.AccType)
        # One queue, where it is used: an array of them, and one that outlives a phase, have no form yet.
        return nest.is_queue(op.result) and not type_.shape and type_.where != nest.GLOBAL
    if isinstance(op, nest.ForOp) and op.is_bound(nest.VECTOR):
        return nest.is_lockstep(op) and nest.not_in_lanes(op) is None
    if isinstance(op, nest.BufferOp):
        return _buffer_type(op).where != nest.STREAM
    return isinstance(op, kinds) or BodyPrinter.prints(op) or is_known(op)


def _buffer_type(op: nest.BufferOp) -> nest.BufferType:
    type_ = op.result.type
    assert isinstance(type_, nest.BufferType)
    return type_


class KernelPrinter:
    """Prints one nest.kernel."""

    def __init__(self, kernel: nest.KernelOp):
        self.kernel = kernel
        self.name = kernel.sym_name.data
        self.constants = [op.result for op in kernel.block.ops if isinstance(op, ConstantOp)]
        self.scratch = [op.result for op in kernel.block.ops if isinstance(op, nest.BufferOp)]

    def source(self) -> str:
        """The text of NAME.cpp."""
        writer, names = Writer(), Names({self.name, f"{self.name}_arguments", "args"})
        place = source_line(self.kernel)
        writer.line(f"// Kernel {self.name}{f', from {place}' if place else ''}.")
        has_lanes = any(isinstance(op, nest.ForOp) and op.is_bound(nest.VECTOR) for op in self.kernel.walk())
        writer.line(f'#include "{"hetc_lanes_math.h" if has_lanes else "hetc_cpu.h"}"')
        writer.line()
        printer = LanePrinter(writer, names)
        fields = list(self._fields(printer))
        with writer.block(f"struct {self.name}_arguments {{", "};"):
            for type_, name, comment in fields:
                writer.line(f"{type_} {name};{f'  // {comment}' if comment else ''}")
        writer.line()
        with writer.block(f'extern "C" void {self.name}(const {self.name}_arguments* args) {{'):
            for type_, name, _ in fields:
                writer.line(f"{_local(type_)} {name} = args->{name};")
            for op in self.kernel.block.ops:
                if isinstance(op, nest.PhaseOp):
                    writer.line()
                    printer.comment(op)
                    with writer.block("{"):
                        printer.scope(op.block)
        return writer.text()

    def _fields(self, printer: BodyPrinter) -> Iterator[tuple[str, str, str]]:
        """C++ type, name and comment of each argument, in the order of the host's list."""
        for item in self.kernel.arguments:
            yield self._field(item, printer)

    def _field(self, item: ArgumentAttr, printer: BodyPrinter) -> tuple[str, str, str]:
        number, part = item.index.data, item.part.data
        match item.role.data:
            case "operand":
                return self._operand(self.kernel.operand_arguments[number], part, printer)
            case "constant":
                return self._operand(self.constants[number], part, printer)
            case "result":
                return self._buffer(self.kernel.result_arguments[number], printer)
            case "scratch":
                return self._buffer(self.scratch[number], printer)
            case "length":
                return ("const int32_t*", printer.names.new(f"len_{part}"), "")
        return ("int64_t", printer.names.new(f"cap_{part}"), "")

    def _operand(self, value: SSAValue, part: str, printer: BodyPrinter) -> tuple[str, str, str]:
        type_ = value.type
        assert isinstance(type_, TensorType)
        hint = value.name_hint or "operand"
        if part == "table":
            name = f"{printer.text(value)}_table"
            return ("const int32_t*", printer.names.new(name), "")
        if part in (*_SPARSE, "value"):
            if part == "row_start":
                printer.declare(value, hint)
            kind = _SPARSE.get(part) or c_types.storage(type_.element)
            return (f"const {kind}*", printer.names.new(f"{printer.text(value)}_{part}"), "")
        name = printer.declare(value, hint)
        return (f"const {c_types.storage(type_.element)}*", name, _shape(type_.shape))

    def _buffer(self, value: SSAValue, printer: BodyPrinter) -> tuple[str, str, str]:
        type_ = value.type
        assert isinstance(type_, nest.BufferType)
        name = printer.declare(value, value.name_hint or "result")
        return (f"{c_types.storage(type_.element)}*", name, _shape(type_.shape))


def _shape(shape: tuple[int | str, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]" if shape else ""


def _local(type: str) -> str:
    """The type of an argument's copy in the function: operands are read only, and through no other pointer."""
    if not type.endswith("*"):
        return f"const {type}"
    return f"{type} __restrict" if type.startswith("const") else f"{type} const"
