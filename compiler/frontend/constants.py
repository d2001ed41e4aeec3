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


def _power(left: Constant, right: Constant) -> Constant:
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
    "**": _power,
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


def _gelu(x: float) -> float:
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


_FLOAT_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "rsqrt": lambda x: 1 / math.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu": _gelu,
    "tanh": math.tanh,
    "sin": math.sin,
    "cos": math.cos,
    "erf": math.erf,
}
_EITHER_FUNCTIONS: dict[str, Callable[[Constant], Constant]] = {
    "abs": abs,
    "relu": lambda x: max(x, type(x)(0)),
    "floor": lambda x: x if isinstance(x, int) or math.isinf(x) else float(math.floor(x)),
    "ceil": lambda x: x if isinstance(x, int) or math.isinf(x) else float(math.ceil(x)),
    "round": lambda x: x if isinstance(x, int) or math.isinf(x) else float(round(x)),
    "sign": lambda x: type(x)((x > 0) - (x < 0)),
}


def fold_binary(sign: str, left: Constant, right: Constant) -> Constant:
    """`left sign right` for an operator of arithmetic or of bits. Raises NotFoldable."""
    try:
        return _checked(_BINARY[sign](left, right), left, right)
    except ZeroDivisionError:
        raise NotFoldable("division by zero") from None
    except (OverflowError, ValueError) as error:
        raise NotFoldable(str(error)) from None


def fold_function(function: str, arguments: list[Constant]) -> Constant | None:
    """The function of constants, or None where it is not one that folds. Raises NotFoldable."""
    try:
        if function in _FLOAT_FUNCTIONS and len(arguments) == 1:
            return _checked(_FLOAT_FUNCTIONS[function](float(arguments[0])), *arguments)
        if function in _EITHER_FUNCTIONS and len(arguments) == 1:
            return _checked(_EITHER_FUNCTIONS[function](arguments[0]), *arguments)
        if function in ("min", "max") and len(arguments) >= 2:
            least = min(arguments) if function == "min" else max(arguments)
            return float(least) if any(isinstance(item, float) for item in arguments) else least
        if function == "ceildiv" and len(arguments) == 2 and all(isinstance(item, int) for item in arguments):
            return _checked(-(-arguments[0] // arguments[1]))
        if function in ("atan2", "pow") and len(arguments) == 2:
            left, right = arguments
            return _checked(math.atan2(left, right) if function == "atan2" else _power(left, right), left, right)
    except ZeroDivisionError:
        raise NotFoldable("division by zero") from None
    except (OverflowError, ValueError) as error:
        raise NotFoldable(str(error)) from None
    return None


def _checked(value: Constant, *operands: Constant) -> Constant:
    """The value; it is infinite only where an operand is, and never NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            raise NotFoldable("the result is not a number")
        if not any(isinstance(item, float) and math.isinf(item) for item in operands):
            raise NotFoldable("the result is not finite")
    if isinstance(value, int) and value.bit_length() > MAX_FOLDED_BITS:
        raise NotFoldable("the result does not fit 64 bits")
    return value
