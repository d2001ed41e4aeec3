"""Scalars of a random program's twin: lanes that may be absent, and floats that carry how far they may be off.

An absent lane is None. A float lane is (value, error) with the error in units of f32's rounding, to first order:
each operation adds its result's size to what its operands' errors become. Integers, positions and conditions are
plain Python values. Nothing here comes from the compiler.
"""

from __future__ import annotations

import math
from typing import Any

Lane = Any
UNIT = 2.0**-23
"""A rounding of f32. Twins count errors in these; a few are allowed for each counted one."""
ALLOWED = 6


def lift(function: Any, *lanes: Lane) -> Lane:
    """Apply a function of plain lanes; absent where one is."""
    return None if any(lane is None for lane in lanes) else function(*lanes)


def exact(value: float) -> tuple[float, float]:
    return (float(value), 0.0)


def rounded(value: float) -> tuple[float, float]:
    """A number that f32 may not hold."""
    return (float(value), abs(float(value)))


def _rounded(value: float, error: float) -> tuple[float, float]:
    return (value, error + abs(value))


def add(a: Lane, b: Lane) -> Lane:
    return lift(lambda x, y: _rounded(x[0] + y[0], x[1] + y[1]), a, b)


def subtract(a: Lane, b: Lane) -> Lane:
    return lift(lambda x, y: _rounded(x[0] - y[0], x[1] + y[1]), a, b)


def multiply(a: Lane, b: Lane) -> Lane:
    return lift(lambda x, y: _rounded(x[0] * y[0], abs(x[0]) * y[1] + abs(y[0]) * x[1]), a, b)


def divide(a: Lane, b: Lane) -> Lane:
    def quotient(x: Lane, y: Lane) -> Lane:
        value = x[0] / y[0]
        return _rounded(value, x[1] / abs(y[0]) + abs(value) * y[1] / abs(y[0]))

    return lift(quotient, a, b)


def quotient(a: Lane, count: int) -> Lane:
    """A number divided by how many there are."""
    return _rounded(a[0] / count, a[1] / count)


def smaller(a: Lane, b: Lane) -> Lane:
    return lift(lambda x, y: (min(x[0], y[0]), max(x[1], y[1])), a, b)


def larger(a: Lane, b: Lane) -> Lane:
    return lift(lambda x, y: (max(x[0], y[0]), max(x[1], y[1])), a, b)


def negate(a: Lane) -> Lane:
    return lift(lambda x: (-x[0], x[1]), a)


_SLOPES: dict[str, tuple[Any, Any]] = {
    "exp": (math.exp, math.exp),
    "tanh": (math.tanh, lambda x: 1.0),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), lambda x: 1.0),
    "sin": (math.sin, lambda x: 1.0),
    "cos": (math.cos, lambda x: 1.0),
    "abs": (abs, lambda x: 1.0),
    "relu": (lambda x: max(x, 0.0), lambda x: 1.0),
    "softplus": (lambda x: max(x, 0) + math.log1p(math.exp(-abs(x))), lambda x: 1.0),
    "silu": (lambda x: x / (1 + math.exp(-x)), lambda x: 1.1),
    "sqrt": (math.sqrt, lambda x: 0.5 / math.sqrt(x)),
    "rsqrt": (lambda x: 1 / math.sqrt(x), lambda x: 0.5 * x**-1.5),
    "log": (math.log, lambda x: 1 / x),
    "ceil": (math.ceil, lambda x: 0.0),
    "round": (round, lambda x: 0.0),
    "sign": (lambda x: (x > 0) - (x < 0), lambda x: 0.0),
    "erf": (math.erf, lambda x: 1.2),
    "gelu": (lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2, lambda x: 1.2),
    "floor": (math.floor, lambda x: 0.0),
}


def function(name: str, a: Lane) -> Lane:
    """A function of the language on a float lane. Elementary functions may be a few roundings off: they count 4, and
    4 more of a unit near zero for those that are not exact."""
    if a is None:
        return None
    value, slope = _SLOPES[name]
    result = float(value(a[0]))
    error = abs(slope(a[0])) * a[1]
    return (
        (result, error)
        if name in ("abs", "relu", "floor", "ceil", "round", "sign")
        else (result, error + 4 * abs(result) + 1)
    )


def wrap(value: int) -> int:
    """An i32."""
    return (value + 2**31) % 2**32 - 2**31


def wrap_long(value: int) -> int:
    """An i64."""
    return (value + 2**63) % 2**64 - 2**63


