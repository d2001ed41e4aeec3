"""Rounding to an element type, exactly, in float64.

Every type but i64 fits into float64 with room to spare, so a value of the type is held as the float64 equal
to it, and rounding is scaling by a power of two (exact), round-half-even, and scaling back. No library's
conversion is used: these functions are what the conversions elsewhere are tested against.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hetc.numerics.dtypes import DType, dtype_of

FloatArray = NDArray[np.float64]


def _step_exponent(magnitude: FloatArray, dtype: DType) -> NDArray[np.int32]:
    """Exponent of the distance between neighbours of `dtype` around each magnitude (finite, >= 0)."""
    _, exponent = np.frexp(magnitude)  # magnitude = m * 2^exponent, m in [0.5, 1)
    normal = np.where(magnitude > 0, exponent - 1, dtype.min_exponent)  # frexp gives 0 the exponent 0
    return np.maximum(normal, dtype.min_exponent) - dtype.mantissa_bits


def _round_float(x: FloatArray, dtype: DType) -> FloatArray:
    finite = np.isfinite(x)
    safe = np.where(finite, x, 0.0)
    step = _step_exponent(np.abs(safe), dtype)
    rounded = np.ldexp(np.rint(np.ldexp(safe, -step)), step)
    if dtype.is_scale:
        return np.where(finite, np.clip(rounded, dtype.min_finite, dtype.max_finite), np.nan)
    beyond = dtype.max_finite if dtype.saturates else np.inf
    rounded = np.where(np.abs(rounded) > dtype.max_finite, np.copysign(beyond, safe), rounded)
    special = np.where(np.isinf(x), np.copysign(beyond, x), np.nan if dtype.has_nan else 0.0)
    return np.where(finite, rounded, special)


def round_to(x: ArrayLike, dtype: DType | str, rounding: Literal["nearest", "zero"] = "nearest") -> FloatArray:
    """The values of `dtype` nearest to x, ties to even, as float64 of x's shape.

    Floats: beyond the range f32, f16 and bf16 give infinities, fp4 and both fp8 types their largest finite value
    (of an infinity too); NaN stays NaN, or becomes 0 where the type has none; the sign of zero is kept. e8m0: a tie
    goes to the larger power; what is below 2^-127, 0 and negative numbers too, becomes that, and an infinity NaN.
    Integers: saturating, NaN gives 0; rounding="zero" drops the fraction instead, as an explicit cast to an integer
    does. bool: x != 0.
    i64 is exact as far as float64 is, to 2**53; `encode` of an integer array has no such limit.
    """
    dtype = dtype_of(dtype)
    values = np.asarray(x, dtype=np.float64)
    if dtype.is_float:
        if rounding != "nearest":
            raise ValueError(f"rounding to {dtype} is to nearest; `zero` is for integers")
        return _round_float(values, dtype)
    if dtype.kind == "bool":
        return (values != 0).astype(np.float64)
    whole = np.rint(values) if rounding == "nearest" else np.trunc(values)
    whole = np.where(np.isnan(values), 0.0, whole) + 0.0  # + 0.0 turns -0.0 into 0.0: integers have one zero
    return np.clip(whole, dtype.min_finite, dtype.max_finite)


def ulp(x: ArrayLike, dtype: DType | str) -> FloatArray:
    """Distance between neighbouring values of `dtype` at x, as float64: 1 for integers and bool.

    At a power of two it is the distance upwards; beyond the range that at its end; of NaN, NaN.
    """
    dtype = dtype_of(dtype)
    magnitude = np.abs(np.asarray(x, dtype=np.float64))
    if not dtype.is_float:
        return np.ones_like(magnitude)
    inside = np.minimum(np.where(np.isnan(magnitude), 0.0, magnitude), dtype.max_finite)
    step = np.ldexp(1.0, _step_exponent(inside, dtype))
    return np.where(np.isnan(magnitude), np.nan, step)


def _encode_integers(x: NDArray, dtype: DType) -> NDArray:
    low, high = int(dtype.min_finite), 2 ** (dtype.bits - (dtype.kind == "int")) - 1
    if x.dtype.kind in "iub":
        limits = np.iinfo(x.dtype) if x.dtype.kind != "b" else np.iinfo(np.uint8)
        held = x.astype(np.uint8) if x.dtype.kind == "b" else x
        return np.clip(held, max(low, limits.min), min(high, limits.max)).astype(dtype.storage)
    rounded = round_to(x, dtype)
    top = rounded >= dtype.max_finite  # 2**63 for i64, which int64 cannot hold
    return np.where(top, high, np.where(top, 0.0, rounded).astype(np.int64)).astype(dtype.storage)


def encode(x: ArrayLike, dtype: DType | str) -> NDArray:
    """x rounded as by `round_to` and stored in numpy's type for `dtype`, one value each (i4: an int8).

    Raises MissingStorageError for bf16 and floats of 8 and 4 bits without ml_dtypes; `to_bits` does without it.
    """
    dtype = dtype_of(dtype)
    values = np.asarray(x)
    if dtype.is_integer:
        return _encode_integers(values, dtype)
    if dtype.kind == "bool":
        return values != 0
    rounded = round_to(values, dtype)
    if dtype.storage_name.startswith("ml_dtypes."):
        return _bits_of(rounded, dtype).view(dtype.storage)
    return rounded.astype(dtype.storage)


def decode(stored: ArrayLike, dtype: DType | str) -> FloatArray:
    """The float64 values of an array stored as `encode` stores them.

    Raises TypeError for another storage dtype: bits are not guessed at (`from_bits` reads those).
    """
    dtype = dtype_of(dtype)
    array = np.asarray(stored)
    if array.dtype != dtype.storage:
        raise TypeError(f"{dtype} is stored as numpy {dtype.storage}, got {array.dtype}")
    return array.astype(np.float64)


def _bits_of(rounded: FloatArray, dtype: DType) -> NDArray:
    """The bit patterns of values that are already values of a float type of at most 16 bits."""
    if dtype.is_scale:
        return np.where(np.isnan(rounded), 255, np.frexp(rounded)[1] - 1 - dtype.min_exponent).astype(np.uint8)
    magnitude = np.abs(rounded)
    finite = np.isfinite(rounded)
    safe = np.where(finite, magnitude, 0.0)
    step = _step_exponent(safe, dtype)
    significand = np.ldexp(safe, -step).astype(np.int64)  # below 2^mantissa_bits for a subnormal
    # A normal number's hidden bit adds one to the exponent field, which is 0 for subnormals.
    field = step + dtype.mantissa_bits - dtype.min_exponent
    code = (field.astype(np.int64) << dtype.mantissa_bits) + significand
    all_exponent = (2 ** (dtype.bits - 1 - dtype.mantissa_bits) - 1) << dtype.mantissa_bits
    not_a_number = all_exponent | (2**dtype.mantissa_bits - 1 if dtype.name == "fp8" else _quiet_bit(dtype))
    code = np.where(np.isinf(rounded), all_exponent, np.where(np.isnan(rounded), not_a_number, code))
    sign = np.signbit(rounded) & ~np.isnan(rounded)
    return (code | (sign.astype(np.int64) << (dtype.bits - 1))).astype(dtype.bits_storage)


def _quiet_bit(dtype: DType) -> int:
    """The top fraction bit, which makes a NaN quiet."""
    return 1 << (dtype.mantissa_bits - 1)


def to_bits(x: ArrayLike, dtype: DType | str) -> NDArray:
    """x rounded as by `round_to`, as unsigned integers holding its bit patterns (no ml_dtypes needed)."""
    dtype = dtype_of(dtype)
    if dtype.is_float and dtype.storage_name.startswith("ml_dtypes."):
        return _bits_of(round_to(x, dtype), dtype)
    return encode(x, dtype).view(dtype.bits_storage)


@cache
def _values_of_bytes(name: str) -> FloatArray:
    """The values of a float type of at most 8 bits, by bit pattern."""
    dtype = dtype_of(name)
    if dtype.is_scale:
        return np.append(np.ldexp(1.0, np.arange(255) + dtype.min_exponent), np.nan)
    code = np.arange(2 ** (dtype.bits - 1))
    field, fraction = code >> dtype.mantissa_bits, code & (2**dtype.mantissa_bits - 1)
    hidden = np.where(field > 0, 2**dtype.mantissa_bits, 0)
    exponent = np.maximum(field, 1) - dtype.exponent_bias - dtype.mantissa_bits
    values = np.ldexp((hidden + fraction).astype(np.float64), exponent)
    infinity = np.inf if name == "fp8e5m2" else np.nan
    past_the_end = np.where((fraction == 0) & (values > dtype.max_finite), infinity, np.nan)
    positive = np.where(values > dtype.max_finite, past_the_end, values)
    return np.concatenate([positive, -positive])


def from_bits(bits: ArrayLike, dtype: DType | str) -> FloatArray:
    """The float64 values of bit patterns of `dtype`, given as its unsigned integers (no ml_dtypes needed)."""
    dtype = dtype_of(dtype)
    codes = np.asarray(bits)
    if codes.dtype != dtype.bits_storage:
        raise TypeError(f"bit patterns of {dtype} are {dtype.bits_storage}, got {codes.dtype}")
    if dtype.name == "bf16":  # the upper half of an f32
        with np.errstate(invalid="ignore"):  # a signalling NaN turns quiet on the way
            return (codes.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    if dtype.is_float and dtype.bits <= 8:
        return _values_of_bytes(dtype.name)[codes]
    return codes.view(dtype.storage).astype(np.float64)
