"""Writing a step's new rows at the end of a dense memory."""

from __future__ import annotations

from collections.abc import Mapping

from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer
from hetc.runtime.regions import AppendedRows, Lengths, LiveRows, row_count

# The name that a constant growth gets while the new rows' extent counts as a run-time dim.
_APPENDED = "(appended)"


class Append:
    """Writes `rows` into `memory`, call after call, each row of a batch at its own end.

    `rows` has the memory's extents with `growth` (a number, or a dim) in the place of `along`, or without it where
    one row is appended.
    """

    def __init__(self, memory: Buffer, rows: Buffer, along: str, growth: int | str, pers: Mapping[str, str]) -> None:
        self.memory, self.rows, self.along = memory, rows, along
        self._target = AppendedRows(memory.extents, memory.shape, pers, along)
        position = memory.extents.index(along)
        self._growth = ""
        if len(rows.extents) == len(memory.extents):
            self._growth = growth if isinstance(growth, str) else _APPENDED
            extents = (*memory.extents[:position], self._growth, *memory.extents[position + 1 :])
            inner = {**pers, self._growth: pers[along]} if along in pers else pers
            self._source = LiveRows(extents, rows.shape, inner)
        else:
            self._source = LiveRows(memory.extents[:position] + memory.extents[position + 1 :], rows.shape, pers)

    def __call__(self, before: Lengths, during: Lengths, added: NDArray) -> None:
        """From `before` on; `added` rows: during - before."""
        source = self._source.at({**during, self._growth: added} if self._growth else during)
        target, memory = self._target.at(before, during, added), self.memory
        if row_count(source) == row_count(target):
            memory.copy_rows(target, self.rows, source)
        else:  # rows of the new rows' own size, which hold several of the memory's: an extent before `along`
            memory.write_rows(target, self.rows.read_rows(source).reshape(-1, memory.row_elements))
