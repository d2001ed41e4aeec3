"""The actions of a step that move and write rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hetc.runtime.appending import Append
from hetc.runtime.buffers import Buffer, LayeredBuffer
from hetc.runtime.call import Action, Call
from hetc.runtime.elements import host_dtype
from hetc.runtime.layers import LiveValues, RegionCopy
from hetc.runtime.memory import DenseMemory, SparseHome
from hetc.runtime.scattering import kept, parts_of, pieces_of


def transfer(source: Buffer | LayeredBuffer, target: Buffer | LayeredBuffer, pers: Mapping[str, str]) -> Action:
    """The live elements of a tensor into another buffer."""
    copy = RegionCopy(source, target, pers)
    tensor, there, here = source.name, source.device, target.device

    def act(call: Call) -> None:
        size = copy(call.during)
        if there is not here:
            call.moved(tensor, there.kind, here.kind, size)

    return act


def append_rows(memory: Buffer, rows: Buffer, along: str, growth: int | str, pers: Mapping[str, str]) -> Action:
    """A step's new rows behind those that a dense memory has."""
    append, name = Append(memory, rows, along, growth, pers), memory.memory

    def act(call: Call) -> None:
        append(call.lengths.before, call.lengths.during, call.lengths.added[along])
        if name:
            call.written[name] = call.lengths.during[along]

    return act


def append_columns(home: SparseHome, rows: Buffer, along: str, pers: Mapping[str, str]) -> Action:
    """A step's new columns behind those that a sparse memory has."""
    values = LiveValues(rows, pers)

    def act(call: Call) -> None:
        numbers = values.read(call.during, -1)
        columns = numbers if numbers.ndim == 2 else numbers[None, :]
        first = int(call.lengths.before[along][0])
        added = int(call.during[along][0]) - first
        undo = home.matrix.append(columns[:added], first)
        call.undoing.append(lambda: home.matrix.roll_back(undo))

    return act


def scatter(
    value: Buffer | LayeredBuffer,
    rows: Buffer,
    places: Buffer,
    over: Sequence[int],
    memories: Mapping[str, DenseMemory],
    pers: Mapping[str, str],
) -> Action:
    """Rows at computed places of a memory (see `StepPlan.scatter`), and of its copies that are up to date."""

    def act(call: Call) -> None:
        pieces = pieces_of(value, rows, places, over, pers, call.during)
        # Kernels that were started may still be reading what is about to change.
        value.device.wait()
        for part, source, numbers in parts_of(value, pieces):
            if part.memory:
                memory = memories[part.memory]
                call.undoing.append(kept(part, memory, numbers, pieces.width))
                for copy in memory.current_copies():
                    copy.device.wait()
                    copy.copy_rows(numbers, rows, source, pieces.width)
                    size = len(numbers) * pieces.width * host_dtype(part.element).itemsize
                    call.moved(part.memory, rows.device.kind, copy.device.kind, size)
            part.copy_rows(numbers, rows, source, pieces.width)

    return act
