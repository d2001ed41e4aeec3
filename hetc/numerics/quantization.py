"""Quantisation with a scale a block, in float64: the definition that every backend is compared with."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hetc.numerics.dtypes import DType, dtype_of
from hetc.numerics.rounding import round_to

FloatArray = NDArray[np.float64]
ScaleKind = Literal["pow2", "f32"]


def pow2_scale(amax: ArrayLike, max_value: float, floor: float = 0.0) -> FloatArray:
    """2**ceil(log2(max(amax, floor) / max_value)): the least power of two s with amax <= s * max_value.

    amax: any shape, >= 0. Exact: exponents and fractions are compared; no logarithm or quotient is rounded.
    Where amax and floor are both 0 the scale is 1. NaN and infinity pass through.
    """
    if not max_value > 0:
        raise ValueError(f"max_value must be positive, got {max_value}")
    largest = np.maximum(np.asarray(amax, dtype=np.float64), floor)
    ordinary = np.isfinite(largest) & (largest > 0)
    fraction, exponent = np.frexp(np.where(ordinary, largest, 1.0))
    max_fraction, max_exponent = np.frexp(max_value)
    # Both fractions lie in [0.5, 1), so the quotient's logarithm is the difference of exponents, plus one
    # when the numerator's fraction is the larger.
    scale = np.ldexp(1.0, exponent - max_exponent + (fraction > max_fraction))
    return np.where(ordinary, scale, np.where(largest == 0, 1.0, largest))


def f32_scale(amax: ArrayLike, max_value: float, floor: float = 0.0) -> FloatArray:
    """max(amax, floor) / max_value rounded to f32; 1 where that is 0. Any shape, amax >= 0."""
    if not max_value > 0:
        raise ValueError(f"max_value must be positive, got {max_value}")
    largest = np.maximum(np.asarray(amax, dtype=np.float64), floor)
    scale = round_to(largest / max_value, "f32")
    return np.where(scale == 0, 1.0, scale)


def quantize(
    x: ArrayLike,
    axis: int,
    dtype: DType | str,
    block: int | None = None,
    scale: ScaleKind = "pow2",
    floor: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Values of `dtype` and their scales, so that values * scale is about x.

    One scale covers `block` neighbours along `axis` (the last block may be short), or the whole axis when
    block is None. It maps the block's largest magnitude, at least `floor`, to the type's largest value: as
    the next power of two, or as the quotient rounded to f32. The values are x / scale, to nearest even,
    saturating.
    Returns (values, scales), both float64: values of x's shape; scales of x's shape with `axis` shortened to
    ceil(n / block), or without `axis` when block is None.
    Raises ValueError for a dtype that is not an 8-bit or smaller number, a block < 1 or an unknown scale.
    """
    dtype = dtype_of(dtype)
    if dtype.bits > 8 or dtype.kind == "bool":
        raise ValueError(f"quantize gives fp8, fp8e5m2, i8, u8 or i4, not {dtype}")
    if block is not None and block < 1:
        raise ValueError(f"block must be at least 1, got {block}")
    if scale not in ("pow2", "f32"):
        raise ValueError(f"scale is `pow2` or `f32`, got `{scale}`")
    values = np.moveaxis(np.asarray(x, dtype=np.float64), axis, -1)
    length = values.shape[-1]
    width = max(length, 1) if block is None else block
    count = -(-length // width)
    padding = [(0, 0)] * (values.ndim - 1) + [(0, count * width - length)]
    blocks = np.pad(values, padding).reshape(*values.shape[:-1], count, width)
    largest = np.max(np.abs(blocks), axis=-1, initial=0.0)
    scale_of = pow2_scale if scale == "pow2" else f32_scale
    scales = scale_of(largest, dtype.max_finite, floor)
    with np.errstate(invalid="ignore"):  # inf / inf: a block with an infinity has no finite scale
        rounded = round_to(blocks / scales[..., None], dtype)
    quantised = rounded.reshape(*values.shape[:-1], count * width)[..., :length]
    if block is None:
        return np.moveaxis(quantised, -1, axis), scales[..., 0] if count else np.ones(values.shape[:-1])
    return np.moveaxis(quantised, -1, axis), np.moveaxis(scales, -1, axis)
