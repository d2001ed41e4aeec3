"""Values known at compile time: Python ints and floats, folded in double precision."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

Constant = int | float

# A power like 9 ** 9 ** 9 must not hang the compiler.
MAX_FOLDED_BITS = 64


class NotFoldable(Exception):
    """The operation has no result on these constants, or one that is not finite though they are; the message says
    why."""


def constant_power(left: Constant, right: Constant) -> Constant:
    if isinstance(left, int) and isinstance(right, int):
        if right >= 0 and right * max(abs(left).bit_length(), 1) > 4 * MAX_FOLDED_BITS and abs(left) > 1:
            raise NotFoldable("the power is too large")
        if right < 0:
            return float(left) ** right
    result = left**right
    if isinstance(result, complex):
        raise NotFoldable("a power of a negative number")
    return result


def _of_bits(sign: str, function: Callable[[int, int], int]) -> Callable[[Constant, Constant], Constant]:
    def folded(left: Constant, right: Constant) -> Constant:
        for side in (left, right):
            if not isinstance(side, int):
                raise NotFoldable(f"`{sign}` is of integers, found {side}")
        assert isinstance(left, int) and isinstance(right, int)
        if sign in ("<<", ">>") and not 0 <= right < MAX_FOLDED_BITS:
            raise NotFoldable(f"the count of a shift is 0 to {MAX_FOLDED_BITS - 1}, not {right}")
        return function(left, right)

    return folded


_BINARY: dict[str, Callable[[Constant, Constant], Constant]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "//": lambda left, right: left // right,
    "%": lambda left, right: left % right,
    "**": constant_power,
    **{
        sign: _of_bits(sign, function)
        for sign, function in (
            ("&", operator.and_),
            ("|", operator.or_),
            ("^", operator.xor),
            ("<<", operator.lshift),
            (">>", operator.rshift),
        )
    },
}
FOLDED = tuple(_BINARY)
"""The operators that fold."""


def fold_binary(sign: str, left: Constant, right: Constant) -> Constant:
    """`left sign right` for an operator of arithmetic or of bits. Raises NotFoldable."""
    try:
        return checked(_BINARY[sign](left, right), left, right)
    except ZeroDivisionError:
        raise NotFoldable("division by zero") from None
    except (OverflowError, ValueError) as error:
        raise NotFoldable(str(error)) from None


def checked(value: Constant, *operands: Constant) -> Constant:
    """The value; it is infinite only where an operand is, and never NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            raise NotFoldable("the result is not a number")
        if not any(isinstance(item, float) and math.isinf(item) for item in operands):
            raise NotFoldable("the result is not finite")
    if isinstance(value, int) and value.bit_length() > MAX_FOLDED_BITS:
        raise NotFoldable("the result does not fit 64 bits")
    return value
