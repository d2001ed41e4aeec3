"""Quantisation with a scale a block, in float64: the definition that every backend is compared with."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hetc.numerics.dtypes import DType, dtype_of
from hetc.numerics.rounding import round_to

FloatArray = NDArray[np.float64]
ScaleKind = Literal["pow2", "f32", "f16", "bf16", "fp8", "fp8e5m2", "e8m0"]
SCALE_KINDS: tuple[str, ...] = get_args(ScaleKind)
"""`pow2`: an f32 that is a power of two, rounded up; the others are the types that scales are stored in."""


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


def exponent_scale(amax: ArrayLike, max_value: float, floor: float = 0.0) -> FloatArray:
    """2**(floor(log2(amax)) - floor(log2(max_value))), at least 2**-127: the shared scale of OCP's MX formats.

    amax: any shape, >= 0, values of f32. What is not finite gives NaN. (Microscaling Formats Specification v1.0, 6.3.)
    """
    largest = np.maximum(np.asarray(amax, dtype=np.float64), floor)
    finite = np.isfinite(largest)
    _, exponent = np.frexp(np.where(finite & (largest > 0), largest, 2.0**-127))
    _, own = np.frexp(max_value)
    return np.where(finite, np.ldexp(1.0, np.maximum(exponent - own, -127)), np.nan)


def narrow_scale(amax: ArrayLike, max_value: float, floor: float, dtype: DType) -> FloatArray:
    """max(amax, floor) / max_value, rounded to f32 and then to a narrower float; its least positive where that is 0."""
    largest = np.maximum(np.asarray(amax, dtype=np.float64), floor)
    scale = round_to(round_to(largest / max_value, "f32"), dtype)
    return np.where(scale == 0, dtype.smallest_step, scale)


def scales_of(amax: ArrayLike, max_value: float, kind: ScaleKind, floor: float = 0.0) -> FloatArray:
    """The scales of blocks of these largest magnitudes, by the kind. Raises ValueError for an unknown kind."""
    if kind == "pow2":
        return pow2_scale(amax, max_value, floor)
    if kind == "f32":
        return f32_scale(amax, max_value, floor)
    if kind == "e8m0":
        return exponent_scale(amax, max_value, floor)
    if kind not in SCALE_KINDS:
        raise ValueError(f"scale is one of {', '.join(SCALE_KINDS)}, got `{kind}`")
    return narrow_scale(amax, max_value, floor, dtype_of(kind))


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
    the next power of two, or as the quotient rounded to the scale's type; e8m0 to the type's largest power of two. The
    values are x / scale, to nearest even, saturating.
    Returns (values, scales), both float64: values of x's shape; scales of x's shape with `axis` shortened to
    ceil(n / block), or without `axis` when block is None.
    Raises ValueError for a dtype that is not an 8-bit or smaller number, a block < 1 or an unknown scale.
    """
    dtype = dtype_of(dtype)
    if dtype.bits > 8 or dtype.kind == "bool" or dtype.is_scale:
        raise ValueError(f"quantize gives numbers of at most 8 bits, not {dtype}")
    if block is not None and block < 1:
        raise ValueError(f"block must be at least 1, got {block}")
    values = np.moveaxis(np.asarray(x, dtype=np.float64), axis, -1)
    length = values.shape[-1]
    width = max(length, 1) if block is None else block
    count = -(-length // width)
    padding = [(0, 0)] * (values.ndim - 1) + [(0, count * width - length)]
    blocks = np.pad(values, padding).reshape(*values.shape[:-1], count, width)
    largest = np.max(np.abs(blocks), axis=-1, initial=0.0)
    scales = scales_of(largest, dtype.max_finite, scale, floor)
    with np.errstate(invalid="ignore"):  # inf / inf: a block with an infinity has no finite scale
        rounded = round_to(blocks / scales[..., None], dtype)
    quantised = rounded.reshape(*values.shape[:-1], count * width)[..., :length]
    if block is None:
        return np.moveaxis(quantised, -1, axis), scales[..., 0] if count else np.ones(values.shape[:-1])
    return np.moveaxis(quantised, -1, axis), np.moveaxis(scales, -1, axis)
