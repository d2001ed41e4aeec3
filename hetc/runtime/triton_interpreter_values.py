"""Values of the narrow types behind the interpreter's tensors, and conversions between all types.

The interpreter keeps a tensor as a numpy array plus a Triton dtype; bf16 is held as uint16 and fp8 as uint8.
`widen` gives the values of such bits as f32 and `narrow` rounds back.

Conversions follow NVIDIA's instructions. f32 -> fp8 is `cvt.rn.satfinite`: to nearest even, infinities and
all beyond the range to the largest finite value, NaN stays NaN. Float -> integer is `cvt.rzi`: towards zero,
saturating at 32 (or 64) bits, NaN to 0; an integer narrower than that keeps the low bits.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

# Triton's name of a type held as bits -> what the bits are.
_NARROW: dict[str, np.dtype] = {
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "fp8e4nv": np.dtype(ml_dtypes.float8_e4m3fn),
    "fp8e5": np.dtype(ml_dtypes.float8_e5m2),
    "fp8e4b8": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "fp8e5b16": np.dtype(ml_dtypes.float8_e5m2fnuz),
}
_LARGEST_FP8: dict[str, float] = {
    name: float(ml_dtypes.finfo(held).max) for name, held in _NARROW.items() if held.itemsize == 1
}
_STORAGE: dict[str, np.dtype] = {
    "int1": np.dtype(bool),
    "fp16": np.dtype(np.float16),
    "fp32": np.dtype(np.float32),
    "fp64": np.dtype(np.float64),
    "bf16": np.dtype(np.uint16),
    **{name: np.dtype(name) for name in ("int8", "int16", "int32", "int64")},
    **{name: np.dtype(name) for name in ("uint8", "uint16", "uint32", "uint64")},
    **{name: np.dtype(np.uint8) for name in (*_LARGEST_FP8, "fp8e4b15")},
}


def storage_of(dtype: Any) -> np.dtype:
    """The numpy dtype in which the interpreter holds values of a Triton type (scalar, block or pointer)."""
    element = dtype.scalar
    return _STORAGE.get(element.name) or _pointer_or_unknown(element)


def _pointer_or_unknown(element: Any) -> np.dtype:
    if element.is_ptr():
        return np.dtype(np.uint64)
    raise TypeError(f"the interpreter holds no values of type {element}")


def widen(data: NDArray, dtype: Any) -> NDArray:
    """The values of an array of the interpreter: f32 for bf16 and fp8, the array itself for other types."""
    held = _NARROW.get(dtype.scalar.name)
    if held is None or data.dtype != _STORAGE[dtype.scalar.name]:
        return data
    if held.itemsize == 2:  # bf16 is the upper half of an f32
        return np.left_shift(data, 16, dtype=np.uint32, casting="unsafe").view(np.float32)
    return np.ascontiguousarray(data).view(held).astype(np.float32)


def narrow(values: NDArray, dtype: Any) -> NDArray:
    """Values rounded to nearest even into the interpreter's storage for a floating `dtype`."""
    name = dtype.scalar.name
    held = _NARROW.get(name)
    if held is None:
        return values.astype(storage_of(dtype), copy=False)
    single = values.astype(np.float32, copy=False)
    if name in _LARGEST_FP8:
        single = np.clip(single, -_LARGEST_FP8[name], _LARGEST_FP8[name])
    return single.astype(held).view(_STORAGE[name])


def _step_towards_zero(rounded: NDArray, values: NDArray, dtype: Any) -> NDArray:
    """`narrow`'s result with the magnitudes that were rounded up put back by one step."""
    bits = rounded.view(f"uint{rounded.itemsize * 8}")
    above = np.abs(widen(rounded, dtype)) > np.abs(values)
    return (bits - above.astype(bits.dtype)).view(rounded.dtype)


def _to_integer(values: NDArray, dtype: Any) -> NDArray:
    """Floating values towards zero into an integer type, as the top of the file says."""
    target = storage_of(dtype)
    signed = target.kind == "i"
    bits = max(32, target.itemsize * 8)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    whole = np.nan_to_num(np.trunc(values.astype(np.float64)), nan=0.0, posinf=2.0**65, neginf=-(2.0**65))
    wide = np.dtype(f"{'int' if signed else 'uint'}{bits}")
    inside = np.clip(whole, low, np.nextafter(float(high), 0) if bits == 64 else high).astype(wide)
    return np.where(whole >= high, wide.type(high), inside).astype(target)


def convert(data: NDArray, source: Any, target: Any, towards_zero: bool = False) -> NDArray:
    """An array of the interpreter converted between two Triton types, neither of them a pointer."""
    source, target = source.scalar, target.scalar
    values = widen(data, source)
    if target.is_floating():
        if values.dtype.kind in "iub" and target.name in _NARROW:
            values = values.astype(np.float32)  # an integer goes through f32
        rounded = narrow(values, target)
        return _step_towards_zero(rounded, values, target) if towards_zero else rounded
    if values.dtype.kind == "f":
        return _to_integer(values, target)
    return values.astype(storage_of(target))
