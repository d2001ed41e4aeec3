"""How large the numbers are that a float's rounding errors are relative to.

Of a value v this is a magnitude M >= |v| such that an evaluation that rounds each operation with relative error u
lies within a few u * M of v, whatever cancels on the way, to first order in u: a sum's magnitude is the sum of its
terms' magnitudes, a product's what each factor's error does times the other factor, and a function adds what its
slope does to its argument's error.
A result is then judged against rtol * M, which a difference of two near-equal sums does not tighten.

Below the smallest normal f32 the error is not relative: devices flush such results to zero or keep few bits of them.
Beyond the largest f32 there is no bound: a device has an infinity where the oracle goes on with a number.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hetc.numerics.tolerance import tolerance

_SMALLEST_NORMAL = float(np.finfo(np.float32).smallest_normal)
_LARGEST = float(np.finfo(np.float32).max)

Rule = Callable[[np.ndarray, list[np.ndarray], list[np.ndarray]], np.ndarray]
"""(result, operands, operands' magnitudes) -> the result's magnitude"""


def _slope(derivative: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Rule:
    """|f(x)| + |f'(x)| M(x), the derivative given as a function of f(x) and x."""

    def rule(result: np.ndarray, x: list[np.ndarray], m: list[np.ndarray]) -> np.ndarray:
        return np.abs(result) + np.abs(derivative(result, x[0])) * m[0]

    return rule


def _largest(result: np.ndarray, x: list[np.ndarray], m: list[np.ndarray]) -> np.ndarray:
    return np.maximum(m[0], m[1])


def _sum(result: np.ndarray, x: list[np.ndarray], m: list[np.ndarray]) -> np.ndarray:
    return m[0] + m[1]


def _product(result: np.ndarray, x: list[np.ndarray], m: list[np.ndarray]) -> np.ndarray:
    return np.abs(x[0]) * m[1] + m[0] * np.abs(x[1])


def _quotient(result: np.ndarray, x: list[np.ndarray], m: list[np.ndarray]) -> np.ndarray:
    divisor = np.abs(x[1])
    return m[0] / divisor + np.abs(x[0]) * m[1] / (divisor * divisor)


def _power(result: np.ndarray, x: list[np.ndarray], m: list[np.ndarray]) -> np.ndarray:
    base = np.abs(x[0])
    safe = np.where(base > 0, base, 1.0)
    return np.abs(result) * (1.0 + np.abs(x[1]) * m[0] / safe + np.abs(np.log(safe)) * m[1])


def _angle(result: np.ndarray, x: list[np.ndarray], m: list[np.ndarray]) -> np.ndarray:
    square = x[0] * x[0] + x[1] * x[1]
    turned = np.abs(x[0]) * m[1] + np.abs(x[1]) * m[0]
    return np.abs(result) + turned / np.where(square > 0, square, 1.0)


def _passed(result: np.ndarray, x: list[np.ndarray], m: list[np.ndarray]) -> np.ndarray:
    return m[0]


def _root(result: np.ndarray, x: list[np.ndarray], m: list[np.ndarray]) -> np.ndarray:
    safe = np.where(result > 0, result, 1.0)
    # At 0 an error e of the argument becomes sqrt(e): of the order of the root of the magnitude.
    return np.where(result > 0, result + m[0] / (2.0 * safe), np.sqrt(m[0]))


_RULES: dict[str, Rule] = {
    "arith.addf": _sum,
    "arith.subf": _sum,
    "arith.mulf": _product,
    "arith.divf": _quotient,
    "arith.negf": _passed,
    "arith.maximumf": _largest,
    "arith.minimumf": _largest,
    "math.absf": _passed,
    "math.exp": _slope(lambda result, x: result),
    "math.log": _slope(lambda result, x: 1.0 / np.where(x > 0, x, 1.0)),
    "math.sqrt": _root,
    "math.rsqrt": _slope(lambda result, x: 0.5 * result / np.where(x > 0, x, 1.0)),
    "math.tanh": _slope(lambda result, x: 1.0 - result * result),
    "math.sin": _slope(lambda result, x: np.ones_like(x)),
    "math.cos": _slope(lambda result, x: np.ones_like(x)),
    "math.erf": _slope(lambda result, x: 1.1283791670955126 * np.exp(-x * x)),  # 2 / sqrt(pi)
    "math.floor": _slope(lambda result, x: np.ones_like(x)),
    "math.ceil": _slope(lambda result, x: np.ones_like(x)),
    "math.roundeven": _slope(lambda result, x: np.ones_like(x)),
    "math.powf": _power,
    "math.atan2": _angle,
}


def magnitude(name: str, result: np.ndarray, values: list[np.ndarray], magnitudes: list[np.ndarray]) -> np.ndarray:
    """The magnitude of the float `result` of the scalar operation `name`; operations on integers are exact, so
    that what they are converted to has its own value's."""
    rule = _RULES.get(name)
    found = np.abs(result) if rule is None or not magnitudes else rule(result, values, magnitudes)
    found = np.where(np.isfinite(result) & (np.abs(result) > _LARGEST), np.inf, found)
    underflows = (result != 0) & (np.abs(result) < _SMALLEST_NORMAL)
    # What may become zero is off by all of it: an error of the smallest normal is allowed.
    return np.where(underflows, np.maximum(found, _SMALLEST_NORMAL / tolerance("f32").rtol), found)


def magnitude_of_product(factors: np.ndarray, magnitudes: np.ndarray) -> np.ndarray:
    """Of the product over the first axis: each factor's magnitude times all the others, as a product of two has it.
    A factor that is not taken is 1, of magnitude 0; of no factors at all the magnitude is 0."""
    size, value = magnitudes, np.abs(factors)
    with np.errstate(invalid="ignore", over="ignore"):  # a factor that is infinite, or too large a product
        while len(value) > 1:
            half = len(value) // 2
            left, right, odd = slice(half), slice(half, 2 * half), slice(2 * half, None)
            joined = value[left] * size[right] + size[left] * value[right]
            size = np.concatenate([joined, size[odd]])
            value = np.concatenate([value[left] * value[right], value[odd]])
    return np.asarray(size.sum(axis=0))