def moved_up(value: int, by: int, width: int) -> int:
    """Times 2 ** by, of which the caller keeps what its type holds; nothing is left by less than none or all bits."""
    return value * 2**by if 0 <= by < width else 0


def moved_down(value: int, by: int, width: int) -> int:
    """Divided by 2 ** by, rounded down; the sign alone is left by less than none or all bits."""
    return value // 2**by if 0 <= by < width else -(value < 0)


def held(value: int) -> int | None:
    """An index, absent where 64 bits do not hold it."""
    return value if abs(value) < 2**63 else None


def is_present(lane: Lane) -> bool:
    return lane is not None


def decided(by: bool, a: bool | None, b: bool | None) -> bool | None:
    """`or` (by is True) and `and`: a side that decides does so whether the other is there or not."""
    if a is by or b is by:
        return by
    return None if a is None or b is None else not by


def floor_divide(a: Lane, b: Lane) -> Lane:
    """Of exact numbers."""
    return lift(lambda x, y: exact(math.floor(x[0] / y[0])), a, b)


def remainder(a: Lane, b: Lane) -> Lane:
    """Of exact numbers; its sign is the divisor's."""
    return lift(lambda x, y: exact(x[0] - y[0] * math.floor(x[0] / y[0])), a, b)


def repeated(a: Lane, times: int) -> Lane:
    """A small power, by multiplication."""
    result = a
    for _ in range(times - 1):
        result = multiply(result, a)
    return result


def arc_tangent(a: Lane, b: Lane) -> Lane:
    """atan2 for an abscissa above 1."""

    def angle(y: Lane, x: Lane) -> Lane:
        value = math.atan2(y[0], x[0])
        return (value, (abs(x[0]) * y[1] + abs(y[0]) * x[1]) / (x[0] ** 2 + y[0] ** 2) + 4 * abs(value) + 1)

    return lift(angle, a, b)


def power(a: Lane, b: Lane) -> Lane:
    """For a base of at least 1: computed as exp(b log a) or better."""

    def raised(x: Lane, y: Lane) -> Lane:
        value, size = x[0] ** y[0], abs(y[0] * math.log(x[0]))
        error = abs(y[0]) * value / x[0] * x[1] + value * math.log(x[0]) * y[1]
        return (value, error + value * (8 + 4 * size) + 1)

    return lift(raised, a, b)


def age(slot: int | None, count: int, slots: int) -> int | None:
    """How many appends ago a slot of a ring was written; absent where it was not."""
    return None if slot is None or not 0 <= slot < min(count, slots) else (count - 1 - slot) % slots


def frequencies(channels: int, base: float, scaling: tuple[str, tuple[float, ...]] | None) -> list[float]:
    """Radians a position for each pair of channels: base^(-2 pair / channels), stretched by a rule for long texts."""
    plain = [base ** (-2 * pair / channels) for pair in range(channels // 2)]
    if scaling is None:
        return plain
    rule, (factor, *more) = scaling
    if rule == "linear":
        return [one / factor for one in plain]
    original, first, last = more
    if rule == "llama3":  # first: turns below which a frequency is divided; last: turns above which it stays
        turns = [original * one / (2 * math.pi) for one in plain]
        kept = [min(max((turn - first) / (last - first), 0.0), 1.0) for turn in turns]
    else:  # yarn; first: turns above which a frequency stays, last: below which it is divided
        places = [channels * math.log(original / (2 * math.pi * turn)) / (2 * math.log(base)) for turn in (first, last)]
        low, high = max(math.floor(places[0]), 0), min(math.ceil(places[1]), channels - 1)
        width = (high - low) or 0.001
        kept = [1 - min(max((pair - low) / width, 0.0), 1.0) for pair in range(channels // 2)]
    return [one * part + one / factor * (1 - part) for one, part in zip(plain, kept, strict=True)]


def rope(lanes: list[Lane], at: int, radians: list[float], layout: str) -> list[Lane]:
    """The first channels turned in pairs, each by its radians a position."""
    turned = list(lanes)
    for pair, one in enumerate(radians):
        low, high = (pair, pair + len(radians)) if layout == "half" else (2 * pair, 2 * pair + 1)
        angle = at * one
        # A rounding of the angle and of the frequency, and one each of the elementary functions.
        off = 8.0 + 2 * abs(angle)
        cos, sin = (math.cos(angle), off), (math.sin(angle), off)
        turned[low] = subtract(multiply(lanes[low], cos), multiply(lanes[high], sin))
        turned[high] = add(multiply(lanes[high], cos), multiply(lanes[low], sin))
    return turned
