"""Which rows of a row-major buffer are live: extents that vary by row as lists of row numbers.

A buffer's shape counts capacities. A region is its part between two bounds along every run-time dim: the rows
that a step appends, the live prefix of a memory. A row is what follows the last run-time dim: it is contiguous.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

Extents = tuple[int | str, ...]
Lengths = Mapping[str, NDArray]
"""Live extents by dim: int32, one element, or one for each row of the dim that it is per."""
Rows = slice | NDArray[np.int64]


def layers_of(extents: Extents, layered: int) -> tuple[int, ...]:
    """The extents of a tensor's layers, the first `layered` of its own: constants."""
    return tuple(int(size) for size in extents[:layered])


def row_axis(extents: Extents) -> int:
    """The last run-time dim's position, -1 where all extents are constant (then all is one row)."""
    return max((position for position, item in enumerate(extents) if isinstance(item, str)), default=-1)


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
    if axis < 0:
        return np.zeros(1, np.int64)
    # Along a dim of `low` the grid counts from there: a few new rows cost nothing for the many that precede them.
    first = low if low is not None else {}
    counted = {key: np.maximum(high[key] - first.get(key, 0), 0) for key in extents if isinstance(key, str)}
    sizes = [min(_largest(extents[at], pers, counted), shape[at]) for at in range(axis + 1)]
    grid = np.meshgrid(*(np.arange(size, dtype=np.int64) for size in sizes), indexing="ij", sparse=True)
    number = np.zeros((1,) * len(grid), np.int64)
    inside = np.ones((1,) * len(grid), np.bool_)
    for at, index in enumerate(grid):
        key = extents[at]
        owner = grid[extents.index(pers[key])] if isinstance(key, str) and key in pers else None
        if isinstance(key, str) and owner is not None:
            inside = inside & (index < counted[key][owner])
        if isinstance(key, str) and key in first:
            index = index + (first[key][owner] if owner is not None else int(first[key][0]))
        number = number * shape[at] + index
    whole = np.broadcast_shapes(number.shape, inside.shape)
    if inside.all():
        return np.broadcast_to(number, whole).flatten()
    return np.broadcast_to(number, whole)[np.broadcast_to(inside, whole)]


def _largest(key: int | str, pers: Mapping[str, str], high: Lengths) -> int:
    if isinstance(key, int):
        return key
    values = high[key]
    if key in pers:
        values = values[: _largest(pers[key], pers, high)]
    return int(values.max(initial=0))


def box(extents: Extents, pers: Mapping[str, str], lengths: Lengths) -> tuple[int, ...]:
    """The smallest shape that holds every live element: a dim per another counts its longest row."""
    return tuple(_largest(item, pers, lengths) for item in extents)


def as_slice(rows: NDArray[np.int64]) -> Rows:
    """A run of neighbouring rows as a slice (a view or one copy), else the numbers themselves."""
    # The ends alone are cheap to look at, and enough to rule most lists out.
    if len(rows) and int(rows[-1]) - int(rows[0]) + 1 == len(rows) and bool((np.diff(rows) == 1).all()):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
