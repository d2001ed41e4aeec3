"""The Triton backend: a module's tile kernels as one Python file, and what the host needs to launch them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import ModuleOp

from hetc.backends.triton import expressions
from hetc.backends.triton.emitter import KernelPrinter
from hetc.backends.triton.helpers import all_helpers, needed
from hetc.backends.triton.types import signature_type
from hetc.diagnostics import Diagnostic
from hetc.dialects import tile
from hetc.dialects.locations import source_line
from hetc.dialects.mp import TensorType, dtype_name
from hetc.dialects.tile import PointerType

_PRINTED = (
    tile.LoadOp, tile.StoreOp, tile.AtomicAddOp, tile.ArgReduceOp, tile.ArgCombineOp, tile.ProgramIdOp, tile.RangeOp,
    tile.BroadcastOp, tile.ReshapeOp, tile.PermuteOp, tile.WhereOp, tile.CastOp, tile.DecodeOp, tile.EncodeOp,
    tile.ReduceOp, tile.CumsumOp, tile.HistogramOp, tile.DotOp, scf.ForOp, scf.IfOp, scf.YieldOp, arith.ConstantOp,
    arith.NegfOp, arith.BitcastOp, tile.BarrierOp,
)  # fmt: skip

_HEADER = '''"""GPU kernels. Generated; runs alone, on a GPU or, with TRITON_INTERPRET=1, on a CPU."""

import triton
import triton.language as tl
'''


def _kernels(module: ModuleOp) -> Iterator[tile.KernelOp]:
    for op in module.ops:
        if isinstance(op, tile.KernelOp):
            yield op


def check(module: ModuleOp) -> list[Diagnostic]:
    """What this backend cannot print."""
    problems = []
    names: set[str] = set(all_helpers())
    for kernel in _kernels(module):
        if kernel.sym_name.data in names:
            problems.append(_problem(f"a GPU kernel cannot be called {kernel.sym_name.data}: the name is taken"))
        names.add(kernel.sym_name.data)
        for op in kernel.body.block.walk():
            if not (isinstance(op, _PRINTED) or expressions.is_elementwise(op)):
                problems.append(
                    _problem(f"Triton has no form for {op.name} ({source_line(op) or kernel.sym_name.data})")
                )
    return problems


def _problem(message: str) -> Diagnostic:
    return Diagnostic("error", "HET303", message)


def emit(module: ModuleOp) -> dict[str, str]:
    """`gpu/kernels.py` and `gpu/kernels.json` for the module's tile kernels; empty where it has none.

    Expects that `check` found nothing."""
    helpers: set[str] = set()
    bodies, described = [], {}
    reserved = set(all_helpers()) | {kernel.sym_name.data for kernel in _kernels(module)}
    for kernel in _kernels(module):
        printer = KernelPrinter(kernel, helpers, reserved)
        bodies.append(printer.print())
        described[kernel.sym_name.data] = _described(kernel, printer.argument_names)
    if not bodies:
        return {}
    parts = [_HEADER, *(f"{text}\n" for text in needed(helpers)), *bodies]
    manifest = json.dumps({"kernels": described}, indent=2)
    return {"gpu/kernels.py": "\n\n".join(parts), "gpu/kernels.json": f"{manifest}\n"}


def _described(kernel: tile.KernelOp, names: list[str]) -> dict[str, object]:
    """One kernel's entry of kernels.json."""
    arguments = []
    for item, value, name in zip(kernel.arguments, kernel.body.block.args, names, strict=True):
        role = item.role.data
        entry: dict[str, object] = {"name": name, "role": role}
        if item.of_dim:
            entry["dim"] = kernel.dim_names[item.index.data]
        else:
            entry["index"] = item.index.data
        if item.part.data:
            entry["part"] = item.part.data
        type_ = value.type
        entry["type"] = f"*{signature_type(type_.element)}" if isinstance(type_, PointerType) else signature_type(type_)
        arguments.append(entry)
    return {
        "task": kernel.task.data,
        "order": kernel.order.value.data,
        "source": source_line(kernel),
        "arguments": arguments,
        "grid": [{"extent": entry.size, "tile": entry.tile.data} for entry in kernel.grid],
        "num_warps": kernel.num_warps.value.data,
        "num_stages": kernel.num_stages.value.data,
        "constexprs": [item.data for item in kernel.constexprs],
        "scratch": [_buffer(type) for type in kernel.scratch],
    }


def _buffer(type: TensorType) -> dict[str, object]:
    return {"extents": list(type.shape), "element": dtype_name(type.element)}
