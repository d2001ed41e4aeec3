"""Reductions, scans and sorts of the interpreter, on whole arrays.

As released, a reduction with a combine function of the kernel's own visits one element at a time in Python,
sums and scans add the bit patterns of bf16, and a sort replays the bitonic network. A reduction here combines
halves of the tensor with the kernel's own function, log2(n) times; it takes neighbours in pairs, so a function
that is associative but not commutative is combined in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import triton.language as tl
from numpy.typing import NDArray
from triton.runtime.interpreter import ReduceOps, ScanOps, TensorHandle

from hetc.runtime.triton_interpreter_values import narrow, widen


def _tensor(data: NDArray, dtype: Any) -> tl.core.tensor:
    """A Triton tensor around an array that already has the storage of `dtype`; 0-d becomes a scalar."""
    array = np.asarray(data)
    if array.ndim == 0:
        return tl.core.tensor(TensorHandle(array.reshape(1), dtype), dtype)
    return tl.core.tensor(TensorHandle(array, dtype), tl.block_type(dtype, list(array.shape)))


def _value(constant: Any) -> Any:
    return constant.value if isinstance(constant, tl.constexpr) else constant


def _sum(data: NDArray, dtype: Any) -> NDArray:
    """The sum over axis 0 in the type's own width; bf16, fp8 and f16 in f32, rounded once."""
    if not dtype.is_floating():
        return np.sum(data, axis=0, dtype=data.dtype)
    wide = widen(data, dtype)
    total = np.sum(wide, axis=0, dtype=np.float64 if wide.dtype == np.float64 else np.float32)
    return narrow(np.asarray(total), dtype)


def _extreme(data: NDArray, dtype: Any, reduce: np.ufunc) -> NDArray:
    """Over axis 0, NaN losing against anything (as tl.maximum and tl.minimum do unless told otherwise)."""
    wide = widen(data, dtype)
    result = np.asarray(reduce.reduce(wide, axis=0))
    return narrow(result, dtype) if dtype.is_floating() else result


def _extreme_with_index(data: list[NDArray], dtypes: list[Any], reduce: np.ufunc) -> list[NDArray]:
    """The extreme over axis 0 and the lowest index among its equals."""
    values, indices = widen(data[0], dtypes[0]), data[1]
    best = reduce.reduce(values, axis=0)
    equal = values == best
    if values.dtype.kind == "f":
        equal |= np.isnan(values) & np.isnan(best)
    last = indices.dtype.type(np.iinfo(indices.dtype).max)
    index = np.min(np.where(equal, indices, last), axis=0)
    stored = narrow(np.asarray(best), dtypes[0]) if dtypes[0].is_floating() else np.asarray(best)
    return [stored, np.asarray(index)]


def _combined(combine: Any, left: list[NDArray], right: list[NDArray], dtypes: list[Any]) -> list[NDArray]:
    """The kernel's combine function over whole tensors. Raises TypeError when it changes a type."""
    tensors = [_tensor(part, dtype) for side in (left, right) for part, dtype in zip(side, dtypes, strict=True)]
    result = combine(*tensors)
    parts = list(result) if isinstance(result, (tuple, tl.core.tuple)) else [result]
    for part, dtype in zip(parts, dtypes, strict=True):
        if part.dtype != dtype:
            raise TypeError(f"the combine function turns {dtype} into {part.dtype}")
    return [part.handle.data.reshape(like.shape) for part, like in zip(parts, left, strict=True)]


def _fold(combine: Any, data: list[NDArray], dtypes: list[Any]) -> list[NDArray]:
    """The reduction over axis 0 by halving; its length is a power of two, as every Triton shape is."""
    while data[0].shape[0] > 1:
        data = _combined(combine, [part[0::2] for part in data], [part[1::2] for part in data], dtypes)
    return [part[0] for part in data]


