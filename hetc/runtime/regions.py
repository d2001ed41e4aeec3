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
    along: str | None = None,
) -> NDArray[np.int64]:
    """The numbers, ascending, of the rows of a buffer of `shape` whose every index is below `high`, and along the
    dim `along` at or past `low`. `pers` names the dim that a dim is per."""
    axis = row_axis(extents)
    if axis < 0:
        return np.zeros(1, np.int64)
    grids: list[NDArray[np.int64]] = []
    for position in range(axis + 1):
        size = _largest(extents[position], pers, high)
        grids.append(np.arange(min(size, shape[position]), dtype=np.int64))
    mesh = np.meshgrid(*grids, indexing="ij", sparse=True)
    number = np.zeros((1,) * len(mesh), np.int64)
    for index, size in zip(mesh, shape[: axis + 1], strict=True):
        number = number * size + index
    inside = np.ones((1,) * len(mesh), np.bool_)
    for position, index in enumerate(mesh):
        key = extents[position]
        if not isinstance(key, str):
            continue
        owner = mesh[extents.index(pers[key])] if key in pers else None
        if owner is not None:
            inside = inside & (index < high[key][owner])
        if key == along and low is not None:
            inside = inside & (index >= (low[key][owner] if owner is not None else int(low[key][0])))
    if inside.size == 1 and inside.all():
        return number.reshape(-1)
    return np.broadcast_to(number, np.broadcast_shapes(number.shape, inside.shape))[
        np.broadcast_to(inside, np.broadcast_shapes(number.shape, inside.shape))
    ]


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
