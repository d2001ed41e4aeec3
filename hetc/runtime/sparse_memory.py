"""A sparse memory that grows by columns: rows of ascending columns in one pool, with slack to grow in place.

Row r holds the entries pool[start[r] : start[r] + length[r]]. A row that outgrows its room moves to the pool's end
with twice the room, so an appended entry costs constant time on average; what it leaves behind is reclaimed when
the pool is packed. New columns are larger than all stored ones, so appending keeps each row's columns ascending.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hetc.footprint import LEAST_POOL, LEAST_ROOM, POOL_FACTOR, pool_entries
from hetc.runtime.elements import element_type, host_dtype
from hetc.runtime.errors import CapacityError


@dataclass
class Undo:
    """What `roll_back` needs: the index of the touched rows as it was."""

    rows: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int32]
    room: NDArray[np.int64]
    end: int
    stored: int


@dataclass
class Touched:
    """What a copy of the memory lacks: rows of the index, and entries of the pool (everything after packing)."""

    everything: bool = True
    rows: list[NDArray[np.int64]] = field(default_factory=list)

    def clear(self) -> None:
        self.everything, self.rows = False, []


class SparseMemory:
    """`rows` x any number of columns; columns come by `append`. Not thread-safe."""

    def __init__(self, rows: int, element: str, stored_bound: int, name: str = "") -> None:
        self.rows, self.element, self.stored_bound, self.name = rows, element, stored_bound, name
        self.row_start = np.zeros(rows, np.int64)
        self.row_length = np.zeros(rows, np.int32)
        self.room = np.zeros(rows, np.int64)
        self.column = np.zeros(0, np.int32)
        self.value = np.zeros(0, host_dtype(element))
        self.end = 0
        self.stored = 0
        self._watchers: list[Touched] = []

    @property
    def most_entries(self) -> int:
        """What the pool never outgrows."""
        return pool_entries(self.stored_bound, self.rows)

    @property
    def pool(self) -> int:
        """Capacity of the pool, in entries."""
        return len(self.column)

    def watch(self) -> Touched:
        """A record of what changes from now on, for one copy of the memory; it starts with everything."""
        touched = Touched()
        self._watchers.append(touched)
        return touched

    def append(self, row_numbers: NDArray, first_column: int) -> Undo:
        """Append columns, one a row of `row_numbers` [columns, entries]: each counts its row numbers.

        Numbers below 0 or past the last row are skipped; a count saturates at the element's maximum. Raises
        CapacityError, changing nothing, where more than `stored_bound` entries would be stored.
        """
        row, column, count = _count(row_numbers, self.rows, first_column)
        limit = element_type(self.element)
        value = np.minimum(count, int(min(limit.max_finite, 2**62))) if not limit.is_float else count
        if self.stored + len(row) > self.stored_bound:
            raise CapacityError(
                f"memory '{self.name}': {self.stored + len(row)} stored entries exceed its bound {self.stored_bound}"
            )
        rows, first, added = np.unique(row, return_index=True, return_counts=True)
        if self.end + int(self._moves(rows, added)[1].sum()) > self.most_entries:
            self.pack()
        undo = Undo(rows, self.row_start[rows], self.row_length[rows], self.room[rows], self.end, self.stored)
        self._make_room(rows, added)
        within = np.arange(len(row)) - np.repeat(first, added)
        place = np.repeat(self.row_start[rows] + self.row_length[rows], added) + within
        self.column[place] = column
        self.value[place] = _stored_values(value, self.element)
        self.row_length[rows] += added.astype(np.int32)
        self.stored += len(row)
        for watcher in self._watchers:
            watcher.rows.append(rows)
        return undo

    def roll_back(self, undo: Undo) -> None:
        """Make the last append not have happened. Entries past a row's length are dead."""
        rows = undo.rows
        self.row_start[rows], self.row_length[rows], self.room[rows] = undo.start, undo.length, undo.room
        self.end, self.stored = undo.end, undo.stored
        for watcher in self._watchers:
            watcher.rows.append(rows)

    def _make_room(self, rows: NDArray[np.int64], added: NDArray[np.int64]) -> None:
        """Move the rows that would outgrow their room to the pool's end."""
        moved, room = self._moves(rows, added)
        need = int(room.sum())
        if self.end + need > self.pool:
            self._grow(self.end + need)
        start = self.end + np.cumsum(room) - room
        source, length = _entries(self.row_start[moved], self.row_length[moved])
        target, _ = _entries(start, length)
        self.column[target] = self.column[source]
        self.value[target] = self.value[source]
        self.row_start[moved], self.room[moved] = start, room
        self.end += need

    def _moves(self, rows: NDArray[np.int64], added: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows that would outgrow their room, and the room that each then gets."""
        wanted = self.row_length[rows] + added
        moving = wanted > self.room[rows]
        return rows[moving], np.maximum(2 * wanted[moving], LEAST_ROOM)

    def _grow(self, entries: int) -> None:
        """A larger pool with the same contents."""
        size = min(max(LEAST_POOL, entries + entries // 2), self.most_entries)
        for name in ("column", "value"):
            old = getattr(self, name)
            new = np.zeros(size, old.dtype)
            new[: self.end] = old[: self.end]
            setattr(self, name, new)

    def pack(self) -> None:
        """Lay the rows out anew without what moved rows left behind. Not while an append may be undone."""
        source, length = _entries(self.row_start, self.row_length)
        room = np.where(self.row_length > 0, np.maximum(self.row_length.astype(np.int64) * 3 // 2, LEAST_ROOM), 0)
        start = np.cumsum(room) - room
        target, _ = _entries(start, length)
        size = max(LEAST_POOL, int(room.sum()))
        column, value = np.zeros(size, self.column.dtype), np.zeros(size, self.value.dtype)
        column[target], value[target] = self.column[source], self.value[source]
        self.column, self.value, self.row_start, self.room = column, value, start, room
        self.end = int(room.sum())
        for watcher in self._watchers:
            watcher.everything = True

    @property
    def wasteful(self) -> bool:
        """Whether the pool has outgrown what the stored entries justify."""
        return self.end > max(LEAST_POOL, POOL_FACTOR * self.stored + LEAST_ROOM * self.rows)

    def load(self, row: NDArray, column: NDArray, value: NDArray) -> None:
        """Replace the contents by entries given as positions and host values; none may repeat."""
        if len(row) > self.stored_bound:
            raise CapacityError(f"memory '{self.name}': {len(row)} entries exceed its bound {self.stored_bound}")
        order = np.lexsort((column, row))
        row, column, value = np.asarray(row)[order], np.asarray(column)[order], np.asarray(value)[order]
        self.row_length = np.bincount(row, minlength=self.rows).astype(np.int32)
        self.row_start = np.cumsum(self.row_length, dtype=np.int64) - self.row_length
        self.room = self.row_length.astype(np.int64)
        self.column, self.value = column.astype(np.int32), value.astype(host_dtype(self.element))
        self.end = self.stored = len(row)
        for watcher in self._watchers:
            watcher.everything = True

    def load_columns(self, row_numbers: NDArray) -> None:
        """Replace the contents by columns, as `append` takes them. Raises CapacityError, changing nothing."""
        made = SparseMemory(self.rows, self.element, self.stored_bound, self.name)
        made.append(row_numbers, 0)
        for name in ("row_start", "row_length", "room", "column", "value", "end", "stored"):
            setattr(self, name, getattr(made, name))
        for watcher in self._watchers:
            watcher.everything = True

    def to_dense(self, columns: int) -> NDArray:
        """[rows, columns] host values; zeros where nothing is stored."""
        dense = np.zeros((self.rows, columns), self.value.dtype)
        entry, length = _entries(self.row_start, self.row_length)
        dense[np.repeat(np.arange(self.rows), length), self.column[entry]] = self.value[entry]
        return dense


def _entries(start: NDArray, length: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pool positions of rows one after the other, and the lengths as int64."""
    length = length.astype(np.int64)
    within = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    return np.repeat(start, length) + within, length


def _count(numbers: NDArray, rows: int, first_column: int) -> tuple[NDArray, NDArray, NDArray]:
    """(row, column, count) of each distinct pair, ascending by row, then by column."""
    columns = len(numbers)
    flat = numbers.reshape(-1).astype(np.int64)
    column = np.repeat(np.arange(columns, dtype=np.int64), numbers.shape[1])
    kept = (flat >= 0) & (flat < rows)
    # One sortable key a pair: much faster than sorting by two keys.
    key, count = np.unique(flat[kept] * max(columns, 1) + column[kept], return_counts=True)
    return key // max(columns, 1), key % max(columns, 1) + first_column, count


def _stored_values(value: NDArray, element: str) -> NDArray:
    dtype = element_type(element)
    if not dtype.is_float:
        return value.astype(host_dtype(element))
    from hetc.numerics.rounding import to_bits

    return to_bits(value.astype(np.float64), dtype).view(host_dtype(element))
