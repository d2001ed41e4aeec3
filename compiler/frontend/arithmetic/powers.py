"""`x ** e`. Of two integers it is one: exact, wrapped to 32 or 64 bits as a product is, and 0 where a run-time exponent
is below 0. By a constant exponent below 0, and where one side is a float, it is a float.
"""

from __future__ import annotations

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import IntegerType, f32, i32, i64
from xdsl.ir import SSAValue

from hetc.compiler.frontend.arithmetic.constants import Constant
from hetc.compiler.frontend.arithmetic.operations import Arithmetic, TypeMismatch, Value, type_of
from hetc.dialects.mp import Interval

_LARGEST_EXPONENT = 2**16
"""Of an integer by a constant: more is a slip."""


def power(arithmetic: Arithmetic, base: Value, exponent: Value) -> SSAValue:
    """`base ** exponent`, never of two constants (those are folded). Raises TypeMismatch."""
    base, exponent = arithmetic.numeric(base), arithmetic.numeric(exponent)
    if isinstance(base, SSAValue) and not isinstance(exponent, SSAValue):
        exact = _constant_power(arithmetic, base, exponent)
        if exact is not None:
            return exact
    if f32 not in (type_of(base), type_of(exponent)) and isinstance(exponent, SSAValue):
        return _of_integers(arithmetic, base, exponent)
    return arithmetic.add(math.PowFOp(arithmetic.as_float(base), arithmetic.as_float(exponent)))


def _constant_power(arithmetic: Arithmetic, base: SSAValue, exponent: Constant) -> SSAValue | None:
    """A power by multiplication or a root, where that is exact or the nearest."""
    if exponent == 0.5:
        return arithmetic.add(math.SqrtOp(arithmetic.as_float(base)))
    if exponent == -0.5:
        return arithmetic.add(math.RsqrtOp(arithmetic.as_float(base)))
    whole = base.type != f32 and isinstance(exponent, int) and exponent >= 0
    if whole and exponent > _LARGEST_EXPONENT:
        raise TypeMismatch(f"the exponent of an integer is at most {_LARGEST_EXPONENT}, not {exponent}")
    if whole or (1 <= exponent <= 4 and float(exponent).is_integer()):
        return _product(arithmetic, base, int(exponent))
    return None


def _product(arithmetic: Arithmetic, base: SSAValue, times: int) -> SSAValue:
    if times == 0:  # 1, present where the base is
        return arithmetic.binary("+", arithmetic.binary("*", base, 0), 1)
    if times <= 4:  # rounded in this order
        result = base
        for _ in range(times - 1):
            result = arithmetic.binary("*", result, base)
        return result
    half = _product(arithmetic, base, times // 2)
    squared = arithmetic.binary("*", half, half)
    return arithmetic.binary("*", squared, base) if times % 2 else squared


def _of_integers(arithmetic: Arithmetic, base: Value, exponent: SSAValue) -> SSAValue:
    """A run-time power, an i32, or an i64 where one side is one."""
    known = arithmetic.intervals.of(exponent)
    if known.high < 0:
        message = f"this exponent is below 0 (at most {known.high}), so that an integer power is always 0"
        raise TypeMismatch(message, "of a float it is a fraction: `f32(...) ** e`, or `2.0 ** e`")
    if isinstance(base, SSAValue):
        base = arithmetic.as_number(base)
    arithmetic.check_held("**", exponent)
    type_ = i64 if i64 in (type_of(base), exponent.type) else i32
    if isinstance(base, int) and base > 1 and base & (base - 1) == 0:
        return _shifted(arithmetic, base.bit_length() - 1, exponent, type_)
    if isinstance(base, int) and base % 2 == 0 and known.high > type_.width.data:
        # From there on all bits are 0.
        exponent = arithmetic.clamp(exponent, min(max(known.low, -1), 0), type_.width.data)
        known = arithmetic.intervals.of(exponent)
    result = _by_bits(arithmetic, base, exponent, known, type_)
    if known.low >= 0:
        return result
    return arithmetic.choose(arithmetic.compare("<", exponent, 0), arithmetic.constant(0, type_), result)


def _shifted(arithmetic: Arithmetic, bits: int, exponent: SSAValue, type_: IntegerType) -> SSAValue:
    """A power of 2 ** bits: a shift, by which nothing is left where the exponent is below 0 or too large."""
    width = type_.width.data
    if not arithmetic.intervals.of(exponent).within(Interval(-1, width)):
        exponent = arithmetic.clamp(exponent, -1, width)
    count = arithmetic.convert(exponent, type_)
    count = count if bits == 1 else arithmetic.binary("*", count, bits)
    return arithmetic.add(arith.ShLIOp(arithmetic.constant(1, type_), count))


def _by_bits(arithmetic: Arithmetic, base: Value, exponent: SSAValue, known: Interval, type_: IntegerType) -> SSAValue:
    """The product of base ** 2 ** i over the bits i of an exponent that is not below 0."""
    width = type_.width.data
    most = known.high.bit_length()
    if isinstance(base, int) and base % 2:
        most = min(
            most, width - 2
        )  # an odd number to the power of 2 ** (width - 2) is 1, but for a multiple of 2 ** width
    square: Value = arithmetic.convert(base, type_) if isinstance(base, SSAValue) else arithmetic.constant(base, type_)
    constant = base if isinstance(base, int) else None
    result: SSAValue | None = None
    for place in range(max(most, 1)):
        bit = arithmetic.add(arith.AndIOp(exponent, arithmetic.constant(1 << place, exponent.type)))
        one = arithmetic.constant(1, type_)
        factor = arithmetic.choose(arithmetic.compare("!=", bit, 0), square, one)
        result = factor if result is None else arithmetic.binary("*", result, factor)
        if place + 1 >= most:
            break
        if constant is None:
            square = arithmetic.binary("*", square, square)
        else:
            constant = _wrapped(constant * constant, width)
            square = arithmetic.constant(constant, type_)
    assert result is not None
    return result


def _wrapped(value: int, width: int) -> int:
    return (value + (1 << width - 1)) % (1 << width) - (1 << width - 1)
