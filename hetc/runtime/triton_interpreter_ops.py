"""Casts, arithmetic, comparisons, dot and masked loads of the interpreter, corrected.

The interpreter keeps a tensor as a numpy array plus a Triton dtype; bf16 is held as uint16 and fp8 as uint8.
Here every operation widens such bits to f32, computes, and rounds once to the result's type. That is also what
the hardware gives: a bf16 sum, product or quotient computed in f32 and then rounded equals the one rounded
directly.

Conversions follow NVIDIA's instructions. f32 -> fp8 is `cvt.rn.satfinite`: to nearest even, infinities and
all beyond the range to the largest finite value, NaN stays NaN. Float -> integer is `cvt.rzi`: towards zero,
saturating at 32 (or 64) bits, NaN to 0; an integer narrower than that keeps the low bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import triton.language as tl
from numpy.typing import NDArray
from triton.runtime import interpreter
from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

Operation = Callable[..., NDArray]

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
    """Floating values towards zero into an integer type, as described at the top of the file."""
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


def _cast(_: Any, source: TensorHandle, target: Any) -> TensorHandle:
    return TensorHandle(convert(source.data, source.dtype, target), target.scalar)


def _integer_cast(builder: Any, source: TensorHandle, target: Any, _signed: bool) -> TensorHandle:
    return _cast(builder, source, target)


def _float_to_float(_: Any, source: TensorHandle, target: Any, rounding: Any) -> TensorHandle:
    towards_zero = rounding == interpreter._ir.ROUNDING_MODE.RTZ
    return TensorHandle(convert(source.data, source.dtype, target, towards_zero), target.scalar)


def _float_binary(operation: Operation) -> Callable:
    def run(_: Any, left: TensorHandle, right: TensorHandle) -> TensorHandle:
        dtype = left.dtype.scalar
        result = operation(widen(left.data, dtype), widen(right.data, right.dtype))
        return TensorHandle(narrow(result, dtype), dtype)

    return run


def _comparison(operation: Operation) -> Callable:
    """A comparison whose result is labelled int1; as released its booleans keep the operands' type."""

    def run(_: Any, left: TensorHandle, right: TensorHandle) -> TensorHandle:
        return TensorHandle(operation(widen(left.data, left.dtype), widen(right.data, right.dtype)), tl.int1)

    return run


def _not(operation: Operation) -> Operation:
    return lambda left, right: ~operation(left, right)


_FLOAT_BINARY: dict[str, Operation] = {
    "fadd": np.add,
    "fsub": np.subtract,
    "fmul": np.multiply,
    "fdiv": np.divide,
    "frem": np.fmod,
    "precise_divf": np.divide,
    "approx_divf": np.divide,
    "minimumf": np.minimum,
    "maximumf": np.maximum,
    "minnumf": np.fmin,
    "maxnumf": np.fmax,
}
_RELATIONS: dict[str, Operation] = {
    "LT": np.less,
    "LE": np.less_equal,
    "GT": np.greater,
    "GE": np.greater_equal,
}
_OPPOSITE = {"LT": "GE", "LE": "GT", "GT": "LE", "GE": "LT"}


def _comparisons() -> dict[str, Operation]:
    """Every comparison by its builder's name; U.. are the unordered ones, true where an operand is NaN."""
    named: dict[str, Operation] = {"icmpEQ": np.equal, "icmpNE": np.not_equal}
    named |= {"fcmpOEQ": np.equal, "fcmpUNE": np.not_equal}
    named |= {"fcmpONE": lambda left, right: np.less(left, right) | np.greater(left, right)}
    named |= {"fcmpUEQ": lambda left, right: ~(np.less(left, right) | np.greater(left, right))}
    for relation, operation in _RELATIONS.items():
        named |= {f"icmpS{relation}": operation, f"icmpU{relation}": operation}
        named |= {f"fcmpO{relation}": operation, f"fcmpU{relation}": _not(_RELATIONS[_OPPOSITE[relation]])}
    return named


def _unary(_: Any, argument: TensorHandle, operation: Operation) -> TensorHandle:
    dtype = argument.dtype.scalar
    return TensorHandle(narrow(operation(widen(argument.data, dtype)), dtype), dtype)


def _absolute(_: Any, argument: TensorHandle) -> TensorHandle:
    return _unary(_, argument, np.abs)


def _negative(_: Any, argument: TensorHandle) -> TensorHandle:
    return _unary(_, argument, np.negative)


def _inverse_square_root(_: Any, argument: TensorHandle) -> TensorHandle:
    return _unary(_, argument, lambda x: (1 / np.sqrt(x)).astype(x.dtype))


