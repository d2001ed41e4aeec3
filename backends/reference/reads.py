"""Reading tensors inside a region: bounds, presence, and never an access out of bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import AnyFloat

from hetc.backends.reference.environment import Environment, OracleError, OutOfBoundsError
from hetc.backends.reference.lanes import Axes, Lanes, axes_of, condition, conjunction, merge
from hetc.backends.reference.tensors import SparseTensor, Tensor, compute_kind
from hetc.dialects.mp import TensorType


@dataclass
class ReadCounter:
    """Counts the lanes whose index was at or past its extent (a negative index means none, and is not counted)."""

    past_the_end: int = 0


def read(
    environment: Environment,
    tensor: Tensor | SparseTensor,
    indices: Sequence[Lanes],
    guard: Lanes | None,
    exists: Sequence[np.ndarray],
    counter: ReadCounter,
) -> Lanes:
    """The elements at `indices`. Without a guard a lane out of range is absent. With one presence is explicit: where
    the guard is false nothing is read and the value is a present 0, elsewhere it must lie in range."""
    if isinstance(tensor, SparseTensor):
        return read_stored(environment, tensor, indices, guard, exists, counter)[0]
    bounds = _bounds(environment, tensor.type, indices, guard, exists, counter)
    conditions = merge([bounds, *(_unless(guard, item.conditions) for item in indices)])
    for dims, mask in tensor.conditions.items():
        at = [indices[k].value if k in dims else np.int64(0) for k in range(len(indices))]
        axes = axes_of(indices[k] for k in dims)
        conditions = merge([conditions, _unless(guard, condition(axes, _gather(mask, at)))])
    valid = conjunction(bounds.values())
    if guard is not None:
        valid = valid & guard.holds()
    kind = compute_kind(tensor.type.element)
    value = _masked(_elements(tensor.array, indices).astype(kind, copy=False), valid)
    size = None
    if environment.magnitudes and kind is np.float64:
        size = np.abs(value) if tensor.magnitude is None else _masked(_elements(tensor.magnitude, indices), valid)
    axes = axes_of([*indices, *([] if guard is None else [guard])])
    return Lanes(value, axes, conditions, magnitude=size)


def read_stored(
    environment: Environment,
    tensor: Tensor | SparseTensor,
    indices: Sequence[Lanes],
    guard: Lanes | None,
    exists: Sequence[np.ndarray],
    counter: ReadCounter,
) -> tuple[Lanes, Lanes]:
    """(value, stored) of a sparse tensor's elements; as `read`."""
    if not isinstance(tensor, SparseTensor):
        raise OracleError("mp.read_stored reads a dense tensor")
    bounds = _bounds(environment, tensor.type, indices, guard, exists, counter)
    conditions = merge([bounds, *(_unless(guard, item.conditions) for item in indices)])
    valid = conjunction(bounds.values())
    if guard is not None:
        valid = valid & guard.holds()
    row, column = (np.clip(i.value, 0, max(n - 1, 0)) for i, n in zip(indices, tensor.matrix.shape, strict=True))
    value, is_stored = tensor.matrix.lookup(row, column)
    is_stored = is_stored & valid
    kind = compute_kind(tensor.type.element)
    value = np.where(is_stored, value, 0).astype(kind)
    axes = axes_of([*indices, *([] if guard is None else [guard])])
    size = np.abs(value) if environment.magnitudes and isinstance(tensor.type.element, AnyFloat) else None
    unstored = {} if environment.strict else {axes: ~is_stored}
    return Lanes(value, axes, conditions, unstored, size), Lanes(is_stored, axes, conditions, unstored)


def _bounds(
    environment: Environment,
    type: TensorType,
    indices: Sequence[Lanes],
    guard: Lanes | None,
    exists: Sequence[np.ndarray],
    counter: ReadCounter,
) -> dict[Axes, np.ndarray]:
    """One condition a dim: 0 <= index < live extent, with the axes of the index and of the row it depends on."""
    found: dict[Axes, np.ndarray] = {}
    for position, (index, key) in enumerate(zip(indices, type.shape, strict=True)):
        axes, extent = index.axes, environment.extent(key)
        past: np.ndarray
        if isinstance(extent, int):
            past = index.value >= extent
        else:
            row = indices[_row_position(environment, type, key, position)]
            lengths = np.append(extent, 0)  # a row that does not exist is empty
            inside = (row.value >= 0) & (row.value < len(extent))
            past = index.value >= lengths[np.where(inside, row.value, len(extent))]
            axes = axes | row.axes
        outside = past | (index.value < 0)
        if not outside.any():
            continue
        live = conjunction([*exists, conjunction(index.conditions.values())])
        if guard is not None:
            live = live & guard.holds()
        counter.past_the_end += int(np.count_nonzero(past & live))
        if environment.strict and (outside & live).any():
            raise OutOfBoundsError(f"dim {position} ({key}) of {type} is read outside of its extent without a guard")
        found = merge([found, _unless(guard, {axes: ~outside})])
    return found


def _row_position(environment: Environment, type: TensorType, key: int | str, position: int) -> int:
    row_dim = environment.pers.get(str(key))
    for earlier in range(position - 1, -1, -1):
        if type.shape[earlier] == row_dim:
            return earlier
    raise OracleError(f"{type}: {key} is per {row_dim}, which is not among the dims before it")


def _unless(guard: Lanes | None, conditions: dict[Axes, np.ndarray] | object) -> dict[Axes, np.ndarray]:
    """The conditions where the guard holds; a lane that reads nothing demands nothing."""
    assert isinstance(conditions, dict)
    if guard is None or not conditions:
        return conditions
    spared = ~guard.holds()
    return merge(condition(axes | guard.axes, mask | spared) for axes, mask in conditions.items())


def _masked(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    return values if valid.all() else np.where(valid, values, np.zeros((), values.dtype))


def _gather(array: np.ndarray, indices: Sequence[np.ndarray | np.int64]) -> np.ndarray:
    """array[indices], each index clipped into the array; zeros where the array has no elements."""
    if not array.size:
        shape = np.broadcast_shapes(*(np.shape(index) for index in indices))
        return np.zeros(shape, array.dtype)
    return array[tuple(np.clip(index, 0, n - 1) for index, n in zip(indices, array.shape, strict=True))]


def _elements(array: np.ndarray, indices: Sequence[Lanes]) -> np.ndarray:
    """The gathered elements; a view where every index runs along an axis of its own, within the array."""
    spans = [index.span for index in indices]
    axes = [span[0] for span in spans if span is not None]
    fits = all(span is not None and span[2] <= n for span, n in zip(spans, array.shape, strict=True))
    if not indices or not fits or len(set(axes)) != len(axes):
        return _gather(array, [index.value for index in indices])
    view = array[tuple(slice(span[1], span[2]) for span in spans if span is not None)]
    order = sorted(range(len(axes)), key=lambda position: -axes[position])
    shape = [1] * max(axes)
    for position, axis in enumerate(axes):
        shape[-axis] = view.shape[position]
    return view.transpose(order).reshape(shape)
