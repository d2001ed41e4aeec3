"""Values put at computed places of a memory: the places in order, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import SSAValue

from hetc.backends.reference.arithmetic import wrap
from hetc.backends.reference.environment import Environment, OracleError
from hetc.backends.reference.grid import blocks, evaluate_block, fitted
from hetc.backends.reference.lanes import Lanes
from hetc.backends.reference.reduction import product_below
from hetc.backends.reference.region import RegionEvaluator
from hetc.backends.reference.statements import make_tensor
from hetc.backends.reference.tensors import SparseTensor, Tensor, compute_kind, fill_of
from hetc.dialects.mp import PutOp, TensorType, UpdateOp, compute_type, extent_key


@dataclass
class _Puts:
    """What is written, in the order of the indices: where to (one array a dim), the values, and their magnitudes."""

    places: list[np.ndarray]
    values: np.ndarray
    magnitudes: np.ndarray | None


def update(
    op: UpdateOp, environment: Environment, tensors: Mapping[SSAValue, Tensor | SparseTensor]
) -> tuple[Tensor, ...]:
    """The memory over its live extents, with the values put."""
    memory, type_ = tensors[op.memory], op.result.type
    if not isinstance(memory, Tensor):
        raise OracleError("mp.update: the memory must be dense")
    assert isinstance(type_, TensorType)
    part = tuple(slice(environment.longest(key)) for key in type_.shape)
    # A single value is an array of one element here.
    shape = tuple(item.stop for item in part) or (1,)
    array: np.ndarray = np.asarray(memory.array[part]).reshape(shape).astype(compute_kind(type_.element))
    size = None
    if environment.magnitudes and isinstance(type_.element, AnyFloat):
        size = (np.abs(array) if memory.magnitude is None else np.asarray(memory.magnitude[part]).reshape(shape)).copy()
    exists = environment.exists(type_.shape, array.shape) if type_.rank else np.ones(1, np.bool_)
    puts = _within(_evaluate(op, environment, tensors), exists)
    if op.mode.data == "add":
        np.add.at(array, tuple(puts.places), puts.values)
        if array.dtype == np.int64:
            array = wrap(array, compute_type(type_.element))
        if size is not None and puts.magnitudes is not None:
            np.add.at(size, tuple(puts.places), puts.magnitudes)
    else:
        last = _last_of_each(puts.places, array.shape)
        at = tuple(place[last] for place in puts.places)
        array[at] = puts.values[last]
        if size is not None and puts.magnitudes is not None:
            size[at] = puts.magnitudes[last]
    whole = tuple(item.stop for item in part)
    size = None if size is None else size.reshape(whole)
    return (make_tensor(environment, type_, array.reshape(whole), magnitude=size),)


def _evaluate(op: UpdateOp, environment: Environment, tensors: Mapping[SSAValue, Tensor | SparseTensor]) -> _Puts:
    """What the region puts, over all of its indices."""
    keys = tuple(extent_key(item.extent) for item in op.index_ranges)
    shape = tuple(environment.longest(key) for key in keys)
    evaluator = RegionEvaluator(environment, tensors)
    inside = environment.exists(keys, shape)
    type_ = op.result.type
    assert isinstance(type_, TensorType)
    kind = compute_kind(type_.element)
    written = np.zeros(shape, np.bool_)
    places = [np.zeros(shape, np.int64) for _ in op.put.indices]
    values: np.ndarray = np.zeros(shape, kind)
    sizes = np.zeros(shape)
    for spans in blocks(shape, product_below(op, environment), environment.elements_at_once):
        block = tuple(slice(*span) for span in spans)
        ended, bindings = evaluate_block(op, evaluator, inside, spans)
        assert isinstance(ended, PutOp)
        at = [bindings[index] for index in ended.indices]
        value = bindings[ended.value]
        conditions = [lanes.present() for lanes in at]
        conditions += [bindings[ended.present].holds()] if ended.present is not None else []
        conditions += [value.present()] if op.mode.data == "add" else []
        written[block] = inside[block]
        for one in conditions:
            written[block] &= fitted(one, written[block])
        for place, lanes in zip(places, at, strict=True):
            place[block] = fitted(lanes.value, place[block])
        values[block] = fitted(_filled(value, op), values[block])
        if value.magnitude is not None:
            sizes[block] = fitted(value.magnitude, sizes[block])
    magnitudes = sizes[written] if environment.magnitudes else None
    taken = [place[written] for place in places] or [np.zeros(np.count_nonzero(written), np.int64)]
    return _Puts(taken, values[written], magnitudes)


def _filled(value: Lanes, op: UpdateOp) -> np.ndarray:
    type_ = op.result.type
    assert isinstance(type_, TensorType)
    return np.where(value.present(), value.value, np.asarray(fill_of(type_.element), value.value.dtype))


def _within(puts: _Puts, exists: np.ndarray) -> _Puts:
    """Without what would be written outside of the memory."""
    inside = np.ones(len(puts.values), np.bool_)
    for place, extent in zip(puts.places, exists.shape, strict=True):
        inside &= (place >= 0) & (place < extent)
    kept = np.flatnonzero(inside)
    kept = kept[exists[tuple(place[kept] for place in puts.places)]] if len(kept) else kept
    sizes = None if puts.magnitudes is None else puts.magnitudes[kept]
    return _Puts([place[kept] for place in puts.places], puts.values[kept], sizes)


def _last_of_each(places: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """For each element that is written, the position of what is written to it last."""
    flat = np.ravel_multi_index(tuple(places), shape) if len(places[0]) else places[0]
    return len(flat) - 1 - np.unique(flat[::-1], return_index=True)[1]
