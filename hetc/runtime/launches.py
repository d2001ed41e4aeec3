"""Kernels of a step plan: their launches, whose arguments are resolved once, and what a trace sees of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hetc.runtime.buffers import Buffer, SparseBuffer
from hetc.runtime.call import Action, Call
from hetc.runtime.devices import Device
from hetc.runtime.trace import KernelTrace, captured, plain_lengths


@dataclass(frozen=True)
class Stripe:
    """An array of a buffer: that of a memory channel, or the only one."""

    buffer: Buffer
    number: int | None = None

    def __post_init__(self) -> None:
        assert (self.number is None) == (self.buffer.stripes is None), f"{self.buffer.name}: which array?"

    def now(self) -> Any:
        return self.buffer.arrays[self.number or 0]


@dataclass(frozen=True)
class Part:
    """What a kernel is passed beside, or instead of, a tensor's elements: a part of a sparse one, a table of pages."""

    buffer: Buffer | SparseBuffer
    name: str

    def now(self) -> Any:
        return self.buffer.part(self.name)


class Launch:
    """Starts a kernel. What `device.argument` gives for an array is kept until the array is another; of a buffer in
    `late`, whose arrays are a call's own, for that call."""

    def __init__(
        self, device: Device, kernel: str, arguments: Sequence[Any], options: Mapping[str, Any], late: Sequence[Buffer]
    ) -> None:
        self._device, self._kernel, self._options = device, kernel, options
        self._kept: list[Any] = list(arguments)
        self._seen: dict[int, Any] = {}
        self._late: list[tuple[int, Stripe | Part]] = []
        self._places: list[tuple[int, Stripe | Part]] = []
        for at, item in enumerate(arguments):
            place = Stripe(item) if isinstance(item, Buffer) else item
            if isinstance(place, Stripe | Part):
                own = any(place.buffer is buffer for buffer in late)
                (self._late if own else self._places).append((at, place))

    def __call__(self, call: Call) -> None:
        argument, kept, seen = self._device.argument, self._kept, self._seen
        for at, place in self._places:
            array = place.now()
            if array is not seen.get(at):
                kept[at], seen[at] = argument(array), array
        arguments = kept.copy()
        for at, place in self._late:
            arguments[at] = argument(place.now())
        self._device.launch(self._kernel, arguments, self._options)


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
