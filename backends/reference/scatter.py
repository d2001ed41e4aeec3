"""Rows written at computed places of a memory."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import AnyFloat

from hetc.backends.reference.environment import Environment, OracleError
from hetc.backends.reference.memory import writable
from hetc.backends.reference.tensors import Tensor
from hetc.dialects.mp import ScatterOp


def scatter(op: ScatterOp, environment: Environment, memory: Tensor, rows: Tensor, places: Tensor) -> Tensor:
    """The memory with the rows written, the others as they were. Raises OracleError where two places are equal or one
    is outside of the memory's live extents."""
    shape = tuple(environment.longest(key) for key in places.type.shape)
    numbers = places.array[tuple(slice(size) for size in shape)].reshape(shape)
    written = (numbers >= 0) & environment.exists(places.type.shape, shape)
    chosen = numbers[written].astype(np.int64)
    if len(np.unique(chosen)) < len(chosen):
        raise OracleError("mp.scatter: two places are equal")
    at = tuple(np.unravel_index(chosen, op.leading)) if op.leading else (np.zeros(len(chosen), np.int64),)
    _check_inside(op, environment, memory, at)
    part = tuple(slice(environment.longest(key)) for key in rows.type.shape)
    array = writable(memory)
    _whole(array, op)[at] = rows.array[part][written].astype(array.dtype)
    magnitude = None
    if environment.magnitudes and isinstance(memory.type.element, AnyFloat):
        magnitude = np.abs(memory.array.astype(np.float64)) if memory.magnitude is None else memory.magnitude.copy()
        new = np.abs(rows.array.astype(np.float64)) if rows.magnitude is None else rows.magnitude
        _whole(magnitude, op)[at] = new[part][written]
    return Tensor(array, memory.type, memory.inside, memory.conditions, magnitude, memory.is_storage)


def _whole(array: np.ndarray, op: ScatterOp) -> np.ndarray:
    """The array with a dim that places count over, whatever is written in one piece."""
    return array if op.leading else array[None]


def _check_inside(op: ScatterOp, environment: Environment, memory: Tensor, at: tuple[np.ndarray, ...]) -> None:
    keys = memory.type.shape[: len(op.leading)]
    if not keys:
        return
    live = environment.exists(keys, tuple(environment.longest(key) for key in keys))
    inside = np.all([index < size for index, size in zip(at, live.shape, strict=True)], axis=0)
    if not inside.all() or not live[at].all():
        raise OracleError("mp.scatter: a place is outside of the memory")
