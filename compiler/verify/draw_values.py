"""Random values of a tensor's element type."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import IndexType, IntegerType

from hetc.dialects.mp import TensorType, dtype_name
from hetc.numerics import dtype_of

EXTREMES = 0.1
"""The share of positions that lie at the ends of a number format, most of them far outside of any extent."""
ABSENT, FIRST = 0.05, 0.1
"""The shares of positions that are -1, which is absent, and 0."""
# What index arithmetic may be carried out in: 24 bits of an f32's significand, and signed and unsigned 32 bits. Past
# the last, a position that loses its high bits is one of the first.
_EDGES = (2**24, 2**31, 2**32)


def drawn_values(
    type: TensorType,
    shape: tuple[int, ...],
    rng: np.random.Generator,
    style: str,
    *,
    weight: bool,
    is_position: bool,
    limit: int | None,
) -> np.ndarray:
    """Values to be stored as the type's element. is_position: they are used to say where something lies, within `limit`
    where that is known."""
    name = dtype_name(type.element)
    if name == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if isinstance(type.element, IntegerType | IndexType):
        if is_position:
            return _positions(name, shape, rng, limit)
        low, high = _range(name)
        return rng.integers(max(low, -7), min(high, 7) + 1, shape)
    if name == "e8m0":
        return 2.0 ** rng.integers(-3, 4, shape)
    if style == "integers":
        return rng.integers(-2, 3, shape).astype(np.float64)
    # Weights are drawn so that a contraction over their first extent keeps the size of what it is applied to.
    scale = 1 / np.sqrt(max(shape[0], 1)) if weight and len(shape) > 1 else 1.0
    values = rng.standard_normal(shape) * scale
    if style == "nonfinite" and not weight:
        values = np.where(rng.random(shape) < 0.002, np.nan, values)
        if name in ("f32", "f16", "bf16"):
            values = np.where(rng.random(shape) < 0.002, -np.inf, values)
    return values


def _positions(name: str, shape: tuple[int, ...], rng: np.random.Generator, limit: int | None) -> np.ndarray:
    """Most lie within the extent, so that something is there; some are absent, and some at the ends of formats."""
    low, high = _range(name)
    within = min(limit if limit is not None else 8, high + 1)
    ordinary = rng.integers(0, max(within, 1), shape) * (rng.random(shape) >= FIRST)
    if low < 0:
        ordinary = np.where(rng.random(shape) < ABSENT, -1, ordinary)
    edges = [sign * edge + apart for edge in _EDGES for sign in (1, -1) for apart in (-1, 0, 1, max(within, 1) // 2)]
    edges += [low, low + 1, high - 1, high]
    fitting = np.array([edge for edge in edges if low <= edge <= high], np.int64)
    return np.where(rng.random(shape) < EXTREMES, rng.choice(fitting, shape), ordinary)


def _range(name: str) -> tuple[int, int]:
    """The least and the largest value of an integer type; an index is stored as i32."""
    dtype = dtype_of("i32" if name == "index" else name)
    return int(dtype.min_finite), 2 ** (dtype.bits - (dtype.kind == "int")) - 1


def numpy_dtype(type: TensorType) -> np.dtype:
    """float32 for any float (the runtime rounds it), else the integer or bool type itself."""
    name = dtype_name(type.element)
    dtype = dtype_of("i32" if name == "index" else name)
    return np.dtype(np.float32) if dtype.is_float else dtype.storage
