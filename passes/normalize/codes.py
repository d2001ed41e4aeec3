"""Values from bit patterns of narrow types and back, in arithmetic that every device has.

`add` puts an op where it is needed and gives its value; a byte is an i32 that holds 0 to 255.
"""

from __future__ import annotations

import math as python_math
from collections.abc import Callable

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import f32, i32
from xdsl.ir import Operation, SSAValue

from hetc.numerics import E8M0, FP4, DType
from hetc.passes.emission import constant

Add = Callable[[Operation], SSAValue]

MANTISSA_BITS = 23
QUIET_NAN = 0x7FC00000
_HALF = 1 << (MANTISSA_BITS - 1)
"""The upper half of an f32's fraction: added to the bits, it rounds to the nearest power of two, a tie upwards."""


def decoded(code: SSAValue, dtype: DType, add: Add) -> SSAValue:
    """The value of a bit pattern that stands alone in an i32: f32, or i32 of an integer."""
    if dtype == FP4:
        return _decoded_fp4(code, add)
    if dtype == E8M0:
        return _decoded_scale(code, add)
    if dtype.kind == "uint":
        return code
    sign = 1 << (dtype.bits - 1)
    return _minus(add(arith.XOrIOp(code, _number(sign, add))), sign, add)


def encoded(value: SSAValue, dtype: DType, add: Add) -> SSAValue:
    """The bit pattern of the nearest value of the type, alone in an i32. `value`: f32, or i32 for an integer."""
    if dtype == FP4:
        return _encoded_fp4(value, add)
    if dtype == E8M0:
        return _encoded_scale(value, add)
    return add(arith.AndIOp(saturated(value, dtype, add), _number(2**dtype.bits - 1, add)))


def saturated(value: SSAValue, dtype: DType, add: Add) -> SSAValue:
    """An i32 within the range of an integer type."""
    least = add(arith.MinSIOp(value, _number(int(dtype.max_finite), add)))
    return add(arith.MaxSIOp(least, _number(int(dtype.min_finite), add)))


def rounded(value: SSAValue, dtype: DType, add: Add) -> SSAValue:
    """The nearest value of the type, in the type that it computes in."""
    return decoded(encoded(value, dtype, add), dtype, add) if dtype.is_float else saturated(value, dtype, add)


def _decoded_fp4(code: SSAValue, add: Add) -> SSAValue:
    """0 and 0.5 are those without an exponent; of the others the bits lie as in an f32 whose bias is 126 more."""
    magnitude = add(arith.AndIOp(code, _number(7, add)))
    shifted = add(arith.ShLIOp(magnitude, _number(MANTISSA_BITS - 1, add)))
    normal = add(arith.BitcastOp(add(arith.AddiOp(shifted, _number(126 << MANTISSA_BITS, add))), f32))
    small = add(arith.MulfOp(add(arith.SIToFPOp(magnitude, f32)), _real(0.5, add)))
    is_small = add(arith.CmpiOp(magnitude, _number(2, add), "slt"))
    value = add(arith.BitcastOp(add(arith.SelectOp(is_small, small, normal)), i32))
    sign = add(arith.ShLIOp(add(arith.AndIOp(code, _number(8, add))), _number(28, add)))
    return add(arith.BitcastOp(add(arith.OrIOp(value, sign)), f32))


def _encoded_fp4(value: SSAValue, add: Add) -> SSAValue:
    """Below 1 values are 0.5 apart; from there on the f32's bits, rounded behind the first of the fraction, are the
    code and the difference of the biases. NaN is 0."""
    is_number = add(arith.CmpfOp(value, value, "oeq"))
    capped = add(arith.MinimumfOp(add(math.AbsFOp(value)), _real(6.0, add)))
    magnitude = add(arith.SelectOp(is_number, capped, _real(0.0, add)))
    doubled = add(math.RoundEvenOp(add(arith.MulfOp(magnitude, _real(2.0, add)))))
    bits = add(arith.BitcastOp(magnitude, i32))
    odd = add(arith.AndIOp(add(arith.ShRSIOp(bits, _number(MANTISSA_BITS - 1, add))), _number(1, add)))
    carried = add(arith.AddiOp(add(arith.AddiOp(bits, _number(_HALF // 2 - 1, add))), odd))
    normal = _minus(add(arith.ShRSIOp(carried, _number(MANTISSA_BITS - 1, add))), 2 * 126, add)
    is_small = add(arith.CmpfOp(magnitude, _real(1.0, add), "olt"))
    code = add(arith.SelectOp(is_small, add(arith.FPToSIOp(doubled, i32)), normal))
    sign = add(arith.AndIOp(add(arith.ShRSIOp(add(arith.BitcastOp(value, i32)), _number(28, add))), _number(8, add)))
    return add(arith.SelectOp(is_number, add(arith.OrIOp(code, sign)), _number(0, add)))


def _decoded_scale(code: SSAValue, add: Add) -> SSAValue:
    """The code is an f32's exponent, but for the least, which is a subnormal, and for NaN."""
    bits = add(arith.ShLIOp(code, _number(MANTISSA_BITS, add)))
    is_least = add(arith.CmpiOp(code, _number(0, add), "eq"))
    is_nan = add(arith.CmpiOp(code, _number(255, add), "eq"))
    bits = add(arith.SelectOp(is_least, _number(_HALF, add), bits))
    return add(arith.BitcastOp(add(arith.SelectOp(is_nan, _number(QUIET_NAN, add), bits)), f32))


def _encoded_scale(value: SSAValue, add: Add) -> SSAValue:
    """What is not above 0 is the least power, what is not finite NaN. Below the least normal number of f32, the bits of
    which the exponent 1 stands for, lies one power only."""
    is_finite = add(arith.CmpfOp(add(math.AbsFOp(value)), _real(python_math.inf, add), "olt"))
    zero = _real(0.0, add)
    is_ordinary = add(arith.AndIOp(is_finite, add(arith.CmpfOp(value, zero, "ogt"))))
    bits = add(arith.BitcastOp(add(arith.SelectOp(is_ordinary, value, zero)), i32))
    exponent = add(arith.ShRSIOp(add(arith.AddiOp(bits, _number(_HALF, add))), _number(MANTISSA_BITS, add)))
    is_least = add(arith.CmpiOp(bits, _number(_HALF + _HALF // 2, add), "slt"))
    code = add(arith.SelectOp(is_least, _number(0, add), add(arith.MinSIOp(exponent, _number(254, add)))))
    return add(arith.SelectOp(is_finite, code, _number(255, add)))


def _minus(value: SSAValue, number: int, add: Add) -> SSAValue:
    return add(arith.SubiOp(value, _number(number, add)))


def _number(value: int, add: Add) -> SSAValue:
    return add(constant(value, i32))


def _real(value: float, add: Add) -> SSAValue:
    return add(constant(value, f32))
