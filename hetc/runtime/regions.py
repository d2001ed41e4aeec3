"""Which rows of a row-major buffer are live: extents that vary by row as lists of row numbers.

A buffer's shape counts capacities. A region is its part between two bounds along every run-time dim: the rows
that a step appends, the live prefix of a memory. A row is what follows the last run-time dim: it is contiguous.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW = 16
"""So few numbers are looked at faster one by one in Python."""
Extents = tuple[int | str, ...]
Lengths = Mapping[str, NDArray]
"""Live extents by dim: int32, one element, or one for each row of the dim that it is per."""
Rows = slice | NDArray[np.int64]


def layers_of(extents: Extents, layered: int) -> tuple[int, ...]:
    """The extents of a tensor's layers, the first `layered` of its own: constants."""
    return tuple(int(size) for size in extents[:layered])


@lru_cache(maxsize=4096)
def row_axis(extents: Extents) -> int:
    """The last run-time dim's position, -1 where all extents are constant (then all is one row)."""
    return max((position for position, item in enumerate(extents) if isinstance(item, str)), default=-1)


@lru_cache(maxsize=4096)
def row_elements(extents: Extents) -> int:
    """Elements of one row."""
    return prod(int(item) for item in extents[row_axis(extents) + 1 :])


def region_rows(
    extents: Extents,
    shape: Sequence[int],
    pers: Mapping[str, str],
    high: Lengths,
    low: Lengths | None = None,
) -> NDArray[np.int64]:
    """The numbers, ascending, of the rows of a buffer of `shape` whose every index is below `high`, and at or past
    `low` along the dims that it names. `pers` names the dim that a dim is per, which stands before it."""
    axis = row_axis(extents)
    number, first = np.zeros(1, np.int64), low if low is not None else {}
    at_dim: dict[str, NDArray[np.int64]] = {}  # of each number so far the index along a dim, from the region's first on
    for place in range(axis + 1):
        key, size = extents[place], shape[place]
        owner = at_dim[pers[key]] if isinstance(key, str) and key in pers else None
        count, begin = _run(key, size, owner, high, first)
        if isinstance(count, int):
            within = np.arange(count, dtype=np.int64)
            number = (number[:, None] * size + (begin if owner is None else begin[:, None]) + within).reshape(-1)
            at_dim = {dim: np.repeat(index, count) for dim, index in at_dim.items()}
            index = np.tile(within, len(number) // count) if count and place else within
        else:
            ends = np.cumsum(count)
            index = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - count, count)
            number = np.repeat(number * size + begin, count) + index
            at_dim = {dim: np.repeat(index_, count) for dim, index_ in at_dim.items()}
        if isinstance(key, str):
            at_dim.setdefault(key, index)
    return number


def _run(
    key: int | str, size: int, owner: NDArray[np.int64] | None, high: Lengths, low: Lengths
) -> tuple[int | NDArray[np.int64], Any]:
    """How many indices of a dim lie in the region, and the first of them: numbers, or one for each row so far."""
    if isinstance(key, int):
        return min(key, size), 0
    ends, begins = high[key], low.get(key)
    if owner is None:
        begin = 0 if begins is None else int(begins[0])
        return max(min(int(ends[0]) - begin, size), 0), begin
    begin_of = np.zeros(len(owner), np.int64) if begins is None else begins[owner].astype(np.int64)
    count = np.clip(ends[owner].astype(np.int64) - begin_of, 0, size)
    if len(count) and bool((count == count[0]).all()):
        return int(count[0]), begin_of
    return count, begin_of


def longest(key: int | str, pers: Mapping[str, str], high: Lengths) -> int:
    """The longest that an extent is, over the rows in use where it is per another dim."""
    if isinstance(key, int):
        return key
    values = high[key]
    if key in pers:
        values = values[: longest(pers[key], pers, high)]
    return largest(values)


def largest(values: NDArray) -> int:
    """Of numbers that are not negative; 0 of none."""
    if len(values) == 1:
        return values.item()
    return max(values.tolist(), default=0) if len(values) <= FEW else int(values.max())


