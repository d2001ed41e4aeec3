"""Runs a nest.kernel that is given as text on the processor: its combiners expanded, printed as C++, compiled."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from hetc.backends.cpu.kernel_printer import KernelPrinter, knows
from hetc.backends.cpu.project import HEADERS
from hetc.dialects import nest
from hetc.dialects.mp import DimAttr, DimOp, TensorType, dtype_name
from hetc.dialects.registry import new_context
from hetc.dialects.task import ArgumentAttr
from hetc.numerics.dtypes import dtype_of
from hetc.passes.nest.bind_arguments import BindArgumentsPass
from hetc.passes.nest.building import dims_of
from hetc.passes.nest.expand_combiners import ExpandCombinersPass
from hetc.passes.nest.expand_lanes import ExpandLanesPass
from hetc.passes.nest.rewrites import Rewrite
from hetc.runtime.cpu_build import build


def parsed(text: str) -> ModuleOp:
    """A verified module. Raises VerifyException."""
    module = Parser(new_context(), text).parse_module()
    module.verify()
    return module


def lowered(text: str, rewrites: Sequence[Rewrite] = ()) -> tuple[ModuleOp, nest.KernelOp]:
    """A module and its one nest.kernel, as they are printed for a processor, whatever device the text names. `rewrites`
    are applied first."""
    module = parsed(text)
    (kernel,) = (op for op in module.body.block.ops if isinstance(op, nest.KernelOp))
    for rewrite in rewrites:
        rewrite(kernel, dims_of(module))
        module.verify()
    for loop in [op for op in kernel.walk() if isinstance(op, nest.ForOp) and op.is_bound(nest.VECTOR)]:
        # Serial execution is what loops mean: another device's lanes may be more than a processor's.
        if nest.not_in_lanes(loop) is not None:
            del loop.properties["bind"]
    for pass_ in (ExpandLanesPass, ExpandCombinersPass, BindArgumentsPass):
        pass_(devices=(kernel.device.data,)).apply(new_context(), module)
        module.verify()
    return module, kernel


def source(text: str, rewrites: Sequence[Rewrite] = ()) -> str:
    """The C++ of the kernel."""
    return _printed(lowered(text, rewrites)[1])


def _printed(kernel: nest.KernelOp) -> str:
    unknown = {op.name for op in kernel.body.walk() if not knows(op)}
    assert not unknown, unknown
    return KernelPrinter(kernel).source()


def run(
    text: str,
    operands: Sequence[NDArray | Mapping[str, NDArray]],
    lengths: Mapping[str, Sequence[int]] | None = None,
    rewrites: Sequence[Rewrite] = (),
) -> list[NDArray]:
    """The results of the kernel, each in its capacity, for operands as they are stored (bits of narrow floats).

    lengths: of each run-time dim the extent, or those of each row; the module's pipeline declares its dims. A sparse
    operand is a mapping of its parts."""
    module, kernel = lowered(text, rewrites)
    dims = {name: list(values) for name, values in (lengths or {}).items()}
    folder = files("hetc") / "runtime" / "include"
    headers = {name: (folder / name).read_text() for name in HEADERS}
    library = build({**headers, "kernel.cpp": _printed(kernel)})
    capacities = {name: max(values) for name, values in dims.items()}
    results = [_made(argument.type, capacities) for argument in kernel.result_arguments]
    scratch = [_made(type_, capacities) for type_ in kernel.scratch]
    live = {name: np.array(values, np.int32) for name, values in dims.items()}

    def slot(item: ArgumentAttr) -> int:
        number, part = item.index.data, item.part.data
        match item.role.data:
            case "operand":
                given = operands[number]
                return _address(given[part] if isinstance(given, Mapping) else given)
            case "result":
                return _address(results[number])
            case "scratch":
                return _address(scratch[number])
            case "length":
                return _address(live[part])
        return capacities[part]

    slots = [slot(item) for item in kernel.arguments]
    function = getattr(library, kernel.sym_name.data)
    function.argtypes, function.restype = [ctypes.c_void_p], None
    function((ctypes.c_int64 * len(slots))(*slots))
    assert {op.sym_name.data for op in module.walk() if isinstance(op, DimOp) and not op.is_static} <= dims.keys()
    return results


def _address(array: NDArray) -> int:
    assert array.flags.c_contiguous
    return array.ctypes.data


def _made(type: nest.BufferType | TensorType, capacities: Mapping[str, int]) -> NDArray:
    """An array of a buffer's extents; what is in it before the kernel runs is no number that a kernel would store."""
    extents = [capacities[item.symbol.data] if isinstance(item, DimAttr) else item.value.data for item in type.extents]
    name = dtype_name(type.element)
    dtype = {"index": np.dtype(np.int32), "index64": np.dtype(np.int64)}.get(name) or dtype_of(name).storage
    array = np.zeros(extents, dtype)
    array.reshape(-1).view(np.uint8)[:] = 0x7B
    return array
