"""Sums of products as matrix products: the same numbers without the product of all index ranges in memory."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from hetc.backends.reference.lanes import Axes, BoolArray, Lanes

Contracted = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def contract(left: Lanes, right: Lanes, axis: int, extent: int, mask: Mapping[Axes, BoolArray]) -> Contracted | None:
    """(sum over `axis` of left * right, how many terms, the sum's magnitude); None where it must be done term by
    term: a factor is not finite, or a condition depends on more than one factor does.

    An absent term contributes nothing: its condition zeroes the factor that varies with it, which is right where
    the other factor is finite."""
    conditions = [*left.conditions.items(), *right.conditions.items(), *mask.items()]
    consumed = [one for axes, one in conditions if axis in axes and not one.all()]
    count = _count(consumed, axis, extent)
    factors = [left, right]
    arrays = [item.value for item in factors]
    sizes = [item.magnitude for item in factors]
    for one in consumed:
        place = next((k for k in (0, 1) if _fits(one, arrays[k])), None)
        if place is None:
            return None
        arrays[place] = np.where(one, arrays[place], 0.0)
        size = sizes[place]
        sizes[place] = None if size is None else np.where(one, size, 0.0)
    if not all(np.isfinite(array).all() for array in arrays):
        return None
    value = _matrix_product(arrays[0], arrays[1], axis, extent)
    first, second = sizes
    if first is None or second is None:
        return value, count, None
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return None
    size = _matrix_product(np.abs(arrays[0]), second, axis, extent)
    return value, count, size + _matrix_product(first, np.abs(arrays[1]), axis, extent)


def _fits(one: BoolArray, array: np.ndarray) -> bool:
    """Whether a condition varies along no axis that the array does not vary along."""
    try:
        return np.broadcast_shapes(one.shape, array.shape) == array.shape
    except ValueError:
        return False


def _count(consumed: list[BoolArray], axis: int, extent: int) -> np.ndarray:
    taken = np.asarray(True)
    for one in consumed:
        taken = taken & one
    full = taken.reshape((1,) * (axis - taken.ndim) + taken.shape)
    return np.add.reduce(np.broadcast_to(full, (extent, *full.shape[1:])), axis=0, dtype=np.int64)


def _matrix_product(left: np.ndarray, right: np.ndarray, axis: int, extent: int) -> np.ndarray:
    """sum over the first of `axis` dims of left * right, as one batched matrix product."""
    a = _padded(left, axis, extent)
    b = _padded(right, axis, extent)
    rest = range(1, axis)
    shared = [k for k in rest if a.shape[k] > 1 and b.shape[k] > 1]
    only_b = [k for k in rest if b.shape[k] > 1 and k not in shared]
    only_a = [k for k in rest if k not in shared and k not in only_b]
    shape = np.broadcast_shapes(a.shape[1:], b.shape[1:])
    if 0 in shape:
        return np.zeros(shape)
    batch = [a.shape[k] for k in shared]
    rows = [a.shape[k] for k in only_a]
    columns = [b.shape[k] for k in only_b]
    first = a.transpose([*shared, *only_a, 0, *only_b]).reshape(*batch, prod(rows), extent)
    second = b.transpose([*shared, 0, *only_b, *only_a]).reshape(*batch, extent, prod(columns))
    product = np.matmul(first, second).reshape((*batch, *rows, *columns))
    order = [*shared, *only_a, *only_b]
    return product.transpose([order.index(k) for k in rest]).reshape(shape)


def _padded(array: np.ndarray, axis: int, extent: int) -> np.ndarray:
    full = array.reshape((1,) * (axis - array.ndim) + array.shape)
    return np.broadcast_to(full, (extent, *full.shape[1:]))
