"""One call of a step: what a generated host program's methods are written with.

Appended rows lie past the live prefix and new contents lie in buffers of their own until `finish`; what is overwritten
in place is kept till then. So an exception anywhere leaves the state as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.appending import append_rows
from hetc.runtime.buffers import Buffer, LayeredBuffer, SparseBuffer, Stripes, part_of
from hetc.runtime.commits import Commits
from hetc.runtime.devices import HOST
from hetc.runtime.elements import host_dtype, to_torch
from hetc.runtime.errors import InputError
from hetc.runtime.layers import copy_region, live_values, whole_values
from hetc.runtime.regions import Extents, layers_of
from hetc.runtime.scattering import kept, parts_of, pieces_of
from hetc.runtime.specification import Occupant, Pipeline
from hetc.runtime.state import State
from hetc.runtime.trace import KernelTrace, TransferTrace, captured, plain_lengths
from hetc.runtime.workspace import Place

if TYPE_CHECKING:
    from hetc.runtime.program import HostProgram

Value = Buffer | SparseBuffer | LayeredBuffer


class StepRun:
    """A call in progress; a context manager that undoes what an exception leaves half done."""

    def __init__(
        self,
        program: HostProgram,
        state: State,
        step: str,
        given: Mapping[str, Buffer],
        before: dict[str, NDArray[np.int32]],
        during: dict[str, NDArray[np.int32]],
    ) -> None:
        self.program, self.state, self.step = program, state, step
        self.pipeline: Pipeline = program.PIPELINE
        self.before, self.lengths = before, during
        self.capacities = state.make_room(during)
        self._given = given
        self._written = {name: state.lengths[m.along] for name, m in state.dense.items() if m.along}
        self._commits = Commits(state, during)
        self._undo: list[Callable[[], None]] = []
        self._finished = False

    def __enter__(self) -> StepRun:
        self.state.enter(self.step)
        try:
            self.state.pools.refresh()
            for dim in self.pipeline.kept:  # the caller's table is looked at whether or not the step appends
                if dim in self.lengths:
                    self.state.pools.hold(dim, self.lengths[dim])
        except BaseException:
            self._give_back()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()
        if self._finished:
            return
        for undo in reversed(self._undo):
            undo()
        for memory in self.state.dense.values():
            if memory.along:
                memory.forget_beyond(self.state.lengths[memory.along])

    def _give_back(self) -> None:
        """The state is as long as it says, and free for another step."""
        self.state.leave()
        for dim in self.pipeline.steps[self.step].grows:
            self.state.pools.hold(dim, self.state.lengths[dim])

    # Where values come from.

    def input(self, name: str) -> Buffer:
        """A tensor that the caller handed in: in the host's memory, or where a device reads it as it is."""
        return self._given[name]

    def memory(self, name: str) -> Value:
        """A memory as it is when the step starts, at its home."""
        if name in self.state.sparse:
            return self.state.sparse[name].bring(self.pipeline.tensors[name].home, self._moved)
        spec, parts = self.pipeline.tensors[name], tuple(memory.buffer for memory in self.state.parts(name))
        return LayeredBuffer(parts, layers_of(spec.extents, spec.layered), name) if spec.layered else parts[0]

    def layer(self, value: Value, number: int) -> Buffer | LayeredBuffer:
        """What of a tensor lies at [number, ...]."""
        if isinstance(value, LayeredBuffer):
            return value.at(number)
        assert isinstance(value, Buffer)
        return part_of(value, number)

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
            return self._in_slot((kind, place, 0), name, Occupant(extents, element, stripes))
        inner = None if stripes is None else Stripes(stripes.channels, stripes.axis - layered)
        layer, over = Occupant(extents[layered:], element, inner), layers_of(extents, layered)
        parts = (self._in_slot((kind, place, at), f"{name}[{at}]", layer) for at in range(prod(over)))
        return LayeredBuffer(tuple(parts), over, name)

    def _in_slot(self, place: Place, name: str, value: Occupant) -> Buffer:
        shape, device = self._capacities_of(value.extents), self.program.devices[place[0]]
        return self.state.workspace.buffer(device, place, value, shape, self.capacities, name)

    def _capacities_of(self, extents: Extents) -> tuple[int, ...]:
        """What a buffer of these extents is allocated with."""
        unsaid = [item for item in extents if isinstance(item, str) and item not in self.capacities]
        if unsaid:
            raise InputError(f"dim {unsaid[0]}: no tensor says how long it is; give it in `lengths`")
        return tuple(self.capacities[item] if isinstance(item, str) else item for item in extents)

    # Numbers that kernels are passed.

    def length(self, dim: str, kind: str) -> Any:
        """The device's buffer of a dim's live lengths, rows appended by this step included."""
        values = self.lengths[dim]
        per = self.pipeline.dims[dim].per
        # As many as the rows that buffers are allocated for; those past the call's own rows stay 0.
        size = max(values.size, self.capacities[per]) if per is not None else 1
        if values.size < size:
            values = np.concatenate([values, np.zeros(size - values.size, np.int32)])
        key = (dim, kind)
        device = self.program.devices[kind]
        known = self.state.length_arrays.get(key)
        if known is None or known[1].size != size:
            known = (device.allocate(size, "i32"), np.full_like(values, -1))
        array, current = known
        if not np.array_equal(current, values):
            device.write(array, slice(0, values.size), values[:, None])
        self.state.length_arrays[key] = (array, values.copy())
        return array

    def capacity(self, dim: str) -> int:
        """What buffers are allocated with along a dim."""
        return self.capacities[dim]

    def programs(self, *sizes: tuple[int | str, int]) -> tuple[int]:
        """A launch grid: the product over (extent or dim, tile) of the tiles that cover the capacity."""
        count = 1
        for extent, tile in sizes:
            count *= -(-(self.capacities[extent] if isinstance(extent, str) else extent) // tile)
        return (max(count, 1),)

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
            return self.state.sparse[value.memory].bring(kind, self._moved)
        if layered or isinstance(value, LayeredBuffer):
            made = self.allocate(name, kind, value.extents, value.element, stripes, layered, slot)
            self._copy_whole(value, made)
            return made
        if value.memory and (kind, stripes) != (value.device.kind, value.stripes):
            memory = self.state.dense[value.memory]
            written = self._written.get(value.memory, np.zeros(1, np.int32))
            return memory.bring(kind, value, written, stripes, self._moved)
        if (kind, stripes) == (value.device.kind, value.stripes) and value.shape == self._capacities_of(value.extents):
            return value
        if value.frozen and all(isinstance(item, int) for item in value.extents):
            device = self.program.devices[kind]
            return self.program.frozen_weights.on_device(value, device, stripes, self._copy_whole)
        place: int | str | None = slot
        if slot is None and value.name in self.pipeline.tensors:
            # Of a weight, or a layer of it, there is one copy on a device, whichever steps read it.
            place = f"{value.name} {value.layers} {stripes}"
        target = self.allocate(name, kind, value.extents, value.element, stripes, slot=place)
        self._copy_whole(value, target)
        return target

    def store(self, value: Value, target: Value) -> None:
        """The live contents of a value into another buffer of its device."""
        assert not isinstance(value, SparseBuffer) and not isinstance(target, SparseBuffer)
        copy_region(value, target, self.pipeline.pers, self.lengths)

    def _copy_whole(self, source: Buffer | LayeredBuffer, target: Buffer | LayeredBuffer) -> None:
        size = copy_region(source, target, self.pipeline.pers, self.lengths)
        if source.device is not target.device:
            self._moved(source.name, source.device.kind, target.device.kind, size)

    @contextmanager
    def kernel(
        self, name: str, kind: str, reads: Sequence[Buffer | SparseBuffer], writes: Sequence[Buffer | SparseBuffer]
    ) -> Iterator[None]:
        """Around the launches of one kernel: shows what it read and wrote to whoever traces the program."""
        observe = self.program.on_kernel
        if observe is None:
            yield
            return
        inputs = tuple(captured(value, self.pipeline.pers, self.lengths) for value in reads)
        yield
        self.program.devices[kind].wait()
        outputs = tuple(captured(value, self.pipeline.pers, self.lengths) for value in writes)
        lengths = plain_lengths(self.pipeline.pers, self.lengths)
        backend = self.program.devices[kind].backend
        observe(KernelTrace(self.step, name, kind, backend, inputs, outputs, lengths))

    def launch(self, kind: str, kernel: str, arguments: Sequence[Any], **options: Any) -> None:
        """Start one kernel; its results may be read by anything that follows."""
        self.program.devices[kind].launch(kernel, arguments, options)

    def wait(self, kind: str) -> None:
        """Return when everything launched on the device has completed."""
        self.program.devices[kind].wait()

    def append(self, value: Value, rows: Buffer, along: str) -> Value:
        """The memory with the step's new rows written at the end of `along`, past the rows that are committed."""
        if isinstance(value, SparseBuffer):
            return self._append_columns(value, rows, along)
        if isinstance(value, LayeredBuffer):
            on_host = self.copy(rows, HOST, f"{rows.name}_layers") if rows.device.kind != HOST else rows
            for number in range(value.over[0]):
                self.append(value.at(number), cast(Buffer, self.layer(on_host, number)), along)
            return value
        growth = self.pipeline.steps[self.step].grows[along]
        append_rows(value, rows, along, growth, self.pipeline.pers, self.before, self.lengths)
        if value.memory:
            self._written[value.memory] = self.lengths[along]
        return value

    def scatter(
        self, value: Buffer | LayeredBuffer, rows: Buffer, places: Buffer, over: Sequence[int]
    ) -> Buffer | LayeredBuffer:
        """The memory with rows written at computed places: numbers over the extents `over`, row-major; a negative one
        writes nothing. Copies of the memory on other devices are kept up to date."""
        if places.device.kind != HOST:  # the caller's own, where it lies
            places = cast(Buffer, self.copy(places, HOST, f"{places.name}_places"))
        pieces = pieces_of(value, rows, places, over, self.pipeline.pers, self.lengths)
        # Kernels that were started may still be reading what is about to change.
        value.device.wait()
        for part, source, numbers in parts_of(value, pieces):
            if part.memory:
                self._undo.append(kept(part, self.state.dense[part.memory], numbers, pieces.width))
                for copy in self.state.dense[part.memory].current_copies():
                    copy.device.wait()
                    copy.copy_rows(numbers, rows, source, pieces.width)
                    size = len(numbers) * pieces.width * host_dtype(part.element).itemsize
                    self._moved(part.memory, rows.device.kind, copy.device.kind, size)
            part.copy_rows(numbers, rows, source, pieces.width)
        return value

    def _append_columns(self, value: SparseBuffer, rows: Buffer, along: str) -> SparseBuffer:
        home = self.state.sparse[value.memory]
        numbers = live_values(rows, self.pipeline.pers, self.lengths, -1)
        columns = numbers if numbers.ndim == 2 else numbers[None, :]
        first = int(self.before[along][0])
        added = int(self.lengths[along][0]) - first
        undo = home.matrix.append(columns[:added], first)
        self._undo.append(lambda: home.matrix.roll_back(undo))
        return home.bring(self.pipeline.tensors[value.memory].home, self._moved)

    def clear(self, dim: str, condition: Buffer | None = None) -> None:
        """Empty the memories along a dim once the step has completed, where a condition (one, or one a row) holds."""
        self._commits.clear(dim, condition)

    def commit(self, name: str, value: Value) -> None:
        """What the memory holds once the step has completed."""
        if not isinstance(value, SparseBuffer):
            self._commits.add(name, value)

    def finish(self, outputs: Mapping[str, Value]) -> dict[str, Any]:
        """Read the outputs, then make the step's changes visible: nothing after the reading can fail."""
        results = {name: self._output(value) for name, value in outputs.items()}
        for device in self.program.devices.values():
            device.wait()
        self._commits.apply(self.step)
        self._finished = True
        return results

    def _output(self, value: Value) -> Any:
        assert not isinstance(value, SparseBuffer), "a sparse tensor cannot be an output"
        return to_torch(whole_values(value, self.pipeline.pers, self.lengths), value.element)

    def _moved(self, tensor: str, source: str, target: str, bytes_moved: int) -> None:
        if self.program.on_transfer is not None:
            self.program.on_transfer(TransferTrace(tensor, source, target, bytes_moved))


__all__ = ["StepRun", "Value"]
