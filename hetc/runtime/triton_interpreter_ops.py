"""Casts, arithmetic, comparisons, dot and masked loads of the interpreter, corrected.

Every operation widens the bits of bf16 and fp8 to f32, computes, and rounds once to the result's type. That is
also what the hardware gives: a bf16 sum, product or quotient computed in f32 and then rounded equals the one
rounded directly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import triton.language as tl
from numpy.typing import NDArray
from triton.runtime import interpreter
from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

from hetc.runtime.triton_interpreter_values import convert, narrow, storage_of, widen

Operation = Callable[..., NDArray]


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
