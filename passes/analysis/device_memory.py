"""How much of each device's memory a program takes: what stays from call to call, and what a call needs beside it.

Computed from the host program as it is emitted: the slots of its workspace are what the runtime allocates. Counted are
tensors; a driver, compiled kernels and what an allocator rounds up are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import cast

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from hetc.devices import device_kind
from hetc.dialects import host
from hetc.dialects.host import HOST_KIND, BufferType, described
from hetc.dialects.locations import source_line
from hetc.passes.analysis.banks import banks_of, channels_of
from hetc.passes.analysis.lifetimes import lifetimes, ops_in_order
from hetc.passes.analysis.resident import Held, Resident, home_of
from hetc.passes.analysis.sizes import Sizes


@dataclass(frozen=True)
class InUse:
    """What a call has on a device between two ops of its step. `slot`: where in the workspace, None for what is
    allocated for the call."""

    held: Held
    kind: str
    slot: int | None
    first: int
    last: int


@dataclass(frozen=True)
class Peak:
    """The op of a step at which most is in use on a device, and what is: the largest first."""

    step: str
    bytes: int
    op: Operation
    live: tuple[Held, ...]


@dataclass(frozen=True)
class DeviceMemory:
    """One device's memory. kept: what stays from call to call; workspace: its slots, each as the largest of its values;
    beside: bytes that a call allocates and gives back, at their most. One peak a step."""

    kind: str
    kept: tuple[Held, ...]
    workspace: tuple[Held, ...]
    beside: int
    peaks: tuple[Peak, ...]

    @property
    def kept_bytes(self) -> int:
        return sum(held.bytes for held in self.kept)

    @property
    def workspace_bytes(self) -> int:
        return sum(held.bytes for held in self.workspace)

    @property
    def bytes(self) -> int:
        """What the program takes of the device."""
        return self.kept_bytes + self.workspace_bytes + self.beside

    @property
    def peak(self) -> Peak | None:
        """Of the step that has most in use."""
        return max(self.peaks, key=lambda peak: peak.bytes, default=None)

    @property
    def channels(self) -> dict[int, int]:
        """Bytes in each memory channel that anything is put in."""
        found: Counter[int] = Counter()
        for held in (*self.kept, *self.workspace):
            found.update(held.channels)
        return dict(sorted(found.items()))


def device_memory(module: ModuleOp, given: Mapping[str, int] | None = None) -> dict[str, DeviceMemory]:
    """What each device kind, the host among them, needs for the program of a module after `plan-workspace`. `given`:
    extents of run-time dims, each dim's bound by default."""
    program = next(op for op in module.body.block.ops if isinstance(op, host.ProgramOp))
    sizes, banks = Sizes(program.dims, given), banks_of(program, channels_of(module))
    resident = Resident(program, sizes, banks)
    steps = {step: list(_in_use(step, program, resident)) for step in program.steps}
    kinds = dict.fromkeys([*resident.kinds, *(item.kind for used in steps.values() for item in used)])
    devices = {kind: _device(kind, resident.of(kind), steps) for kind in kinds if kind != HOST_KIND}
    copied = [kind for kind in devices if device_kind(kind).mapped]
    mapped = [Held(f"buffers of the {kind}", "mapped", devices[kind].bytes) for kind in copied]
    return {**devices, HOST_KIND: _device(HOST_KIND, (*resident.of(HOST_KIND), *mapped), steps)}


def _device(kind: str, kept: tuple[Held, ...], steps: Mapping[host.StepOp, list[InUse]]) -> DeviceMemory:
    slots: dict[int, Held] = {}
    for item in (item for used in steps.values() for item in used if item.kind == kind and item.slot is not None):
        assert item.slot is not None
        if item.slot not in slots or slots[item.slot].bytes < item.held.bytes:
            slots[item.slot] = item.held
    peaks = []
    beside = 0
    for step, used in steps.items():
        own = [item for item in used if item.kind == kind]
        numbers = sorted({item.first for item in own})
        at = max(numbers, key=lambda number: _bytes_at(own, number), default=0)
        live = sorted((*kept, *(item.held for item in own if _is_at(item, at))), key=lambda held: -held.bytes)
        op = ops_in_order(step)[at] if numbers else step
        peaks.append(Peak(step.sym_name.data, sum(held.bytes for held in live), op, tuple(live)))
        allocated = [item for item in own if item.slot is None]
        beside = max([beside, *(_bytes_at(allocated, number) for number in numbers)])
    return DeviceMemory(kind, kept, tuple(slots[number] for number in sorted(slots)), beside, tuple(peaks))


