"""How far a result may lie from the float64 oracle, by the type it is stored in: the one table.

A result is accumulated in f32 (integers in i32) and rounded once to its own type, so two things differ from
the oracle: the order of a long sum, which scales with the sum's terms rather than with the result, and the
last rounding, which scales with the result. `rtol` covers the second and `atol` the first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hetc.numerics.dtypes import DType, dtype_of


class Tolerance(NamedTuple):
    """|actual - expected| <= rtol * |expected| + atol, for results of magnitude about one."""

    rtol: float
    atol: float


_TOLERANCES: dict[str, Tolerance] = {
    # 2^-24 times the square root of a few thousand terms is 4e-6; fast exponentials add 2 ulp.
    "f32": Tolerance(2e-5, 1e-5),
    # One step of the type at the result, for a sum that lands on the other side of a tie.
    "f16": Tolerance(2.0**-10, 2.0**-11),
    "bf16": Tolerance(2.0**-7, 2.0**-8),
    "fp8": Tolerance(2.0**-3, 2.0**-9),
    "fp8e5m2": Tolerance(2.0**-2, 2.0**-16),
    "fp4": Tolerance(2.0**-1, 2.0**-4),
    "e8m0": Tolerance(1.0, 0.0),
    # Quantised: one step. Wider integers and bool are counts, indices and conditions: exact.
    "i8": Tolerance(0.0, 1.0),
    "u8": Tolerance(0.0, 1.0),
    "i4": Tolerance(0.0, 1.0),
    "u4": Tolerance(0.0, 1.0),
    "i2": Tolerance(0.0, 1.0),
    "u2": Tolerance(0.0, 1.0),
    "i16": Tolerance(0.0, 0.0),
    "i32": Tolerance(0.0, 0.0),
    "i64": Tolerance(0.0, 0.0),
    "bool": Tolerance(0.0, 0.0),
}


def tolerance(dtype: DType | str) -> Tolerance:
    """The tolerance of results stored as `dtype`."""
    return _TOLERANCES[dtype_of(dtype).name]


def within(
    actual: ArrayLike, expected: ArrayLike, dtype: DType | str, magnitude: float | None = None
) -> NDArray[np.bool_]:
    """Which entries of `actual` lie within the tolerance of `dtype` around `expected` (same shapes).

    magnitude scales atol for floats: that of the terms that were summed; by default the largest finite
    |expected|. NaN agrees with NaN and an infinity with itself. Raises ValueError on unequal shapes.
    """
    dtype = dtype_of(dtype)
    got, want = np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if got.shape != want.shape:
        raise ValueError(f"actual has shape {got.shape}, expected has {want.shape}")
    rtol, atol = tolerance(dtype)
    finite = np.isfinite(want)
    if dtype.is_float:
        if magnitude is None:
            magnitude = float(np.max(np.abs(want), where=finite, initial=0.0))
        atol *= magnitude
    with np.errstate(invalid="ignore"):
        close = np.abs(got - want) <= rtol * np.abs(want) + atol
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    return np.where(finite, close, same)
