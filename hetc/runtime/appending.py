"""Writing a step's new rows at the end of a dense memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer
from hetc.runtime.regions import Lengths, region_rows

# The name that a constant growth gets while the new rows' extent counts as a run-time dim.
_APPENDED = "(appended)"


def append_rows(
    memory: Buffer,
    rows: Buffer,
    along: str,
    growth: int | str,
    pers: Mapping[str, str],
    before: Lengths,
    during: Lengths,
) -> None:
    """Write `rows` into `memory` from `before[along]` on, each row of a batch at its own end.

    `rows` has the memory's extents with `growth` (a number, or a dim) in the place of `along`, or without it where
    one row is appended.
    """
    target = region_rows(memory.extents, memory.shape, pers, during, {along: before[along]})
    position = memory.extents.index(along)
    if len(rows.extents) == len(memory.extents):
        name = growth if isinstance(growth, str) else _APPENDED
        extents = (*memory.extents[:position], name, *memory.extents[position + 1 :])
        added = {name: during[along] - before[along]}
        inner = {**pers, name: pers[along]} if along in pers else pers
        source = region_rows(extents, rows.shape, inner, {**during, **added})
    else:
        extents = memory.extents[:position] + memory.extents[position + 1 :]
        source = region_rows(extents, rows.shape, pers, during)
    _write(memory, target, rows, source)


def _write(memory: Buffer, target: NDArray[np.int64], rows: Buffer, source: NDArray[np.int64]) -> None:
    """`source` counts rows of the memory's size, or where there are fewer, rows of the new rows' own size, which then
    hold several of the memory's (an extent between the batch and `along`)."""
    if len(source) == len(target):
        memory.copy_rows(target, rows, source)
    else:
        memory.write_rows(target, rows.read_rows(source).reshape(-1, memory.row_elements))
