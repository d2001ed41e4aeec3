"""The floating-point functions of the language beside what numpy says of them, and the values at which they are asked.

Each case is an expression over `x` (one value), `a` and `b` (every pair of values) or `row` (a few values to reduce).
What it should be is numpy's in float64, except for what the language defines by several operations: those are done in
the type that the way of execution computes in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import ml_dtypes
import numpy as np

Function = Callable[..., np.ndarray]
F32 = np.float32

_SIZES = [
    0.0, 1e-45, 1.1754942e-38, 2.0**-126, 1e-10, 0.5, 1 - 2.0**-24, 1.0, 1 + 2.0**-23, 1.5, 2.0, 2.5, 3.0, 3.5, 88.0,
    104.0, 126.5, 127.5, 255.5, 448.0, 464.0, 465.0, 65519.0, 65520.0, 2.0**23 - 0.5, 2.0**24, 2.0**31, 1e10, 2.0**63,
    3e38, np.inf,
]  # fmt: skip
_SIZES_OF_PAIRS = [
    0.0, 1e-45, 1e-10, 0.5, 1 - 2.0**-24, 1.0, 1.5, 2.0, 3.0, 4.0, 31.0, 127.0, 128.0, 149.0, 150.0, 2.0**23 + 1,
    2.0**24 - 1, 2.0**24, 2.0**31, 2.0**63, 3e38, np.inf,
]  # fmt: skip


def _both_signs(sizes: list[float]) -> np.ndarray:
    return np.array([*sizes, *(-size for size in sizes), np.nan], F32)


X = _both_signs(_SIZES)
A, B = (grid.ravel() for grid in np.meshgrid(_both_signs(_SIZES_OF_PAIRS), _both_signs(_SIZES_OF_PAIRS), indexing="ij"))
ROWS = np.array(
    [
        [1.0, 2.5, -3.0, 0.5], [0.0, -0.0, 0.0, 0.0], [1e-45, 1.0, 0.0, 2.0], [np.inf, 1.0, -2.0, 3.0],
        [-np.inf, 1.0, 2.0, -0.0], [np.inf, -np.inf, 1.0, 2.0], [np.nan, 1.0, np.inf, -1.0],
        [1.0, 2.0, -np.inf, np.nan], [3e38, 1.0, 2.0, -1.0], [-np.inf, -np.inf, -np.inf, -np.inf],
        [np.nan, np.nan, np.nan, np.nan],
    ],
    F32,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """expected: the values from the arguments' arrays in the type computed in. atol: of finite values, beside rtol;
    below the smallest normal number everything is 0 to it. signed_zero: whether the sign of a zero counts."""

    expression: str
    expected: Function
    atol: float = 2.0**-126
    signed_zero: bool = True

    @property
    def arguments(self) -> str:
        """`x`, `ab` or `row`."""
        return "row" if "row" in self.expression else "ab" if "a[m]" in self.expression else "x"


def _wide(function: Function) -> Function:
    """Computed in float64 whatever the type is."""
    return lambda *arguments: function(*(argument.astype(np.float64) for argument in arguments))


def _integer(bits: int, signed: bool = True) -> Function:
    """Truncated and saturated; NaN gives 0."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)

    def cast(x: np.ndarray) -> np.ndarray:
        return np.array(
            [0 if math.isnan(v) else low if v <= low else high if v >= high else int(v) for v in x.tolist()]
        )

    return cast


def _narrow(dtype: type, largest: float = np.inf) -> Function:
    return lambda x: np.clip(x.astype(F32), -largest, largest).astype(dtype).astype(np.float64)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _floor_quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.floor(a / b)


_erf = np.vectorize(math.erf, otypes=[np.float64])


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + _erf(x.astype(np.float64) / math.sqrt(2)))


