"""The files of the kernels for a processor."""

from __future__ import annotations

from importlib.resources import files

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from hetc.backends.cpu.kernel_printer import KernelPrinter, knows
from hetc.diagnostics import Diagnostic
from hetc.dialects import nest
from hetc.dialects.locations import source_line

KIND = "cpu"
HEADERS = ("hetc_cpu.h", "hetc_exp.h", "hetc_lanes.h", "hetc_lanes_convert.h", "hetc_lanes_math.h", "hetc_scalar.h")


def kernels(module: ModuleOp) -> list[nest.KernelOp]:
    """The processor's kernels of a module."""
    found = [op for op in module.body.block.ops if isinstance(op, nest.KernelOp)]
    return [op for op in found if op.device.data == KIND]


def check(module: ModuleOp) -> list[Diagnostic]:
    """What this backend cannot print."""
    return [_unknown(kernel, op) for kernel in kernels(module) for op in kernel.body.walk() if not knows(op)]


def _unknown(kernel: nest.KernelOp, op: Operation) -> Diagnostic:
    place = source_line(op)
    where = f" ({place})" if place else ""
    return Diagnostic("error", "HET330", f"C++ has no form for {op.name} in kernel {kernel.sym_name.data}{where}")


def emit(module: ModuleOp) -> dict[str, str]:
    """Path -> text of every file: cpu/KERNEL.cpp, and the headers that they include."""
    found = kernels(module)
    out = {f"{KIND}/{op.sym_name.data}.cpp": KernelPrinter(op).source() for op in found}
    if found:
        folder = files("hetc") / "runtime" / "include"
        out.update({f"{KIND}/{header}": (folder / header).read_text() for header in HEADERS})
    return out
