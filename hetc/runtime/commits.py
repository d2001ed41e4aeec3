"""What a step changes of its state: nothing until all of it has succeeded, then everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hetc.runtime.buffers import Buffer, allocate
from hetc.runtime.layers import RegionCopy
from hetc.runtime.memory import DenseMemory
from hetc.runtime.regions import Lengths, LiveRows, as_numbers, region_rows
from hetc.runtime.workspace import Workspace


class Commit:
    """A dense memory's new contents: the value that it is to hold, once the step has completed.

    Where others see the memory's buffer, the value is copied into it (`in place`). Where nothing else uses the value's
    own buffer, the two exchange their arrays. Else the value is copied to new arrays.
    """

    def __init__(self, memory: DenseMemory, value: Buffer, alone: bool, pers: Mapping[str, str]) -> None:
        """alone: no other memory gets this value."""
        current = memory.buffer
        self.memory, self.value, self._pers = memory, value, pers
        self.in_place = current.placement is not None or memory.bound
        fits = (value.device, value.shape, value.stripes) == (current.device, current.shape, current.stripes)
        self._exchanges = not self.in_place and fits and alone and value.place is not None
        self._left_out = LeftOutRows(memory, pers)
        self._copy = RegionCopy(value, current, pers) if self.in_place else None

    def prepare(self, lengths: Lengths) -> Callable[[Workspace], None]:
        """Do what may fail, and read what another memory is about to lose; gives what is left to do."""
        memory, value = self.memory, self.value
        if self._copy is not None:
            copy = self._copy
            if value.memory:
                aside = allocate(value.device, value.extents, value.shape, value.element, value.stripes)
                RegionCopy(value, aside, self._pers)(lengths)
                copy = RegionCopy(aside, memory.buffer, self._pers)
            return lambda workspace: self._written(copy, lengths)
        made = value if self._exchanges else memory.new_buffer(memory.spec.home, memory.buffer.stripes)
        if made is not value:
            RegionCopy(value, made, self._pers)(lengths)
        self._left_out.keep(made, lengths)
        return lambda workspace: self._take_over(made, workspace)

    def _written(self, copy: RegionCopy, lengths: Lengths) -> None:
        copy(lengths)
        self.memory.changed()

    def _take_over(self, made: Buffer, workspace: Workspace) -> None:
        """The memory's buffer gets the arrays in which its new contents lie."""
        if self._exchanges:
            workspace.exchange(made, self.memory.buffer)
        else:
            self.memory.buffer.arrays = made.arrays
        self.memory.changed()


class LeftOutRows:
    """The rows of a memory's batch that a call leaves out: they keep their contents."""

    def __init__(self, memory: DenseMemory, pers: Mapping[str, str]) -> None:
        self._memory, self._pers = memory, pers
        self._computed = LiveRows(memory.spec.extents, memory.shape(), pers)
        self._dims = [dim for dim in memory.spec.dims if dim != memory.along]

    def keep(self, made: Buffer, lengths: Lengths) -> None:
        """Copy them to the buffer that holds the others."""
        memory = self._memory
        if not self._dims:
            return
        holds = memory.bounds(lengths[memory.along] if memory.along else None)
        if all(np.array_equal(holds[dim], lengths[dim]) for dim in self._dims):
            return
        held = region_rows(made.extents, made.shape, self._pers, holds)
        kept = np.setdiff1d(held, as_numbers(self._computed.at(lengths)))
        made.copy_rows(kept, memory.buffer, kept)


def commit(contents: Sequence[Commit], workspace: Workspace, lengths: Lengths) -> None:
    """Let memories hold their new contents, all at once: one may take what another has held. Raises DeviceError where
    there is no room, changing nothing."""
    prepared = [(item.in_place, item.prepare(lengths)) for item in contents]
    for in_place in (True, False):  # what others see is written while all buffers still have their own arrays
        for chosen, finish in prepared:
            if chosen is in_place:
                finish(workspace)
