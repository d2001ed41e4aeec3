"""Setting the contents of a state's memories from the caller's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.errors import CapacityError, InputError
from hetc.runtime.memory import DenseMemory, SparseHome
from hetc.runtime.regions import region_rows
from hetc.runtime.tensors import to_host, to_stored

if TYPE_CHECKING:
    from hetc.runtime.state import State


def load(state: State, name: str, given: Any, lengths: object) -> None:
    """A memory's contents, all checked before any is written; see State.load."""
    spec = state.memory(name)
    if name in state.sparse:
        _load_sparse(state, name, given, lengths)
        return
    values = to_stored(given, spec.element, spec.codes, name)
    _check_shape(state, name, values.shape)
    memories = state.parts(name)
    along = memories[0].along
    if along:
        extent = values.shape[spec.extents.index(along)]
        checked = state.checked_lengths({along: extent if lengths is None else lengths})
        if checked[along].max(initial=0) > extent:
            raise InputError(f"memory '{name}': {extent} rows along {along}, and lengths {checked[along].tolist()}")
        state.hold_lengths(checked)
    else:
        _refuse_lengths(name, lengths)
    parts = values.reshape(len(memories), *values.shape[spec.layered :])
    for memory, part in zip(memories, parts, strict=True):
        _load_part(state, memory, part)


def _load_part(state: State, memory: DenseMemory, values: NDArray) -> None:
    extents = memory.spec.extents
    high = memory.bounds(state.lengths[memory.along] if memory.along else None)
    for dim, size in zip(extents, values.shape, strict=True):
        if isinstance(dim, str):
            high[dim] = np.minimum(high[dim], size)
    target = region_rows(extents, memory.shape(), state.pipeline.pers, high)
    source = region_rows(extents, values.shape, state.pipeline.pers, high)
    memory.buffer.write_rows(target, values.reshape(-1, memory.buffer.row_elements)[source])
    memory.changed()


def _load_sparse(state: State, name: str, given: Any, lengths: object) -> None:
    home, spec = state.sparse[name], state.memory(name)
    if not home.along:
        _refuse_lengths(name, lengths)
        lengths = home.columns(state.lengths)
    if isinstance(given, tuple):
        if lengths is None:
            raise InputError(f"memory '{name}': entries without `lengths`, the number of columns")
        if len(given) != 3:
            raise InputError(f"memory '{name}': expected (row, column, value) arrays, got {len(given)}")
        row, column = (to_host(item, "i64", name) for item in given[:2])
        values = to_host(given[2], spec.element, name)
        if not (row.shape == column.shape == values.shape and row.ndim == 1):
            found = ", ".join(str(list(item.shape)) for item in (row, column, values))
            raise InputError(f"memory '{name}': expected as many rows as columns and values, got {found}")
        columns: object = lengths
    else:
        dense = to_host(given, spec.element, name)
        _check_shape(state, name, dense.shape)
        row, column = np.nonzero(dense)
        values, columns = dense[row, column], dense.shape[1] if lengths is None else lengths
    entries = _checked_entries(name, row, column, home.matrix.rows, columns, home.matrix.stored_bound)
    state.set_lengths(**_along(home, columns))
    home.matrix.load(*entries, values)


def load_columns(state: State, name: str, row_numbers: Any) -> None:
    """A sparse memory's contents by columns; see State.load_columns."""
    state.memory(name)
    if name not in state.sparse:
        raise InputError(f"memory '{name}' is dense; use load")
    numbers = to_host(row_numbers, "i32", name)
    if numbers.ndim != 2:
        raise InputError(f"memory '{name}': expected row numbers [columns, entries], got {list(numbers.shape)}")
    home = state.sparse[name]
    if not home.along and len(numbers) != home.columns(state.lengths):
        raise InputError(f"memory '{name}': expected {home.columns(state.lengths)} columns, got {len(numbers)}")
    checked = state.checked_lengths(_along(home, len(numbers)))
    home.matrix.load_columns(numbers)
    state.hold_lengths(checked)


def _along(home: SparseHome, columns: object) -> dict[str, object]:
    """The lengths that say how many columns there are; none where the program says it."""
    return {home.along: columns} if home.along else {}


def _refuse_lengths(name: str, lengths: object) -> None:
    if lengths is not None:
        raise InputError(f"memory '{name}' does not grow, and takes no lengths")


def _check_shape(state: State, name: str, shape: tuple[int, ...]) -> None:
    extents = state.pipeline.tensors[name].extents
    fits = len(shape) == len(extents) and all(
        size <= state.capacities[item] if isinstance(item, str) else size == item
        for size, item in zip(shape, extents, strict=True)
    )
    if not fits:
        wanted = ", ".join(f"{e} (up to {state.capacities[e]})" if isinstance(e, str) else str(e) for e in extents)
        raise InputError(f"memory '{name}': expected [{wanted}], got {list(shape)}")


def _checked_entries(
    name: str, row: NDArray, column: NDArray, rows: int, columns: object, bound: int
) -> tuple[NDArray, NDArray]:
    """Positions of sparse entries that lie inside and do not repeat. Raises InputError, CapacityError."""
    if len(row) > bound:
        raise CapacityError(f"memory '{name}': {len(row)} entries exceed its bound {bound}")
    width = int(np.asarray(columns).max(initial=0))
    outside = (row < 0) | (row >= rows) | (column < 0) | (column >= width)
    if outside.any():
        at = int(np.argmax(outside))
        raise InputError(f"memory '{name}': entry ({row[at]}, {column[at]}) lies outside of [{rows}, {width}]")
    if len(np.unique(row.astype(np.int64) * max(width, 1) + column)) != len(row):
        raise InputError(f"memory '{name}': an entry is given twice")
    return row, column
