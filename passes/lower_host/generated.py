"""The generated kernels of a module, whatever device they are for: which launches make up a task kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute, Operation

from hetc.dialects.mp import TensorType
from hetc.dialects.task import ArgumentAttr, KernelOp
from hetc.passes.lower_host.refusal import HostLoweringRefused

# How a device is to launch a kernel: the properties of its op that are not about the argument list.
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "tile.kernel": ("grid", "num_warps", "num_stages", "constexprs"),
    "fpga.kernel": (),
}
STRIPE = "stripe:"


@dataclass(frozen=True)
class Launch:
    """One generated kernel: its name, argument list, scratch buffers and launch options."""

    name: str
    order: int
    arguments: tuple[ArgumentAttr, ...]
    scratch: tuple[TensorType, ...]
    options: Mapping[str, Attribute]


def launches_of(module: ModuleOp) -> dict[str, list[Launch]]:
    """Task kernel -> its launches in order."""
    found: dict[str, list[Launch]] = {}
    for op in module.body.block.ops:
        if op.name in _OPTIONS:
            found.setdefault(_text(op, "task"), []).append(_launch(op))
    for launches in found.values():
        launches.sort(key=lambda item: item.order)
    return found


def _launch(op: Operation) -> Launch:
    order = op.properties.get("order")
    arguments, scratch = op.properties["arguments"], op.properties["scratch"]
    assert isinstance(arguments, ArrayAttr) and isinstance(scratch, ArrayAttr)
    return Launch(
        _text(op, "sym_name"),
        order.value.data if isinstance(order, IntegerAttr) else 0,
        tuple(arguments),
        tuple(scratch),
        {name: op.properties[name] for name in _OPTIONS[op.name]},
    )


def _text(op: Operation, name: str) -> str:
    value = op.properties[name]
    assert isinstance(value, StringAttr)
    return value.data


def named_arguments(launch: Launch, run_time_dims: Sequence[str]) -> tuple[ArgumentAttr, ...]:
    """The argument list with every length and capacity naming its dim in `part`; an index counts `run_time_dims`."""
    return tuple(
        ArgumentAttr(item.role, item.index, run_time_dims[item.index.data])
        if item.role.data in ("length", "capacity") and not item.part.data
        else item
        for item in launch.arguments
    )


def channels_of(kernel: KernelOp, launches: Sequence[Launch], role: str, number: int) -> int:
    """How many memory channels the launches expect an operand or a result in; 1 where it is not striped."""
    counts = set()
    for launch in launches:
        parts = [item.part.data for item in launch.arguments if item.role.data == role and item.index.data == number]
        striped = [part for part in parts if part.startswith(STRIPE)]
        if striped:
            counts.add(1 + max(int(part.removeprefix(STRIPE)) for part in striped))
        elif parts:
            counts.add(1)
    if len(counts) > 1:
        raise HostLoweringRefused(f"{role} {number} of {kernel.sym_name.data} is striped in more than one way", kernel)
    return counts.pop() if counts else 0