def _error_function(_: Any, argument: TensorHandle) -> TensorHandle:
    import torch

    return _unary(_, argument, lambda x: torch.special.erf(torch.from_numpy(np.ascontiguousarray(x))).numpy())


def _clamp(_: Any, x: TensorHandle, low: TensorHandle, high: TensorHandle, propagate: Any) -> TensorHandle:
    dtype = x.dtype.scalar
    value, floor, ceiling = (widen(part.data, part.dtype) for part in (x, low, high))
    if propagate == interpreter._ir.PROPAGATE_NAN.NONE:
        result = np.fmin(np.fmax(value, floor), ceiling)
    else:
        result = np.minimum(np.maximum(value, floor), ceiling)
    return TensorHandle(narrow(result, dtype), dtype)


def _fused_multiply_add(_: Any, x: TensorHandle, y: TensorHandle, z: TensorHandle) -> TensorHandle:
    """x * y + z rounded once: in f64 for types up to f32, whose product f64 holds exactly."""
    dtype = z.dtype.scalar
    parts = [widen(part.data, part.dtype).astype(np.float64) for part in (x, y, z)]
    return TensorHandle(narrow(parts[0] * parts[1] + parts[2], dtype), dtype)


def _tf32(values: NDArray) -> NDArray:
    """f32 with the fraction bits that a tf32 tensor core ignores cleared."""
    return (np.ascontiguousarray(values).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def _dot(
    _: Any, a: TensorHandle, b: TensorHandle, d: TensorHandle, input_precision: Any, _imprecise: Any
) -> TensorHandle:
    """a @ b + d, accumulated in f32 (int8: exactly, in i32; f64 in f64) and rounded once to d's type."""
    left, right = widen(a.data, a.dtype), widen(b.data, b.dtype)
    if left.dtype.kind in "iu":
        # Products of int8 sum exactly in f64, where numpy has a BLAS; its integer matmul is a plain loop.
        product = np.matmul(left.astype(np.float64), right.astype(np.float64)).astype(np.int64)
        return TensorHandle((product + d.data).astype(d.data.dtype), d.dtype.scalar)
    wide = np.float64 if left.dtype == np.float64 else np.float32
    if a.dtype.scalar.is_fp32() and input_precision == interpreter._ir.INPUT_PRECISION.TF32:
        left, right = _tf32(left), _tf32(right)
    product = np.matmul(left.astype(wide, copy=False), right.astype(wide, copy=False))
    return TensorHandle(narrow(product + widen(d.data, d.dtype), d.dtype), d.dtype.scalar)


def _poison(dtype: Any) -> Any:
    """What a masked-off lane without `other` holds: on a GPU anything, so here something conspicuous."""
    element = dtype.scalar
    if element.is_floating():
        return convert(np.array([np.nan], np.float32), tl.float32, element)[0]
    storage = storage_of(element)
    return storage.type(True) if storage.kind == "b" else storage.type(np.iinfo(storage).max // 3)


def _masked_load(_: Any, pointers: TensorHandle, mask: TensorHandle, other: Any, *_policy: Any, **_named: Any):
    dtype = pointers.get_element_ty()
    storage = storage_of(dtype)
    if other is None:
        absent = np.full(pointers.data.shape, _poison(dtype), storage)
    else:
        absent = other.data
    return TensorHandle(interpreter._interpreter.load(pointers.data, mask.data, absent, storage), dtype)


def _bf16_constant(_: Any, value: float) -> TensorHandle:
    return TensorHandle(narrow(np.array([value], np.float32), tl.bfloat16), tl.bfloat16)


def correct() -> None:
    """Put the operations above in place of the interpreter's."""
    methods: dict[str, Callable] = {
        "cast_impl": _cast,
        "create_int_cast": _integer_cast,
        "create_fp_to_fp": _float_to_float,
        "unary_op": _unary,
        "create_fabs": _absolute,
        "create_fneg": _negative,
        "create_rsqrt": _inverse_square_root,
        "create_erf": _error_function,
        "create_clampf": _clamp,
        "create_fma": _fused_multiply_add,
        "create_dot": _dot,
        "create_masked_load": _masked_load,
        "get_bf16": _bf16_constant,
    }
    methods |= {f"create_{name}": _float_binary(operation) for name, operation in _FLOAT_BINARY.items()}
    methods |= {f"create_{name}": _comparison(operation) for name, operation in _comparisons().items()}
    for name, method in methods.items():
        setattr(InterpreterBuilder, name, method)
    interpreter._get_np_dtype = storage_of