def _reduce_first_axis(combine: Any, data: list[NDArray], dtypes: list[Any]) -> list[NDArray]:
    standard = tl.standard
    if combine is standard._sum_combine:
        return [_sum(data[0], dtypes[0])]
    if combine is standard._elementwise_max:
        return [_extreme(data[0], dtypes[0], np.fmax)]
    if combine is standard._elementwise_min:
        return [_extreme(data[0], dtypes[0], np.fmin)]
    if combine in (standard._argmax_combine_tie_break_left, standard._argmax_combine_tie_break_fast):
        return _extreme_with_index(data, dtypes, np.fmax)
    if combine in (standard._argmin_combine_tie_break_left, standard._argmin_combine_tie_break_fast):
        return _extreme_with_index(data, dtypes, np.fmin)
    return _fold(combine, data, dtypes)


def _reduce(self: ReduceOps, inputs: tuple) -> list:
    dtypes = [tensor.dtype for tensor in inputs]
    arrays = [tensor.handle.data for tensor in inputs]
    rank, axis = arrays[0].ndim, _value(self.axis)
    if axis is None:
        first = [array.reshape(-1) for array in arrays]
    else:
        first = [np.moveaxis(array, axis, 0) for array in arrays]
    results = _reduce_first_axis(self.combine_fn, first, dtypes)
    if _value(self.keep_dims):
        results = [np.reshape(r, (1,) * rank) if axis is None else np.expand_dims(r, axis) for r in results]
    return [_tensor(result, dtype) for result, dtype in zip(results, dtypes, strict=True)]


def _scan_first_axis(combine: Any, data: list[NDArray], dtypes: list[Any]) -> list[NDArray]:
    if combine in (tl.standard._sum_combine, tl.standard._prod_combine):
        run = np.add if combine is tl.standard._sum_combine else np.multiply
        wide = widen(data[0], dtypes[0])
        result = run.accumulate(wide, axis=0, dtype=wide.dtype)
        return [narrow(result, dtypes[0]) if dtypes[0].is_floating() else result]
    length, distance = data[0].shape[0], 1
    while distance < length:  # after each round an entry covers `2 * distance` predecessors
        earlier = [np.roll(part, distance, axis=0) for part in data]
        combined = _combined(combine, earlier, data, dtypes)
        data = [np.concatenate([part[:distance], new[distance:]]) for part, new in zip(data, combined, strict=True)]
        distance *= 2
    return data


def _scan(self: ScanOps, inputs: tuple) -> list:
    dtypes = [tensor.dtype for tensor in inputs]
    axis, reverse = _value(self.axis), _value(self.reverse)
    data = [np.moveaxis(tensor.handle.data, axis, 0) for tensor in inputs]
    if reverse:
        data = [np.flip(part, 0) for part in data]
    data = _scan_first_axis(self.combine_fn, data, dtypes)
    if reverse:
        data = [np.flip(part, 0) for part in data]
    return [_tensor(np.moveaxis(part, 0, axis), dtype) for part, dtype in zip(data, dtypes, strict=True)]


def _check_last_dimension(x: Any, dim: Any) -> None:
    if _value(dim) not in (None, len(x.shape) - 1):
        raise ValueError("only minor dimension is currently supported")


def _sorted(x: Any, descending: Any) -> NDArray:
    values = np.sort(widen(x.handle.data, x.dtype), axis=-1)
    if _value(descending):
        values = np.flip(values, -1)
    return narrow(values, x.dtype) if x.dtype.is_floating() else values


def sort(x: Any, dim: Any = None, descending: Any = False) -> Any:
    """In place of tl.sort."""
    _check_last_dimension(x, dim)
    return _tensor(np.ascontiguousarray(_sorted(x, descending)), x.dtype)


def topk(x: Any, k: Any, dim: Any = None, descending: Any = True) -> Any:
    """In place of tl.topk."""
    _check_last_dimension(x, dim)
    count = int(_value(k))
    if count < 1 or count & (count - 1) or count > x.handle.data.shape[-1]:
        raise ValueError(f"topk: k must be a power of two within the dimension, got {count}")
    return _tensor(np.ascontiguousarray(_sorted(x, descending)[..., :count]), x.dtype)


def correct() -> None:
    """Put the functions above in place of the interpreter's."""
    ReduceOps.apply_impl = _reduce
    ScanOps.apply_impl = _scan
    for module in (tl, tl.standard):
        module.sort, module.topk = sort, topk