def box(extents: Extents, pers: Mapping[str, str], lengths: Lengths) -> tuple[int, ...]:
    """The smallest shape that holds every live element: a dim per another counts its longest row."""
    return tuple([longest(item, pers, lengths) for item in extents])


class LiveRows:
    """The live rows of a buffer, call after call: worked out anew only where a length is another array than before.
    Arrays of lengths are not written to."""

    def __init__(self, extents: Extents, shape: Sequence[int], pers: Mapping[str, str]) -> None:
        self.extents, self.shape, self.pers = extents, tuple(shape), pers
        self._dims = tuple(dict.fromkeys(item for item in extents if isinstance(item, str)))
        self._seen: list[tuple[str, NDArray]] = []
        self._asked = False
        self._rows: Rows = slice(0, 0)
        self.box: tuple[int, ...] = ()
        """The smallest shape that holds all rows that were asked for last."""
        self.fills_box = False
        """Whether those rows are all of that shape."""

    def at(self, high: Lengths) -> Rows:
        """The rows below `high`: see `region_rows`."""
        for dim, seen in self._seen:
            if high[dim] is not seen:
                break
        else:
            if self._asked:
                return self._rows
        self._asked = True
        self._rows = as_slice(region_rows(self.extents, self.shape, self.pers, high))
        self.box = box(self.extents, self.pers, high)
        self.fills_box = row_count(self._rows) * row_elements(self.extents) == prod(self.box)
        self._seen = [(dim, high[dim]) for dim in self._dims]
        return self._rows


class AppendedRows:
    """The rows of a buffer that a step appends along a dim: those that it would append to an empty one, moved on."""

    def __init__(self, extents: Extents, shape: Sequence[int], pers: Mapping[str, str], along: str) -> None:
        axis = row_axis(extents)
        self.along = along
        self._first = LiveRows(extents, shape, pers)
        self._distance = prod(shape[extents.index(along) + 1 : axis + 1])
        self._owner: tuple[int, int] | None = None
        if along in pers:
            place = extents.index(pers[along])
            self._owner = prod(shape[place + 1 : axis + 1]), shape[place]
        self._rows: Rows | None = None
        self._numbers = self._owners = np.zeros(0, np.int64)
        self._only = -1  # the row of the other dim, where all of them are of one

    def at(self, before: Lengths, during: Lengths, added: NDArray) -> Rows:
        """The rows from `before` on, `added` of them (one number, or one for each row of the dim that this one is
        per)."""
        rows, start = self._first.at({**during, self.along: added}), before[self.along]
        if self._owner is None:
            return moved_on(rows, int(start[0]) * self._distance)
        if rows is not self._rows:
            stride, count = self._owner
            self._rows, self._numbers = rows, as_numbers(rows)
            self._owners = self._numbers // stride % count
            one = len(self._owners) > 0 and bool((self._owners == self._owners[0]).all())
            self._only = int(self._owners[0]) if one else -1
        if self._only >= 0:
            return moved_on(rows, int(start[self._only]) * self._distance)
        return as_slice(self._numbers + start[self._owners].astype(np.int64) * self._distance)


def moved_on(rows: Rows, distance: int) -> Rows:
    """The rows so many places further on."""
    if not distance:
        return rows
    return slice(rows.start + distance, rows.stop + distance) if isinstance(rows, slice) else rows + distance


def row_count(rows: Rows) -> int:
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


def as_numbers(rows: Rows) -> NDArray[np.int64]:
    """The numbers of rows, one by one."""
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows


def as_slice(rows: Rows) -> Rows:
    """A run of neighbouring rows as a slice (a view or one copy), else the numbers themselves."""
    if isinstance(rows, slice):
        return rows
    # The ends alone are cheap to look at, and enough to rule most lists out.
    ends_fit = len(rows) > 0 and int(rows[-1]) - int(rows[0]) + 1 == len(rows)
    if ends_fit and (len(rows) < 3 or bool((np.diff(rows) == 1).all())):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