def _is_at(item: InUse, number: int) -> bool:
    return item.first <= number <= item.last


def _bytes_at(used: list[InUse], number: int) -> int:
    return sum(item.held.bytes for item in used if _is_at(item, number))


def _in_use(step: host.StepOp, program: host.ProgramOp, resident: Resident) -> Iterator[InUse]:
    """Everything that a call of the step has beside what stays."""
    ops = ops_in_order(step)
    numbers = {op: number for number, op in enumerate(ops)}
    scratch = {
        launch.buffers[at]
        for launch in ops
        if isinstance(launch, host.LaunchOp)
        for at, item in enumerate(item for item in launch.arguments if not item.of_dim)
        if item.role.data == "scratch"
    }
    for life in lifetimes(step):
        op, type_ = life.buffer.owner, cast(BufferType, life.buffer.type)
        if isinstance(op, host.AllocateOp | host.CopyOp) and op.slot_number is not None:
            what = (
                "scratch" if life.buffer in scratch else "intermediate" if isinstance(op, host.AllocateOp) else "copy"
            )
            held = _held(life.buffer, op.buffer.data, what, op, resident.sizes)
            held = replace(held, channels=resident.channels(life.buffer))
            yield InUse(held, type_.kind, op.slot_number, life.first, life.last)
        elif isinstance(op, host.InputOp) and program.declarations[op.declared.data].role.data == "input":
            held = _held(life.buffer, op.declared.data, "input", op, resident.sizes)
            yield InUse(held, HOST_KIND, None, 0, len(ops) - 1)
    for op in ops:
        yield from _beside(op, step, program, resident, numbers)


def _beside(
    op: Operation, step: host.StepOp, program: host.ProgramOp, resident: Resident, numbers: Mapping[Operation, int]
) -> Iterator[InUse]:
    """What the runtime allocates to carry out an op, outside of the workspace."""
    number, last, sizes = numbers[op], len(numbers) - 1, resident.sizes
    match op:
        case host.CopyOp():
            kinds = {cast(BufferType, value.type).kind for value in (op.value, op.result)}
            if len(kinds - {HOST_KIND}) > 1:
                yield InUse(_held(op.value, _name(op.value), "crosses", op, sizes), HOST_KIND, None, number, number)
        case host.ScatterOp():
            # What is overwritten is kept until the step has succeeded.
            held = _held(op.rows, _name(op.rows), "to undo a write", op, sizes, _passes_around(op))
            yield InUse(held, HOST_KIND, None, number, last)
        case host.OutputOp():
            yield InUse(_held(op.value, op.output.data, "output", op, sizes), HOST_KIND, None, number, last)
        case host.CommitOp() if not is_taken_over(op, step, program):
            kind = home_of(program.declarations[op.declared.data])
            yield InUse(_held(op.value, op.declared.data, "new contents", op, sizes), kind, None, last, last)


def _held(value: SSAValue, name: str, what: str, op: Operation, sizes: Sizes, times: int = 1) -> Held:
    type_ = cast(BufferType, value.type)
    extents = sizes.shape(type_.tensor)
    return Held(name, what, times * sizes.bytes(type_), described(type_.tensor), extents, source_line(op))


def _name(value: SSAValue) -> str:
    """What a value that has no name of its own is called."""
    return value.name_hint or "value"


def _passes_around(op: Operation) -> int:
    """How often an op is carried out in one call."""
    loops = []
    while (parent := op.parent_op()) is not None:
        loops += [parent.count.value.data] if isinstance(parent, host.ForOp) else []
        op = parent
    return prod(loops)


def is_taken_over(op: host.CommitOp, step: host.StepOp, program: host.ProgramOp) -> bool:
    """Whether a memory's new contents need no memory of their own: they lie in its buffer already, are written there,
    or their buffer becomes the memory's."""
    declared, buffer = program.declarations[op.declared.data], host.buffer_of(op.value)
    if declared.type.is_sparse or declared.type.rows is not None:
        return True
    if isinstance(buffer.owner, host.MemoryOp):
        return buffer.owner.declared == op.declared
    commits = [item for item in step.walk() if isinstance(item, host.CommitOp)]
    alone = sum(host.buffer_of(item.value) is buffer for item in commits) == 1
    return alone and isinstance(buffer.owner, host.AllocateOp | host.CopyOp) and buffer.owner.slot is not None
