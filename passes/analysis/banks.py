"""Which memory channel each array lies in, on devices that have several: the one that it is first passed through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from hetc.devices import manifests, resolve
from hetc.dialects import host

Channels = Mapping[str, tuple[int | None, ...]]
"""Kernel -> the memory channel that each argument is read or written through, None where it goes through none."""


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


def channels_of(module: ModuleOp) -> Channels:
    """The channels of every generated kernel whose device kind says which they are."""
    found: dict[str, tuple[int | None, ...]] = {}
    for kind in manifests():
        if kind.channels:
            found |= resolve(kind.channels)(module)
    return found


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


def banks_of(program: host.ProgramOp, channels: Channels) -> Banks:
    """Where the launches of a program put what they are passed."""
    found = Banks()
    for launch in program.walk():
        if isinstance(launch, host.LaunchOp) and launch.kernel.data in channels:
            for item in passed(launch):
                channel = channels[launch.kernel.data][item.position]
                if channel is None:
                    continue
                if item.value is None:
                    found.lengths.setdefault((kind_of(launch), item.part), channel)
                else:
                    found.values.setdefault(item.value, {}).setdefault(item.part, channel)
    return found
