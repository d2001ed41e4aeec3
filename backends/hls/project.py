"""The files of each kernel's project: sources, testbench, and what the vendor's tools are told."""

from __future__ import annotations

from importlib.resources import files

from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation

from hetc.backends.cxx.names import Names, argument_name
from hetc.backends.hls.function_printer import FunctionPrinter
from hetc.backends.hls.kernel_printer import KernelPrinter
from hetc.backends.hls.testbench import testbench
from hetc.diagnostics import Diagnostic
from hetc.dialects import fpga
from hetc.dialects.locations import source_line
from hetc.writer import Writer

HEADERS = ("hetc_hls.h", "hetc_float.h", "hetc_scalar.h")  # of the runtime; projects carry them for synthesis


def kernels(module: ModuleOp) -> list[fpga.KernelOp]:
    """The FPGA kernels of a module."""
    return [op for op in module.body.block.ops if isinstance(op, fpga.KernelOp)]


def check(module: ModuleOp) -> list[Diagnostic]:
    """What this backend cannot print."""
    printer = FunctionPrinter(Writer(), Names())
    frame = (fpga.KernelOp, fpga.IsolatedOp, fpga.InstanceOp, fpga.PortOp, fpga.ScalarOp, fpga.StreamOp, fpga.TableOp)
    found = []
    for kernel in kernels(module):
        for op in kernel.walk():
            if not isinstance(op, frame) and not printer.knows(op):
                found.append(_unknown(kernel, op))
    return found


def _unknown(kernel: fpga.KernelOp, op: Operation) -> Diagnostic:
    place = source_line(op)
    where = f" ({place})" if place else ""
    return Diagnostic("error", "HET330", f"HLS C++ has no form for {op.name} in kernel {kernel.sym_name.data}{where}")


def emit(module: ModuleOp) -> dict[str, str]:
    """Path -> text of every file, under fpga/KERNEL/. The same module gives the same bytes."""
    out: dict[str, str] = {}
    for kernel in kernels(module):
        name = kernel.sym_name.data
        printer = KernelPrinter(kernel)
        folder = f"fpga/{name}"
        out[f"{folder}/{name}.cpp"] = printer.source()
        out[f"{folder}/{name}.h"] = printer.header()
        out[f"{folder}/{name}_tb.cpp"] = testbench(kernel)
        out[f"{folder}/link.cfg"] = link_configuration(kernel)
        for template, values in _fixed_files(kernel).items():
            out[f"{folder}/{template}"] = filled(f"{template}.tmpl", values)
        for header, text in support_headers().items():
            out[f"{folder}/{header}"] = text
    return out


def _fixed_files(kernel: fpga.KernelOp) -> dict[str, dict[str, str]]:
    """Template -> what stands for its @NAMES@. The target is the kernel's own, set when it was lowered."""
    target = {name: value.data for name, value in kernel.target.data.items() if isinstance(value, StringAttr)}
    values = {"KERNEL": kernel.sym_name.data, **{name.upper(): text for name, text in target.items()}}
    return dict.fromkeys(("Makefile", "hls_config.cfg", "run_hls.tcl", "xrt.ini"), values)


def filled(template: str, values: dict[str, str]) -> str:
    """A template's text with @NAME@ replaced."""
    text = (files("hetc.backends.hls") / "templates" / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def link_configuration(kernel: fpga.KernelOp) -> str:
    """link.cfg: one compute unit, and the memory channel of each port."""
    name = kernel.sym_name.data
    writer = Writer()
    writer.line("[connectivity]")
    writer.line(f"nk={name}:1:{name}_1")
    for op in kernel.interface:
        if isinstance(op, fpga.PortOp) and op.bank.value.data >= 0:
            writer.line(f"sp={name}_1.{argument_name(op.sym_name.data)}:HBM[{op.bank.value.data}]")
    return writer.text()


def support_headers() -> dict[str, str]:
    """What every project includes."""
    runtime = files("hetc") / "runtime" / "include"
    texts = {name: (runtime / name).read_text() for name in HEADERS}
    texts["hetc_kernel.h"] = (files("hetc.backends.hls") / "templates" / "hetc_kernel.h").read_text()
    return texts