CASES: dict[str, Case] = {
    "exponential": Case("exp(x[n])", _wide(np.exp)),
    "logarithm": Case("log(x[n])", _wide(np.log)),
    "root": Case("sqrt(x[n])", _wide(np.sqrt)),
    "reciprocal_root": Case("rsqrt(x[n])", _wide(lambda x: 1 / np.sqrt(x))),
    "hyperbolic": Case("tanh(x[n])", _wide(np.tanh)),
    "sine": Case("sin(x[n])", _wide(np.sin), 1e-7),
    "cosine": Case("cos(x[n])", _wide(np.cos), 1e-7),
    "error_function": Case("erf(x[n])", _wide(_erf)),
    "below": Case("floor(x[n])", np.floor),
    "above": Case("ceil(x[n])", np.ceil),
    "nearest": Case("round(x[n])", np.rint),
    "sign_of": Case("sign(x[n])", np.sign),
    "size_of": Case("abs(x[n])", np.abs),
    "negated": Case("-x[n]", np.negative),
    "rectified": Case("relu(x[n])", lambda x: np.maximum(x, 0), signed_zero=False),
    "logistic": Case("sigmoid(x[n])", _sigmoid),
    "weighted": Case("silu(x[n])", lambda x: x / (1 + np.exp(-x))),
    "gaussian": Case("gelu(x[n])", _gelu, 1e-6, signed_zero=False),
    "cube": Case("x[n] ** 3", _wide(lambda x: x * x * x)),
    "fifth": Case("x[n] ** 5", _wide(lambda x: np.power(x, 5))),
    "inverse": Case("x[n] ** -1", _wide(lambda x: np.power(x, -1))),
    "nothing": Case("x[n] ** 0", np.ones_like),
    "half_power": Case("x[n] ** 0.5", _wide(np.sqrt)),
    "power_of_two": Case("2.0 ** x[n]", _wide(np.exp2)),
    "to_i32": Case("i32(x[n])", _integer(32)),
    "to_i64": Case("i64(x[n])", _integer(64)),
    "to_i16": Case("i16(x[n])", _integer(16)),
    "to_i8": Case("i8(x[n])", _integer(8)),
    "to_u8": Case("u8(x[n])", _integer(8, signed=False)),
    "to_i4": Case("i4(x[n])", _integer(4)),
    "to_bool": Case("bool(x[n])", lambda x: x != 0),
    "to_bf16": Case("bf16(x[n])", _narrow(ml_dtypes.bfloat16)),
    "to_f16": Case("f16(x[n])", _narrow(np.float16)),
    "to_fp8": Case("fp8(x[n])", _narrow(ml_dtypes.float8_e4m3fn, 448.0)),
    "to_fp8e5m2": Case("fp8e5m2(x[n])", _narrow(ml_dtypes.float8_e5m2, 57344.0)),
    "added": Case("a[m] + b[m]", np.add),
    "subtracted": Case("a[m] - b[m]", np.subtract),
    "multiplied": Case("a[m] * b[m]", np.multiply),
    "divided": Case("a[m] / b[m]", np.divide),
    "floor_divided": Case("a[m] // b[m]", _floor_quotient),
    "rest": Case("a[m] % b[m]", lambda a, b: a - b * _floor_quotient(a, b)),
    "power": Case("a[m] ** b[m]", _wide(np.power)),
    "angle": Case("atan2(a[m], b[m])", _wide(np.arctan2)),
    "smaller": Case("min(a[m], b[m])", np.minimum, signed_zero=False),
    "larger": Case("max(a[m], b[m])", np.maximum, signed_zero=False),
    "equal": Case("a[m] == b[m]", np.equal),
    "unequal": Case("a[m] != b[m]", np.not_equal),
    "less": Case("a[m] < b[m]", np.less),
    "at_most": Case("a[m] <= b[m]", np.less_equal),
    "more": Case("a[m] > b[m]", np.greater),
    "at_least": Case("a[m] >= b[m]", np.greater_equal),
    "not_less": Case("not (a[m] < b[m])", lambda a, b: ~(a < b)),
    "chosen": Case("where(a[m] < b[m], a[m], b[m])", lambda a, b: np.where(a < b, a, b)),
    "total": Case("sum[e](row[r, e])", lambda row: row.sum(1), signed_zero=False),
    "product": Case("prod[e](row[r, e])", _wide(lambda row: row.prod(1)), signed_zero=False),
    "highest": Case("max[e](row[r, e])", lambda row: row.max(1), signed_zero=False),
    "lowest": Case("min[e](row[r, e])", lambda row: row.min(1), signed_zero=False),
    "average": Case("mean[e](row[r, e])", lambda row: row.mean(1), signed_zero=False),
    "where_highest": Case("argmax[e](row[r, e])", lambda row: row.argmax(1)),
    "where_lowest": Case("argmin[e](row[r, e])", lambda row: row.argmin(1)),
    "any_positive": Case("any[e](row[r, e] > 0)", lambda row: (row > 0).any(1)),
    "all_at_least": Case("all[e](row[r, e] >= -1)", lambda row: (row >= -1).all(1)),
    "not_positive": Case("count[e](not (row[r, e] > 0))", lambda row: (~(row > 0)).sum(1)),
}

_LEFT = {"x": "[n]", "ab": "[m]", "row": "[r]"}
GIVEN = {"x": X, "a": A, "b": B, "row": ROWS}


def program() -> str:
    """A pipeline that gives every case as an output of its name."""
    lines = [f"{name}{_LEFT[case.arguments]} = {case.expression}" for name, case in CASES.items()]
    names = [list(CASES)[start : start + 10] for start in range(0, len(CASES), 10)]
    return "\n".join(
        [
            "pipeline special_values:",
            f"    dim N = {len(X)}; dim M = {len(A)}; dim R = {ROWS.shape[0]}; dim E = {ROWS.shape[1]}",
            "    input x: f32[N]; input a: f32[M]; input b: f32[M]; input row: f32[R, E]",
            "    apply:",
            *(f"        {line}" for line in lines),
            *(f"    output {', '.join(some)}" for some in names),
        ]
    )


def arguments_of(case: Case, dtype: type) -> list[np.ndarray]:
    """The arrays that a case is asked at, in the type that is computed in."""
    names = ["a", "b"] if case.arguments == "ab" else [case.arguments]
    return [GIVEN[name].astype(dtype) for name in names]


def differences(name: str, got: np.ndarray, dtype: type) -> list[str]:
    """Where a case's values are not what numpy says, each with its arguments. dtype: what is computed in; float32
    allows for functions that are some roundings off."""
    case = CASES[name]
    arguments = arguments_of(case, dtype)
    with np.errstate(all="ignore"):
        want = case.expected(*arguments)
        if want.dtype.kind == "f":
            wide, kept = got.astype(np.float64), want.astype(dtype).astype(np.float64)
            close = np.abs(wide - kept) <= (4e-6 if dtype is F32 else 1e-13) * np.abs(kept) + case.atol
            right = (wide == kept) | (np.isnan(wide) & np.isnan(kept)) | (close & np.isfinite(kept))
            if case.signed_zero:
                right &= (wide != 0) | (kept != 0) | (np.signbit(wide) == np.signbit(kept))
        else:
            right = np.asarray(got) == want
    found = []
    for at in np.flatnonzero(~right):
        place = ", ".join(str(argument[at]) for argument in arguments)
        found.append(f"{case.expression} at {place}: {got[at]}, numpy says {want[at]}")
    return found
