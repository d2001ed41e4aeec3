"""Kernels of a step plan: their launches, whose arguments are resolved once, and what a trace sees of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import is_not
from typing import Any

from hetc.runtime.buffers import Buffer, SparseBuffer
from hetc.runtime.call import Action, Call
from hetc.runtime.devices import Device
from hetc.runtime.regions import longest
from hetc.runtime.trace import KernelTrace, captured, plain_lengths


@dataclass(frozen=True)
class Stripe:
    """An array of a buffer: that of a memory channel, or the only one."""

    buffer: Buffer
    number: int | None = None

    def __post_init__(self) -> None:
        assert (self.number is None) == (self.buffer.stripes is None), f"{self.buffer.name}: which array?"


@dataclass(frozen=True)
class Part:
    """What a kernel is passed beside, or instead of, a tensor's elements: a part of a sparse one, a table of pages."""

    buffer: Buffer | SparseBuffer
    name: str


class Longest:
    """The longest that a dim is in a call, over the rows in use where it is per another; at least 1."""

    def __init__(self, dim: str, pers: Mapping[str, str]) -> None:
        self._dims, self._pers = ((pers[dim], dim) if dim in pers else (dim,)), pers
        self._seen: list[Any] = []
        self._longest = 1

    def now(self, call: Call) -> int:
        during = call.lengths.during
        lengths = [during[dim] for dim in self._dims]
        if not self._seen or any(map(is_not, lengths, self._seen)):
            self._seen, self._longest = lengths, max(longest(self._dims[-1], self._pers, during), 1)
        return self._longest


@dataclass(frozen=True)
class Grid:
    """How many programs a launch has: `constant` times one for each tile of the longest that dims are."""

    constant: int
    dims: Sequence[tuple[Longest, int]]

    def now(self, call: Call) -> tuple[int]:
        count = self.constant
        for dim, tile in self.dims:
            count *= -(-dim.now(call) // tile)
        return (max(count, 1),)


class Launch:
    """Starts a kernel. What `device.argument` gives for an array is kept until the array is another; of a buffer in
    `late`, whose arrays are a call's own, for that call."""

    def __init__(
        self, device: Device, kernel: str, arguments: Sequence[Any], options: Mapping[str, Any], late: Sequence[Buffer]
    ) -> None:
        self._device, self._kernel, self._options = device, kernel, options
        self._kept: list[Any] = list(arguments)
        self._seen: list[Any] = [None] * len(arguments)
        self._late: list[tuple[int, Stripe]] = []
        self._stripes: list[tuple[int, Buffer, int]] = []
        self._parts: list[tuple[int, Part]] = []
        self._numbers = [(at, item) for at, item in enumerate(arguments) if isinstance(item, Longest)]
        self._changing = [(name, item) for name, item in options.items() if isinstance(item, Grid)]
        for at, item in enumerate(arguments):
            if isinstance(item, Part):
                self._parts.append((at, item))
            elif isinstance(item, Stripe | Buffer):
                place = Stripe(item) if isinstance(item, Buffer) else item
                if any(place.buffer is buffer for buffer in late):
                    self._late.append((at, place))
                else:
                    self._stripes.append((at, place.buffer, place.number or 0))

    def __call__(self, call: Call) -> None:
        argument, kept, seen = self._device.argument, self._kept, self._seen
        for at, buffer, number in self._stripes:
            array = buffer.arrays[number]
            if array is not seen[at]:
                kept[at], seen[at] = argument(array), array
        arguments = kept.copy()
        for at, part in self._parts:
            arguments[at] = argument(part.buffer.part(part.name))
        for at, place in self._late:
            arguments[at] = argument(place.buffer.arrays[place.number or 0])
        for at, dim in self._numbers:
            arguments[at] = dim.now(call)
        options = self._options
        if self._changing:
            options = {**options, **{name: item.now(call) for name, item in self._changing}}
        self._device.launch(self._kernel, arguments, options)


class Kernel:
    """The launches of one task kernel."""

    def __init__(
        self,
        name: str,
        device: Device,
        reads: Sequence[Buffer | SparseBuffer],
        writes: Sequence[Buffer | SparseBuffer],
        launches: Sequence[Action],
        pers: Mapping[str, str],
    ) -> None:
        self._name, self._device, self._pers = name, device, pers
        self._reads, self._writes, self._launches = reads, writes, launches

    def __call__(self, call: Call) -> None:
        if call.program.on_kernel is not None:
            self._traced(call)
            return
        for launch in self._launches:
            launch(call)

    def _traced(self, call: Call) -> None:
        """Shows what the kernel read and wrote."""
        observe, lengths = call.program.on_kernel, call.during
        assert observe is not None
        inputs = tuple(captured(value, self._pers, lengths) for value in self._reads)
        for launch in self._launches:
            launch(call)
        self._device.wait()
        outputs = tuple(captured(value, self._pers, lengths) for value in self._writes)
        kind, backend = self._device.kind, self._device.backend
        plain = plain_lengths(self._pers, lengths)
        observe(KernelTrace(call.step, self._name, kind, backend, inputs, outputs, plain))
