"""The bytes of element types that take less than one.

Along the last dim each byte holds 2 values of 4 bits, or 4 of 2, the first in the low bits; the last byte of a row that
is no whole number of bytes ends in bits that are 0. So lie ONNX's 4-bit tensors and torch's `float4_e2m1fn_x2`. A value
is its bit pattern: two's complement, or sign, exponent and fraction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hetc.numerics.dtypes import DType, dtype_of
from hetc.numerics.rounding import from_bits, to_bits


def packed_extent(count: int, dtype: DType | str) -> int:
    """How many bytes a row of `count` values takes."""
    return -(-count // dtype_of(dtype).per_byte)


def pack(values: ArrayLike, dtype: DType | str) -> NDArray[np.uint8]:
    """Values as packed bytes: uint8 of the same shape but for the last dim, which has `packed_extent` of its elements.

    values: numbers, rounded as `round_to` does; a single one gives a single byte. Raises ValueError for a type that is
    not stored in codes."""
    dtype = _coded(dtype)
    codes = codes_of(np.asarray(values), dtype)
    if not codes.ndim or dtype.per_byte == 1:
        return codes
    short = -codes.shape[-1] % dtype.per_byte
    padded = np.pad(codes, [(0, 0)] * (codes.ndim - 1) + [(0, short)])
    groups = padded.reshape(*codes.shape[:-1], padded.shape[-1] // dtype.per_byte, dtype.per_byte)
    shifts = np.arange(dtype.per_byte, dtype=np.uint8) * np.uint8(dtype.bits)
    return np.bitwise_or.reduce(groups << shifts, axis=-1).astype(np.uint8)


def unpack(stored: ArrayLike, dtype: DType | str, count: int = 0) -> NDArray:
    """The values of packed bytes: float64, or int64 of integers. `count`: the values of a row; 0 where each byte holds
    one, as a single byte always does. Raises ValueError for another dtype than uint8."""
    dtype = _coded(dtype)
    bytes_ = np.asarray(stored)
    if bytes_.dtype != np.uint8:
        raise ValueError(f"packed {dtype} are bytes (uint8), got {bytes_.dtype}")
    shifts = np.arange(dtype.per_byte, dtype=np.uint8) * np.uint8(dtype.bits)
    codes = (bytes_[..., None] >> shifts) & np.uint8(2**dtype.bits - 1)
    packed = count and bytes_.ndim
    flat = codes.reshape(*bytes_.shape[:-1], bytes_.shape[-1] * dtype.per_byte) if packed else codes[..., 0]
    return values_of(flat[..., :count] if packed else flat, dtype)


def as_bytes(given: NDArray, dtype: DType | str, count: int) -> NDArray[np.uint8]:
    """What a caller hands over for rows of `count` values (0: one value a byte): bytes as they are, values packed.
    uint8 arrays whose last extent is that of the bytes are bytes. Raises ValueError for another last extent."""
    dtype = _coded(dtype)
    length = packed_extent(count, dtype) if count else None
    if given.dtype == np.uint8 and (length is None or given.shape[-1:] == (length,)):
        return given
    if count and given.shape[-1:] != (count,):
        found = given.shape[-1] if given.ndim else "a single value"
        raise ValueError(f"expected rows of {count} values of {dtype}, or of {length} bytes (uint8), got {found}")
    return pack(given, dtype)


def codes_of(values: NDArray, dtype: DType) -> NDArray[np.uint8]:
    """The bit pattern of each value, in the low bits of a byte."""
    plain = values if values.dtype.kind in "iub" and not dtype.is_float else values.astype(np.float64)
    return np.asarray(to_bits(plain, dtype).astype(np.uint8) & np.uint8(2**dtype.bits - 1))  # one alone is no array


def values_of(codes: NDArray[np.uint8], dtype: DType) -> NDArray:
    """The inverse of `codes_of`: float64, or int64 of integers."""
    if dtype.is_float:
        return from_bits(codes, dtype)
    held = codes.astype(np.int64)
    return np.where(held > dtype.max_finite, held - 2**dtype.bits, held)


def _coded(dtype: DType | str) -> DType:
    dtype = dtype_of(dtype)
    if not dtype.is_coded:
        raise ValueError(f"{dtype} takes whole bytes: there is nothing to pack")
    return dtype
