"""Memories: appending a step's rows, and what a committed memory holds."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import AnyFloat

from hetc.backends.reference.environment import Environment, OracleError, along
from hetc.backends.reference.sparse import SparseMatrix
from hetc.backends.reference.tensors import (
    SparseTensor,
    Tensor,
    compute_kind,
    element_dtype,
    stored,
    stored_magnitude,
)
from hetc.dialects.mp import AppendOp, TensorType


def append(op: AppendOp, environment: Environment, memory: Tensor | SparseTensor, rows: Tensor | SparseTensor
           ) -> Tensor | SparseTensor:  # fmt: skip
    """The memory with the rows written at the end of the dim `along`, whose live extent counts them already."""
    if not isinstance(rows, Tensor):
        raise OracleError("mp.append: the rows must be dense")
    if isinstance(memory, SparseTensor):
        return _append_columns(op, environment, memory, rows)
    return _append_rows(op, environment, memory, rows)


def _append_rows(op: AppendOp, environment: Environment, memory: Tensor, rows: Tensor) -> Tensor:
    keys = memory.type.shape
    axis = keys.index(op.along.data)
    has_axis = rows.type.rank == memory.type.rank
    growth = environment.longest(rows.type.shape[axis]) if has_axis else 1
    shape = tuple(growth if k == axis else environment.longest(key) for k, key in enumerate(keys))
    source = rows.array if has_axis else np.expand_dims(rows.array, axis)
    part = tuple(slice(extent) for extent in shape)
    value = stored(source[part].astype(compute_kind(memory.type.element)), memory.type.element)
    target = _targets(environment, memory.type, axis, shape, rows.type.shape[axis] if has_axis else 1)
    appended = rows.type.shape if has_axis else tuple(1 if k == axis else key for k, key in enumerate(keys))
    written = np.broadcast_to(target[axis] >= 0, shape) & environment.exists(appended, shape)
    at = tuple(np.broadcast_to(index, shape)[written] for index in target)
    array = writable(memory)
    array[at] = value[written].astype(array.dtype)
    magnitude = _append_magnitude(environment, memory, rows, source, part, value, at, written)
    return Tensor(array, memory.type, memory.inside, memory.conditions, magnitude, memory.is_storage)


def _append_magnitude(
    environment: Environment,
    memory: Tensor,
    rows: Tensor,
    source: np.ndarray,
    part: tuple[slice, ...],
    value: np.ndarray,
    at: tuple[np.ndarray, ...],
    written: np.ndarray,
) -> np.ndarray | None:
    if not environment.magnitudes or not isinstance(memory.type.element, AnyFloat):
        return None
    old = np.abs(memory.array.astype(np.float64)) if memory.magnitude is None else memory.magnitude.copy()
    new = np.abs(source.astype(np.float64)) if rows.magnitude is None else rows.magnitude.reshape(source.shape)
    element = memory.type.element
    rounds = rows.type.element != element
    old[at] = (stored_magnitude(new[part], value, element) if rounds else new[part])[written]
    return old


def _targets(
    environment: Environment, type: TensorType, axis: int, shape: tuple[int, ...], growth: int | str
) -> list[np.ndarray]:
    """For each dim the index that the rows' elements go to; along `axis` the last `growth` live positions."""
    rank = type.rank
    target = [along(np.arange(extent), k, rank) for k, extent in enumerate(shape)]

    def of_rows(key: int | str) -> int | np.ndarray:
        live = environment.extent(key)
        if isinstance(live, int):
            return live
        row = type.shape.index(environment.pers[str(key)])
        return along(live[: shape[row]], row, rank)

    target[axis] = of_rows(type.shape[axis]) - of_rows(growth) + target[axis]
    return target


def writable(memory: Tensor) -> np.ndarray:
    """A copy that holds values of the element type: a narrow storage dtype stays, f32 becomes float64."""
    dtype = element_dtype(memory.type.element)
    exact = dtype is not None and dtype.name != "f32" and memory.array.dtype == dtype.storage
    return memory.array.copy() if exact else memory.array.astype(compute_kind(memory.type.element))


def _append_columns(op: AppendOp, environment: Environment, memory: SparseTensor, rows: Tensor) -> SparseTensor:
    """Each appended column counts the row numbers (terms) it is given; counts saturate at the element type."""
    if memory.type.shape[1] != op.along.data:
        raise OracleError(f"mp.append: a sparse memory grows along its columns, {memory.type.shape[1]}")
    live = environment.extent(op.along.data)
    if not isinstance(live, int):
        raise OracleError("mp.append: the columns of a sparse memory cannot be a dim per rows")
    terms = rows.array if rows.type.rank == 2 else rows.array[None]
    present = rows.present if rows.type.rank == 2 else rows.present[None]
    growth = environment.longest(rows.type.shape[0]) if rows.type.rank == 2 else 1
    extent = environment.longest(memory.type.shape[0])
    dtype = element_dtype(memory.type.element)
    matrix = memory.matrix
    for position in range(growth):
        column = live - growth + position
        taken = terms[position][present[position]].astype(np.int64)
        term, count = np.unique(taken[(taken >= 0) & (taken < extent)], return_counts=True)
        if dtype is not None:
            count = stored(count.astype(compute_kind(memory.type.element)), memory.type.element)
        if column >= 0:
            matrix = matrix.with_entries(term, np.full(len(term), column), count)
    return SparseTensor(matrix, memory.type)


def committed(environment: Environment, before: Tensor | SparseTensor, after: Tensor | SparseTensor
              ) -> np.ndarray | SparseMatrix:  # fmt: skip
    """What the memory holds: the new version, over the old one where the new one covers the live extents only."""
    if isinstance(after, SparseTensor):
        return after.matrix
    if isinstance(before, SparseTensor):
        raise OracleError("mp.commit: a dense value for a sparse memory")
    if after.is_storage or after is before:
        return after.array
    array = writable(before)
    part = tuple(slice(extent) for extent in after.array.shape)
    value = stored(after.array.astype(compute_kind(after.type.element)), before.type.element)
    np.copyto(array[part] if part else array, value.astype(array.dtype), where=after.inside)
    return array
