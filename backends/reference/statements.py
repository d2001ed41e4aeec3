"""What each statement of a step computes: element by element, and the irregular operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
from xdsl.ir import SSAValue

from hetc.backends.reference.arithmetic import integer_limits
from hetc.backends.reference.environment import Environment, along
from hetc.backends.reference.grid import Grid, evaluate
from hetc.backends.reference.selection import Selection, best, qualifying
from hetc.backends.reference.tensors import (
    DimConditions,
    SparseTensor,
    Tensor,
    compute_kind,
    element_dtype,
    fill_of,
    live_part,
    stored,
    stored_magnitude,
)
from hetc.dialects.mp import ComputeOp, ConstantOp, QuantizeOp, RopeOp, SelectOp, SoftmaxOp, TensorType, TopkOp
from hetc.numerics.quantization import ScaleKind, quantize

Tensors = Mapping[SSAValue, Tensor | SparseTensor]


def make_tensor(
    environment: Environment,
    type: TensorType,
    value: np.ndarray,
    conditions: DimConditions | None = None,
    magnitude: np.ndarray | None = None,
    absent: float | int | None = None,
) -> Tensor:
    """A computed tensor: rounded to its element type, `absent` (by default 0 / -1 / false) where absent."""
    inside = environment.exists(type.shape, value.shape)
    result = stored(value, type.element)
    if magnitude is not None:
        magnitude = stored_magnitude(magnitude, result, type.element)
    tensor = Tensor(result, type, inside, dict(conditions or {}), magnitude)
    filling = fill_of(type.element) if absent is None else absent
    filled = np.where(tensor.present, result, np.asarray(filling, result.dtype))
    return Tensor(filled, type, inside, tensor.conditions, magnitude)


def _with_guard(grid: Grid) -> dict[frozenset[int], np.ndarray]:
    """The grid's conditions with its guard as one more, which depends on every index."""
    conditions = dict(grid.conditions)
    if grid.guard is not None:
        every = frozenset(range(grid.value.ndim))
        conditions[every] = conditions[every] & grid.guard if every in conditions else grid.guard
    return conditions


def compute(op: ComputeOp, environment: Environment, tensors: Tensors) -> tuple[Tensor, ...]:
    grid = evaluate(op, environment, tensors)
    type_ = op.result.type
    assert isinstance(type_, TensorType)
    return (make_tensor(environment, type_, grid.value, _with_guard(grid), grid.magnitude),)


def topk(op: TopkOp, environment: Environment, tensors: Tensors) -> tuple[Tensor, ...]:
    grid = evaluate(op, environment, tensors)
    indices_type = op.indices.type
    assert isinstance(indices_type, TensorType)
    picked = best(grid.value, grid.candidates, op.k.value.data, op.order.data)
    selection = Selection(grid.value, grid.candidates, op.k.value.data, op.order.data, grid.magnitude, grid.doubt)
    indices = make_tensor(environment, indices_type, picked, _where_picked(environment, picked))
    return replace(indices, selection=selection), scores_at(op, environment, selection, picked)


def _where_picked(environment: Environment, picked: np.ndarray) -> DimConditions:
    """A selection's results are absent where nothing was picked; in the explicit form each is a number like others."""
    return {} if environment.strict else {frozenset(range(picked.ndim)): picked >= 0}


def scores_at(op: TopkOp, environment: Environment, selection: Selection, picked: np.ndarray) -> Tensor:
    """The second result of a topk that picked these positions, which a wrong device may have put out of range."""
    scores_type = op.scores.type
    assert isinstance(scores_type, TensorType)
    unused = -np.inf if selection.scores.dtype == np.float64 else integer_limits(scores_type.element)[0]
    within = np.minimum(picked, selection.scores.shape[-1] - 1)
    size = None if selection.magnitude is None else _pick(selection.magnitude, within, 0.0)
    where = _where_picked(environment, picked)
    return make_tensor(environment, scores_type, _pick(selection.scores, within, unused), where, size, unused)


def _pick(values: np.ndarray, picked: np.ndarray, unused: float | int) -> np.ndarray:
    """values[..., picked], `unused` where nothing was picked."""
    if not values.shape[-1]:
        return np.full(picked.shape, unused, values.dtype)
    return np.where(picked >= 0, np.take_along_axis(values, np.maximum(picked, 0), axis=-1), unused)


def select(op: SelectOp, environment: Environment, tensors: Tensors) -> tuple[Tensor, ...]:
    grid = evaluate(op, environment, tensors)
    indices_type, overflow_type = op.indices.type, op.overflow.type
    assert isinstance(indices_type, TensorType) and isinstance(overflow_type, TensorType)
    capacity = op.capacity.value.data
    candidates = qualifying(grid.value, grid.candidates)
    picked = best(grid.value, candidates, capacity, "index")
    overflow = np.maximum(np.count_nonzero(candidates, axis=-1) - capacity, 0)
    selection = Selection(grid.value, candidates, capacity, "index", grid.magnitude, grid.doubt, is_threshold=True)
    indices = make_tensor(environment, indices_type, picked, _where_picked(environment, picked))
    indices = replace(indices, selection=selection)
    return indices, make_tensor(environment, overflow_type, np.asarray(overflow, np.int64))


