"""The generated kernels of a module, whatever device they are for: which launches make up a task kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute, Operation

from hetc.devices import manifests
from hetc.dialects.mp import TensorType
from hetc.dialects.task import ArgumentAttr, KernelOp
from hetc.passes.lower_host.refusal import HostLoweringRefused


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
        kinds = [manifest for manifest in manifests() if manifest.kernel == op.name]
        if len(kinds) > 1:  # kinds that share an op, which then says whose it is
            kinds = [manifest for manifest in kinds if manifest.kind == _text(op, "device")]
        for manifest in kinds:
            found.setdefault(_text(op, "task"), []).append(_launch(op, manifest.launch_options))
    for launches in found.values():
        launches.sort(key=lambda item: item.order)
    return found


def _launch(op: Operation, options: Sequence[str]) -> Launch:
    order = op.properties.get("order")
    arguments, scratch = op.properties["arguments"], op.properties["scratch"]
    assert isinstance(arguments, ArrayAttr) and isinstance(scratch, ArrayAttr)
    return Launch(
        _text(op, "sym_name"),
        order.value.data if isinstance(order, IntegerAttr) else 0,
        tuple(arguments),
        tuple(scratch),
        {name: op.properties[name] for name in options},
    )


def _text(op: Operation, name: str) -> str:
    value = op.properties[name]
    assert isinstance(value, StringAttr)
    return value.data


def named_arguments(launch: Launch, run_time_dims: Sequence[str]) -> tuple[ArgumentAttr, ...]:
    """The argument list with every one of a dim naming it in `part`; an index counts `run_time_dims`."""
    return tuple(
        ArgumentAttr(item.role, item.index, run_time_dims[item.index.data])
        if item.of_dim and not item.part.data
        else item
        for item in launch.arguments
    )


@dataclass(frozen=True)
class Striping:
    """Memory channels that a buffer is spread over, and the extent whose rows are dealt to them, counted from the last
    (-1): so that it is the same of a layer and of the whole tensor."""

    channels: int = 1
    axis: int = 0


def striping_of(kernel: KernelOp, launches: Sequence[Launch], number: int) -> Striping | None:
    """How the launches expect an operand to lie; None where none of them takes it."""
    found: set[Striping] = set()
    for launch in launches:
        parts = [item for item in launch.arguments if item.role.data == "operand" and item.index.data == number]
        stripes = [item.stripe for item in parts if item.stripe is not None]
        if stripes:
            rank = kernel.arguments[number].type.rank  # type: ignore[attr-defined]
            found.add(Striping(1 + max(channel for channel, _ in stripes), stripes[0][1] - rank))
        elif parts:
            found.add(Striping())
    if len(found) > 1:
        message = f"operand {number} of {kernel.sym_name.data} is striped in more than one way"
        raise HostLoweringRefused(message, kernel)
    return found.pop() if found else None
