"""One kernel as a C++ source: a function for each process and dataflow, and the top function."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Attribute, Operation, SSAValue

from hetc.backends.cxx.names import Names, argument_name
from hetc.backends.hls import c_types
from hetc.backends.hls.declarations import extents, queue_type
from hetc.backends.hls.expressions import Expression
from hetc.backends.hls.function_printer import FunctionPrinter
from hetc.backends.hls.tables import table_rows
from hetc.dialects import fpga
from hetc.dialects.locations import source_line
from hetc.writer import Writer

LINE_CHARACTERS = 110


class KernelPrinter:
    """Prints one fpga.kernel. Functions with the same text are written once."""

    def __init__(self, kernel: fpga.KernelOp):
        self.kernel = kernel
        self.name = kernel.sym_name.data
        self._functions: dict[tuple[str, str], str] = {}
        self._function_names = Names({self.name})
        self._definitions: list[str] = []

    def source(self) -> str:
        """The text of NAME.cpp."""
        top = self._top()
        writer = Writer()
        place = source_line(self.kernel)
        writer.line(f"// Kernel {self.name}{f', from {place}' if place else ''}.")
        writer.line(f'#include "{self.name}.h"')
        writer.line()
        writer.line("#include <hls_math.h>")
        writer.line()
        writer.line('#include "hetc_kernel.h"')
        writer.line()
        if self._definitions:
            writer.line(f"namespace {self.name}_parts {{")
            for definition in self._definitions:
                writer.line()
                writer.line(definition.rstrip("\n"))
            writer.line()
            writer.line(f"}}  // namespace {self.name}_parts")
            writer.line()
        return writer.text() + top

    def header(self) -> str:
        """The text of NAME.h."""
        guard = f"{self.name.upper()}_H"
        writer = Writer()
        writer.line(f"#ifndef {guard}")
        writer.line(f"#define {guard}")
        writer.line()
        writer.line('#include "hetc_hls.h"')
        writer.line()
        writer.line(f"{self._signature()};")
        writer.line()
        writer.line("#endif")
        return writer.text()

    # The top function

    def _signature(self) -> str:
        parameters = [self._parameter(op) for op in self.kernel.interface]
        return wrapped(f'extern "C" void {self.name}', parameters)

    @staticmethod
    def _parameter(op: fpga.PortOp | fpga.ScalarOp) -> str:
        if isinstance(op, fpga.ScalarOp):
            return f"int {argument_name(op.sym_name.data)}"
        const = "const " if op.access.data == "read" else ""
        return f"{const}{c_types.storage(op.result.type.element)}* {argument_name(op.sym_name.data)}"

    def _top(self) -> str:
        writer = Writer()
        names = Names({argument_name(op.sym_name.data) for op in self.kernel.interface} | {self.name})
        printer = FunctionPrinter(writer, names)
        with writer.block(f"{self._signature()} {{"):
            for op in self.kernel.interface:
                self._interface_pragmas(writer, op)
                printer.texts[op.result] = Expression(argument_name(op.sym_name.data))
            writer.unindented("#pragma HLS INTERFACE s_axilite port=return bundle=control")
            self._body(printer, [op for op in self.kernel.body.ops if op not in self.kernel.interface])
        return writer.text()

    @staticmethod
    def _interface_pragmas(writer: Writer, op: fpga.PortOp | fpga.ScalarOp) -> None:
        name = argument_name(op.sym_name.data)
        if isinstance(op, fpga.PortOp):
            burst, outstanding = op.burst.value.data, op.outstanding.value.data
            options = [f"port={name}", "offset=slave", f"bundle={op.bundle.data}"]
            if op.access.data != "write":
                options += [f"max_read_burst_length={burst}", f"num_read_outstanding={outstanding}"]
            if op.access.data != "read":
                options += [f"max_write_burst_length={burst}", f"num_write_outstanding={outstanding}"]
            writer.unindented(f"#pragma HLS INTERFACE m_axi {' '.join(options)}")
        writer.unindented(f"#pragma HLS INTERFACE s_axilite port={name} bundle=control")

    def _body(self, printer: FunctionPrinter, ops: Sequence[Operation]) -> None:
        """Ops that run in order at the top of a kernel or inside its loops."""
        for op in ops:
            if isinstance(op, fpga.IsolatedOp):
                function = self._function(op)
                printer.comment(op)
                arguments = ", ".join(printer.text(operand) for operand in op.operands)
                printer.writer.line(f"{self.name}_parts::{function}({arguments});")
            elif isinstance(op, fpga.TableOp):
                self._table(printer, op)
            elif isinstance(op, fpga.LoopOp):
                self._top_loop(printer, op)
            else:
                printer.block_op(op)

    def _top_loop(self, printer: FunctionPrinter, op: fpga.LoopOp) -> None:
        """A loop around processes; it carries nothing."""
        assert not op.results
        printer.comment(op)
        block = op.body.block
        index = printer.declare(block.args[0], op.index.data)
        head = f"for (int {index} = {printer.text(op.lower)}; {index} < {printer.operand(op.upper)}; ++{index})"
        with printer.writer.block(f"{head} {{"):
            self._body(printer, [inner for inner in block.ops if not isinstance(inner, fpga.YieldOp)])

    @staticmethod
    def _table(printer: FunctionPrinter, op: fpga.TableOp) -> None:
        name = printer.declare(op.result, op.sym_name.data)
        type_ = op.result.type
        opening = f"static const {c_types.storage(type_.element)} {name}{extents(type_)} = {{"
        with printer.writer.block(opening, "};"):
            for row in table_rows(op):
                printer.writer.line(row)

    # Functions

    def _function(self, op: fpga.IsolatedOp) -> str:
        """The name of the function that the op calls, which is written if no other has its text."""
        is_dataflow = isinstance(op, fpga.DataflowOp)
        writer = Writer()
        printer = FunctionPrinter(writer, Names())
        parameters = [self._function_parameter(printer, argument) for argument in op.block.args]
        printer.comment(op)
        with writer.block(f"{wrapped('static void @', parameters)} {{"):
            if is_dataflow:
                self._dataflow(printer, op)
            else:
                printer.block(op.block)
        key = (op.sym_name.data, writer.text())
        if key not in self._functions:
            name = self._function_names.new(op.sym_name.data)
            self._functions[key] = name
            self._definitions.append(writer.text().replace("static void @(", f"static void {name}(", 1))
        return self._functions[key]

    @staticmethod
    def _function_parameter(printer: FunctionPrinter, argument: SSAValue) -> str:
        name = printer.declare(argument, "input")
        return parameter(argument.type, name, _is_written(argument))

    def _dataflow(self, printer: FunctionPrinter, op: fpga.IsolatedOp) -> None:
        writer = printer.writer
        writer.unindented("#pragma HLS DATAFLOW")
        processes = [inner for inner in op.block.ops if isinstance(inner, fpga.ProcessOp | fpga.InstanceOp)]
        for stream in op.block.ops:
            if isinstance(stream, fpga.StreamOp):
                name = printer.declare(stream.result, stream.sym_name.data)
                element = stream.result.type.element
                depth = stream.depth.value.data
                writer.line(f'hls::stream<{c_types.value(element)}, {depth}> {name}("{name}");')
        writer.line("HETC_DATAFLOW_BEGIN();")
        functions: dict[str, str] = {}
        for process in processes:
            if isinstance(process, fpga.ProcessOp):
                functions[process.sym_name.data] = function = self._function(process)
            else:
                function = functions[process.process.data]
            arguments = ", ".join([function, *(printer.text(operand) for operand in process.operands)])
            writer.line(f"HETC_PROCESS({arguments});")
        writer.line("HETC_DATAFLOW_END();")


def wrapped(head: str, parameters: Sequence[str]) -> str:
    """A function's head; one parameter a line where they do not fit on one."""
    line = f"{head}({', '.join(parameters)})"
    if len(line) <= LINE_CHARACTERS:
        return line
    return f"{head}(\n    " + ",\n    ".join(parameters) + ")"


def parameter(type: Attribute, name: str, written: bool) -> str:
    """The declaration of a function's parameter."""
    match type:
        case fpga.PointerType():
            return f"{'' if written else 'const '}{c_types.storage(type.element)}* {name}"
        case fpga.StreamType():
            return f"hls::stream<{c_types.value(type.element)}>& {name}"
        case fpga.ArrayType():
            return f"{'' if written else 'const '}{c_types.storage(type.element)} (&{name}){extents(type)}"
        case fpga.QueueType():
            return f"{queue_type(type)}& {name}"
    return f"{c_types.value(type)} {name}"


def _is_written(argument: SSAValue) -> bool:
    for use in argument.uses:
        op = use.operation
        if isinstance(op, fpga.StoreOp):
            return True
        inner = fpga.isolated_block(op)
        if inner is not None and _is_written(inner.args[use.index]):
            return True
    return False
