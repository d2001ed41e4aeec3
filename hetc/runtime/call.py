"""One call of a step in progress: what its actions are told, and what undoes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer
from hetc.runtime.call_lengths import LengthArrays, Lengths
from hetc.runtime.layers import live_values
from hetc.runtime.trace import TransferTrace

if TYPE_CHECKING:
    from hetc.runtime.program import HostProgram
    from hetc.runtime.state import State

Action = Callable[["Call"], None]
"""A part of a step: it changes nothing of the state that `Call.undo` does not undo."""


@dataclass(slots=True)
class Call:
    """`written`: how long the memories are whose rows were appended so far, by name. `cleared`: the rows of dims that
    are to be emptied when all has succeeded."""

    program: HostProgram
    state: State
    step: str
    lengths: Lengths
    written: dict[str, NDArray[np.int32]] = field(default_factory=dict)
    cleared: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    undoing: list[Callable[[], None]] = field(default_factory=list)

    @property
    def during(self) -> LengthArrays:
        """The live lengths, appended rows included."""
        return self.lengths.during

    def written_of(self, memory: str, along: str) -> NDArray[np.int32]:
        """How much of a memory has been written, along the dim that it grows along ("": all of it)."""
        if memory in self.written:
            return self.written[memory]
        return self.state.lengths[along] if along else np.zeros(1, np.int32)

    def clear(self, dim: str, condition: Buffer | None) -> None:
        """Empty the memories along a dim at the end, where a condition (one, or one a row) holds."""
        rows = np.ones(self.during[dim].shape, np.bool_)
        if condition is not None:
            held = live_values(condition, self.state.pipeline.pers, self.during).astype(np.bool_)
            rows[:] = False
            rows[: held.size if held.ndim else rows.size] = held
        before = self.cleared.get(dim)
        self.cleared[dim] = rows if before is None else before | rows

    def complete(self) -> None:
        """Make the lengths visible, and empty what is to be emptied."""
        state = self.state
        state.complete(self.step, self.during)
        for dim, rows in self.cleared.items():
            state.shorten(dim, np.where(rows, 0, state.lengths[dim]))
        for home in state.sparse.values():
            if home.matrix.wasteful:
                home.matrix.pack()

    def undo(self) -> None:
        """The memories are as they were."""
        for undo in reversed(self.undoing):
            undo()
        for memory in self.state.dense.values():
            if memory.along:
                memory.forget_beyond(self.state.lengths[memory.along])

    def moved(self, tensor: str, source: str, target: str, bytes_moved: int) -> None:
        """Shows a transfer to whoever traces the program."""
        if self.program.on_transfer is not None:
            self.program.on_transfer(TransferTrace(tensor, source, target, bytes_moved))
