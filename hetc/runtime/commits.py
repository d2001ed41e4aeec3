"""What a step changes of its state: nothing until all of it has succeeded, then everything."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer, LayeredBuffer
from hetc.runtime.layers import copy_region, live_values
from hetc.runtime.memory import DenseMemory, parts_of
from hetc.runtime.regions import region_rows
from hetc.runtime.state import State


class Commits:
    """New contents of memories and dims to empty, collected during one call. `lengths`: those during the step."""

    def __init__(self, state: State, lengths: Mapping[str, NDArray[np.int32]]) -> None:
        self.state, self.lengths = state, lengths
        self._contents: dict[str, Buffer] = {}
        self._cleared: dict[str, NDArray[np.bool_]] = {}

    def add(self, name: str, value: Buffer | LayeredBuffer) -> None:
        """What a dense memory holds once the step has completed."""
        parts = value.parts if isinstance(value, LayeredBuffer) else (value,)
        self._contents.update(zip(parts_of(name, self.state.memory(name)), parts, strict=True))

    def clear(self, dim: str, condition: Buffer | None) -> None:
        """Empty the memories along a dim, where a condition (one, or one a row) holds."""
        rows = np.ones(self.lengths[dim].shape, np.bool_)
        if condition is not None:
            held = live_values(condition, self.state.pipeline.pers, self.lengths).astype(np.bool_)
            rows[:] = False
            rows[: held.size if held.ndim else rows.size] = held
        before = self._cleared.get(dim)
        self._cleared[dim] = rows if before is None else before | rows

    def apply(self, step: str) -> None:
        """Make everything visible, with the lengths that the step grows."""
        replaced = {name: self._replacement(name, value) for name, value in self._contents.items()}
        for name, buffer in replaced.items():
            self._replace(self.state.dense[name], buffer, name)
        self.state.complete(step, self.lengths)
        for dim, rows in self._cleared.items():
            self.state.shorten(dim, np.where(rows, 0, self.state.lengths[dim]))
        for home in self.state.sparse.values():
            if home.matrix.wasteful:
                home.matrix.pack()

    def _replacement(self, name: str, value: Buffer) -> Buffer:
        """The buffer that becomes the memory's: the value's own where nothing else uses it, else a copy."""
        memory, pers = self.state.dense[name], self.state.pipeline.pers
        current = memory.buffer
        if value is current:
            return current
        # Where others see the buffer it is written in place: all has succeeded.
        if current.placement is not None or memory.bound:
            copy_region(value, current, pers, self.lengths)
            memory.changed()
            return current
        fits = (value.device, value.shape, value.stripes) == (current.device, current.shape, current.stripes)
        alone = sum(held is value for held in self._contents.values()) == 1
        # The old buffer takes the value's place: the next call writes there.
        if fits and alone and self.state.workspace.exchange(value, current):
            made = value
        else:
            made = memory.new_buffer(memory.spec.home, current.stripes)
            copy_region(value, made, pers, self.lengths)
        self._keep_left_out(memory, made)
        return made

    def _keep_left_out(self, memory: DenseMemory, made: Buffer) -> None:
        """Rows of the batch that this call leaves out keep their contents."""
        pers = self.state.pipeline.pers
        holds = memory.bounds(self.lengths[memory.along] if memory.along else None)
        if any(not np.array_equal(holds[dim], self.lengths[dim]) for dim in memory.spec.dims):
            computed = region_rows(made.extents, made.shape, pers, self.lengths)
            kept = np.setdiff1d(region_rows(made.extents, made.shape, pers, holds), computed)
            made.copy_rows(kept, memory.buffer, kept)

    @staticmethod
    def _replace(memory: DenseMemory, buffer: Buffer, name: str) -> None:
        if buffer is memory.buffer:
            return
        memory.buffer.memory = ""
        buffer.memory = name
        memory.buffer = buffer
        memory.changed()
