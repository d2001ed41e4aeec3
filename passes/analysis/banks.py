"""Which memory channel of an FPGA each array lies in: that of the port that it is first passed to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from hetc.dialects import fpga, host

Ports = Mapping[str, tuple[fpga.PortOp | None, ...]]
"""Kernel -> the port of each argument, None for one that is passed by value."""


@dataclass(frozen=True)
class Passed:
    """An array that a launch is passed at a position of its kernel's arguments: a `part` of the buffer that `value`
    first named (`""` the whole, the number of a stripe, a part of a sparse tensor, `table`), or the lengths of the dim
    `part` where `value` is None."""

    position: int
    value: SSAValue | None
    part: str


@dataclass(frozen=True)
class Banks:
    """Channels by what is passed. values: of each buffer, by the value that first named it, those of its parts.
    lengths: by device kind and dim."""

    values: dict[SSAValue, dict[str, int]] = field(default_factory=dict)
    lengths: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, value: SSAValue) -> dict[str, int]:
        return self.values.get(value, {})


def ports_of(module: ModuleOp) -> Ports:
    """The ports of each FPGA kernel, by the kernel's name."""
    kernels = [op for op in module.body.block.ops if isinstance(op, fpga.KernelOp)]
    return {
        op.sym_name.data: tuple(item if isinstance(item, fpga.PortOp) else None for item in op.interface)
        for op in kernels
    }


def passed(launch: host.LaunchOp) -> Iterator[Passed]:
    """The arrays that a launch is passed, in order."""
    buffers = iter(launch.buffers)
    for position, item in enumerate(launch.arguments):
        role, part = item.role.data, item.part.data
        if role == "length":
            yield Passed(position, None, part)
        elif not item.by_value:
            value = host.buffer_of(next(buffers))
            yield Passed(position, value, str(item.stripe[0]) if item.stripe is not None else part)


def kind_of(launch: host.LaunchOp) -> str:
    """The device kind that a launch is on."""
    kernel = launch.parent_op()
    assert isinstance(kernel, host.KernelOp)
    return kernel.device.data


def banks_of(program: host.ProgramOp, ports: Ports) -> Banks:
    """Where the launches of a program put what they are passed; ports that are joined to no channel say nothing."""
    found = Banks()
    for launch in program.walk():
        if isinstance(launch, host.LaunchOp) and launch.kernel.data in ports:
            for item in passed(launch):
                port = ports[launch.kernel.data][item.position]
                if port is None or port.bank.value.data < 0:
                    continue
                if item.value is None:
                    found.lengths.setdefault((kind_of(launch), item.part), port.bank.value.data)
                else:
                    found.values.setdefault(item.value, {}).setdefault(item.part, port.bank.value.data)
    return found
