"""What a generated program's methods say a call of a step does, line by line, becoming a plan.

Each line puts down one action, or settles where a value lies. Appended rows lie past the live prefix and new contents
lie in buffers of their own until the end; what is overwritten in place is kept till then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any, cast

from hetc.runtime import step_updates
from hetc.runtime.buffers import Buffer, LayeredBuffer, SparseBuffer, Stripes, part_of
from hetc.runtime.call import Action, Call
from hetc.runtime.call_lengths import CallLengths, LengthArrays, Lengths
from hetc.runtime.commits import Commit
from hetc.runtime.devices import HOST
from hetc.runtime.elements import as_torch
from hetc.runtime.errors import InputError
from hetc.runtime.inputs import Given
from hetc.runtime.launches import Grid, Kernel, Launch, Longest, Part, Stripe
from hetc.runtime.layers import RegionCopy, WholeValues, parts_of
from hetc.runtime.live_length import LiveLength
from hetc.runtime.memory import layer_specs
from hetc.runtime.regions import Extents, layers_of
from hetc.runtime.specification import Occupant, Pipeline
from hetc.runtime.step_plan import Output, StepPlan

if TYPE_CHECKING:
    from hetc.runtime.program import HostProgram
    from hetc.runtime.state import State

Value = Buffer | SparseBuffer | LayeredBuffer


class PlanBuilder:
    """Builds the plan of a step for a state and for calls with tensors of these shapes, in these places.

    made: the plan, once `finish` was called.
    """

    def __init__(
        self,
        program: HostProgram,
        state: State,
        step: str,
        given: Mapping[str, Given],
        frozen: Mapping[str, Buffer],
        lengths: CallLengths,
        during: LengthArrays,
    ) -> None:
        """frozen: the weights that stay as they are. during: the live lengths of the first such call."""
        self.program, self.state, self.step, self.lengths = program, state, step, lengths
        self.pipeline: Pipeline = program.PIPELINE
        self.devices = program.devices
        self.made: StepPlan | None = None
        self._capacities, self._during = dict(state.capacities), during
        self._given = {name: item.buffer(name, self.pipeline.tensors[name]) for name, item in given.items()}
        self._frozen = frozen
        self._late: list[Buffer] = list(self._given.values())
        self._live: dict[tuple[str, str], LiveLength] = {}
        self._longest: dict[str, Longest] = {}
        self._actions: list[Action] = []
        self._contents: dict[str, Buffer] = {}

    # Where values come from.

    def input(self, name: str) -> Buffer:
        """A tensor that the caller hands in: in the host's memory, or where a device reads it as it is."""
        return self._frozen[name] if name in self._frozen else self._given[name]

    def memory(self, name: str) -> Value:
        """A memory as it is when the step starts, at its home."""
        spec = self.pipeline.tensors[name]
        if name in self.state.sparse:
            return self._bring_sparse(name, spec.home)
        parts = tuple(memory.buffer for memory in self.state.parts(name))
        return LayeredBuffer(parts, layers_of(spec.extents, spec.layered), name) if spec.layered else parts[0]

    def _bring_sparse(self, name: str, kind: str) -> SparseBuffer:
        home = self.state.sparse[name]
        buffer = home.copy_on(kind)
        self._actions.append(lambda call: home.bring(kind, call.moved))
        return buffer

    def layer(self, value: Value, number: int) -> Buffer | LayeredBuffer:
        """What of a tensor lies at [number, ...]."""
        if isinstance(value, LayeredBuffer):
            return value.at(number)
        assert isinstance(value, Buffer)
        whole, part = value, part_of(value, number)
        if not value.frozen:
            self._late.append(part)

            def act(call: Call) -> None:
                part.arrays = part_of(whole, number).arrays

            self._actions.append(act)
        return part

    def pass_number(self, number: int, kind: str) -> Buffer:
        """The number of a loop's pass on a device."""
        return self.program.pass_number(number, kind)

    def constant(self, name: str, kind: str) -> Buffer:
        """A table of the program on a device; uploaded once."""
        return self.program.constant(name, kind)

    def allocate(
        self,
        name: str,
        kind: str,
        extents: Extents,
        element: str,
        stripes: Stripes | None = None,
        layered: int = 0,
        slot: int | str | None = None,
    ) -> Any:
        """The buffer of one value of this step, in a slot of the workspace (None: one that no other value has); its
        contents are whatever they were. layered: how many of its first extents are of layers, which lie apart."""
        place = f"{self.step}.{name}" if slot is None else slot
        if not layered:
            return self._in_slot(kind, place, 0, name, Occupant(extents, element, stripes))
        inner = None if stripes is None else Stripes(stripes.channels, stripes.axis - layered)
        layer, over = Occupant(extents[layered:], element, inner), layers_of(extents, layered)
        parts = (self._in_slot(kind, place, at, f"{name}[{at}]", layer) for at in range(prod(over)))
        return LayeredBuffer(tuple(parts), over, name)

    def _in_slot(self, kind: str, slot: int | str, layer: int, name: str, value: Occupant) -> Buffer:
        shape, place = self._capacities_of(value.extents), (kind, slot, layer)
        return self.state.workspace.buffer(self.devices[kind], place, value, shape, self._capacities, name)

    def _capacities_of(self, extents: Extents) -> tuple[int, ...]:
        """What a buffer of these extents is allocated with."""
        return tuple(self.capacity(item) if isinstance(item, str) else item for item in extents)

    # What kernels are passed beside tensors.

    def stripe(self, value: Buffer, number: int) -> Stripe:
        """The array of one memory channel."""
        return Stripe(value, number)

    def part(self, value: Buffer | SparseBuffer, name: str) -> Part:
        """A part of a sparse tensor, or a dense one's table of pages."""
        return Part(value, name)

    def length(self, dim: str, kind: str) -> Any:
        """The device's array of a dim's live lengths, rows appended by this step included."""
        self._check_said(dim)
        per = self.pipeline.dims[dim].per
        # As many as the rows that buffers are allocated for; those past the call's own rows stay 0.
        size = max(self._during[dim].size, self._capacities[per]) if per is not None else 1
        held = self._live[dim, kind] = self.state.live_length(dim, self.devices[kind], size)
        return self.devices[kind].argument(held.array)

    def capacity(self, dim: str) -> int:
        """What buffers are allocated with along a dim."""
        self._check_said(dim)
        return self._capacities[dim]

    def _check_said(self, dim: str) -> None:
        if dim not in self._capacities or dim not in self._during:
            raise InputError(f"dim {dim}: no tensor says how long it is; give it in `lengths`")

    def longest(self, dim: str) -> Longest:
        """The longest that a dim is in a call, over the rows in use where it is per another; at least 1."""
        return self._longest.setdefault(dim, Longest(dim, self.pipeline.pers))

    def programs(self, *sizes: tuple[int | str, int]) -> Grid:
        """A launch grid: the product over (extent or dim, tile) of the tiles that cover what is live."""
        constant = prod(-(-extent // tile) for extent, tile in sizes if isinstance(extent, int))
        return Grid(constant, [(self.longest(extent), tile) for extent, tile in sizes if isinstance(extent, str)])

    # What is done with them.

    def copy(
        self,
        value: Value,
        kind: str,
        name: str,
        stripes: Stripes | None = None,
        layered: int = 0,
        slot: int | None = None,
    ) -> Value:
        """The value on another device, or lying otherwise, in the workspace. Of a memory only the rows that the copy
        there lacks move, a frozen weight moves once, and what the caller handed in there, of the capacities' extents,
        does not move."""
        if isinstance(value, SparseBuffer):
            return self._bring_sparse(value.memory, kind)
        if layered or isinstance(value, LayeredBuffer):
            made = self.allocate(name, kind, value.extents, value.element, stripes, layered, slot)
            return self._copied(value, made)
        elsewhere = (kind, stripes) != (value.device.kind, value.stripes)
        if value.memory and elsewhere:
            memory = self.state.dense[value.memory]
            copy, along = memory.copy_on(kind, stripes), memory.along
            self._actions.append(lambda call: memory.bring(copy, call.written_of(memory.name, along), call.moved))
            return copy.buffer
        callers = value.frozen or any(value is buffer for buffer in self._late)
        if callers and not elsewhere and value.shape == self._capacities_of(value.extents):
            return value
        if value.frozen and all(isinstance(item, int) for item in value.extents):
            return self.program.frozen_weights.on_device(value, self.devices[kind], stripes, self._copy_now)
        place: int | str | None = slot
        if slot is None and value.name in self.pipeline.tensors:
            # Of a weight, or a layer of it, there is one copy on a device, whichever steps read it.
            place = f"{value.name} {value.layers} {stripes}"
        return self._copied(value, self.allocate(name, kind, value.extents, value.element, stripes, slot=place))

    def _copied(self, source: Buffer | LayeredBuffer, target: Any) -> Any:
        self._actions.append(step_updates.transfer(source, target, self.pipeline.pers))
        return target

    def _copy_now(self, source: Buffer, target: Buffer) -> None:
        """Once for all calls."""
        program, state = self.program, self.state
        lengths = Lengths({}, self._during, {})
        step_updates.transfer(source, target, self.pipeline.pers)(Call(program, state, self.step, lengths))

    def store(self, value: Value, target: Value) -> None:
        """The live contents of a value into another buffer of its device."""
        assert not isinstance(value, SparseBuffer) and not isinstance(target, SparseBuffer)
        copy = RegionCopy(value, target, self.pipeline.pers)
        self._actions.append(lambda call: cast(None, copy(call.during)))

    @contextmanager
    def kernel(
        self, name: str, kind: str, reads: Sequence[Buffer | SparseBuffer], writes: Sequence[Buffer | SparseBuffer]
    ) -> Iterator[None]:
        """Around the launches of one kernel."""
        around, launches = self._actions, list[Action]()
        self._actions = launches
        yield
        self._actions = around
        around.append(Kernel(name, self.devices[kind], reads, writes, launches, self.pipeline.pers))

    def launch(self, kind: str, kernel: str, arguments: Sequence[Any], **options: Any) -> None:
        """Start one kernel; its results may be read by anything that follows."""
        self._actions.append(Launch(self.devices[kind], kernel, arguments, options, self._late))

    def wait(self, kind: str) -> None:
        """Return when everything launched on the device has completed."""
        device = self.devices[kind]
        self._actions.append(lambda call: device.wait())

    def append(self, value: Value, rows: Buffer, along: str) -> Value:
        """The memory with the step's new rows written at the end of `along`, past the rows that are committed."""
        if isinstance(value, SparseBuffer):
            home, kind = self.state.sparse[value.memory], self.pipeline.tensors[value.memory].home
            self._actions.append(step_updates.append_columns(home, rows, along, self.pipeline.pers))
            return self._bring_sparse(value.memory, kind)
        if isinstance(value, LayeredBuffer):
            on_host = self.copy(rows, HOST, f"{rows.name}_layers") if rows.device.kind != HOST else rows
            for number in range(value.over[0]):
                self.append(value.at(number), cast(Buffer, self.layer(on_host, number)), along)
            return value
        growth = self.pipeline.steps[self.step].grows[along]
        self._actions.append(step_updates.append_rows(value, rows, along, growth, self.pipeline.pers))
        return value

    def scatter(
        self, value: Buffer | LayeredBuffer, rows: Buffer, places: Buffer, over: Sequence[int]
    ) -> Buffer | LayeredBuffer:
        """The memory with rows written at computed places: numbers over the extents `over`, row-major; a negative one
        writes nothing. Copies of the memory on other devices are kept up to date."""
        if places.device.kind != HOST:  # the caller's own, where it lies
            places = cast(Buffer, self.copy(places, HOST, f"{places.name}_places"))
        memories = {part.memory: self.state.dense[part.memory] for part in parts_of(value) if part.memory}
        self._actions.append(step_updates.scatter(value, rows, places, over, memories, self.pipeline.pers))
        return value

    def clear(self, dim: str, condition: Buffer | None = None) -> None:
        """Empty the memories along a dim once the step has completed, where a condition (one, or one a row) holds."""
        self._actions.append(lambda call: call.clear(dim, condition))

    def commit(self, name: str, value: Value) -> None:
        """What the memory holds once the step has completed."""
        if not isinstance(value, SparseBuffer):
            self._contents.update(zip(layer_specs(name, self.pipeline.tensors[name]), parts_of(value), strict=True))

    def finish(self, outputs: Mapping[str, Value]) -> None:
        """Which values are read at the end; the memories change after that, when nothing can fail."""
        pers, commits, read = self.pipeline.pers, [], {}
        for name, value in outputs.items():
            assert not isinstance(value, SparseBuffer), "a sparse tensor cannot be an output"
            read[name] = Output(WholeValues(value, pers), as_torch(value.element))
        for name, buffer in self._contents.items():
            memory, alone = self.state.dense[name], sum(held is buffer for held in self._contents.values()) == 1
            if buffer is not memory.buffer:
                commits.append(Commit(memory, buffer, alone, pers))
        devices = list(self.devices.values())
        self.made = StepPlan(self.lengths, self._given, self._late, self._live, self._actions, read, commits, devices)


__all__ = ["PlanBuilder", "Value"]