def softmax(op: SoftmaxOp, environment: Environment, tensors: Tensors) -> tuple[Tensor, ...]:
    grid = evaluate(op, environment, tensors)
    axes = op.axis_positions
    present = grid.candidates
    scores = np.where(present, grid.value, -np.inf)
    largest = np.max(scores, axis=axes, keepdims=True, initial=-np.inf)
    weights = np.where(present, np.exp(scores - largest), 0.0)
    value = weights / np.sum(weights, axis=axes, keepdims=True)
    size = None
    if grid.magnitude is not None:
        # An error e in a score changes its weight by the factor 1 + e, and the others through the total.
        of_total = np.sum(np.where(present, value * grid.magnitude, 0.0), axis=axes, keepdims=True)
        size = value * (1.0 + grid.magnitude + of_total)
    type_ = op.result.type
    assert isinstance(type_, TensorType)
    return (make_tensor(environment, type_, value, _with_guard(grid), size),)


def rope(op: RopeOp, environment: Environment, tensors: Tensors) -> tuple[Tensor, ...]:
    type_ = op.result.type
    assert isinstance(type_, TensorType)
    x = tensors[op.x]
    assert isinstance(x, Tensor)
    positions = evaluate(op, environment, tensors)
    axis, dims = op.axis.value.data, op.dims.value.data
    value, magnitude, conditions = live_part(x, positions.value.shape)
    channel = np.arange(value.shape[axis])
    rotated = channel < dims
    if op.layout.data == "half":
        pair, first = channel % max(dims // 2, 1), channel < dims // 2
        partner = np.where(first, channel + dims // 2, channel - dims // 2)
    else:
        pair, first = channel // 2, channel % 2 == 0
        partner = channel ^ 1
    partner = np.where(rotated, partner, channel)
    frequencies = np.array([item.value.data for item in op.frequencies] or [0.0])
    rank = value.ndim
    angle = positions.value * along(frequencies[np.where(rotated, pair, 0)], axis, rank)
    sine = np.sin(angle) * along(np.where(first, -1.0, 1.0), axis, rank)
    turned = value * np.cos(angle) + np.take(value, partner, axis) * sine
    turned = np.where(along(rotated, axis, rank), turned, value)
    size = None
    if environment.magnitudes:
        size = magnitude + np.where(along(rotated, axis, rank), np.take(magnitude, partner, axis), 0.0)
    found = dict(conditions)
    for dims_of, mask in conditions.items():
        if axis in dims_of:
            found[dims_of] = found[dims_of] & np.take(mask, partner, axis)
    for dims_of, mask in _with_guard(positions).items():
        found[dims_of] = found[dims_of] & mask if dims_of in found else mask
    return (make_tensor(environment, type_, turned, found, size),)


def quantized(op: QuantizeOp, environment: Environment, tensors: Tensors) -> tuple[Tensor, ...]:
    values_type, scale_type = op.values.type, op.scale.type
    assert isinstance(values_type, TensorType) and isinstance(scale_type, TensorType)
    x = tensors[op.x]
    assert isinstance(x, Tensor)
    axis = op.axis.value.data
    block = None if op.block is None else op.block.value.data
    dtype = element_dtype(values_type.element)
    assert dtype is not None
    shape = tuple(environment.longest(key) for key in x.type.shape)
    value, magnitude, conditions = live_part(x, shape)
    present = environment.exists(x.type.shape, shape).copy()
    for one in conditions.values():
        present &= one
    kind = cast(ScaleKind, op.scale_kind.data)
    floor = float(op.floor.value.data)
    value = np.where(present, value, 0.0)
    narrow, scale = quantize(value, axis, dtype, block, kind, floor)
    drops_axis = scale_type.rank < x.type.rank
    if drops_axis and scale.ndim == value.ndim:
        scale = scale[(slice(None),) * axis + (0,)]
    if dtype.is_integer:
        narrow = narrow.astype(compute_kind(values_type.element))
    of_scale = {
        frozenset(d - 1 if drops_axis and d > axis else d for d in dims): mask.squeeze(axis) if drops_axis else mask
        for dims, mask in conditions.items()
        if axis not in dims
    }
    size = None
    if environment.magnitudes and not dtype.is_integer:
        spread = np.expand_dims(scale, axis) if drops_axis else np.repeat(scale, block or 1, axis=axis)
        size = magnitude / (spread if drops_axis else np.take(spread, np.arange(value.shape[axis]), axis))
    return (
        make_tensor(environment, values_type, narrow, conditions, size),
        make_tensor(environment, scale_type, scale, of_scale, np.abs(scale) if environment.magnitudes else None),
    )


def constant(op: ConstantOp, environment: Environment) -> Tensor:
    type_ = op.result.type
    assert isinstance(type_, TensorType)
    shape = tuple(int(extent) for extent in type_.shape)
    values: np.ndarray = np.asarray(op.value.get_values(), dtype=compute_kind(type_.element))
    array = np.broadcast_to(values, shape) if values.size == 1 else values.reshape(shape)
    return Tensor(stored(array, type_.element), type_, environment.exists(type_.shape, shape))
