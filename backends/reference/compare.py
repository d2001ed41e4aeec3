"""Verdicts: a backend's result beside the oracle's.

A float is judged against rtol(f32) times its magnitude (see `magnitude`), which already counts one step of a narrow
storage type: a sum that cancels is allowed what its terms' rounding may cause, and nothing more. Where no magnitude
is at hand the table's rtol and atol for the dtype apply, atol scaled by the largest expected value. 8-bit and
narrower integers may differ by one step, all others not at all. An absent element is exactly 0, -1 or false.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hetc.numerics import dtype_of
from hetc.numerics.rounding import ulp
from hetc.numerics.tolerance import tolerance

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """max_error: |actual - expected|, and tolerance: what was allowed, at `worst_index`, where the error is largest in
    proportion to that; ok; note: what is wrong, or worth saying; near_ties: entries in which a selection differs within
    tolerance; checked: how many elements were compared; unjudged: how many of them differ and have no bound to be
    judged by."""

    max_error: float
    tolerance: float
    ok: bool
    worst_index: tuple[int, ...] | None = None
    note: str = ""
    near_ties: int = 0
    checked: int = 0
    unjudged: int = 0


def compare_values(
    actual: np.ndarray,
    expected: np.ndarray,
    present: BoolArray | None,
    dtype: str,
    *,
    magnitude: FloatArray | None = None,
    inside: BoolArray | None = None,
    exact: bool = False,
) -> Verdict:
    """Compare `actual` (any storage; may have spare capacity behind each extent) with the oracle's `expected`.

    dtype: the language's name of the stored type, or `index`. present: where expected has a value; elsewhere actual
    must hold exactly what expected does, what an absent element is stored as. inside: where elements exist at all;
    others are not looked at.
    magnitude: of expected's shape. exact: no tolerance. Raises ValueError where actual is too small."""
    got = cropped(np.asarray(actual), expected.shape)
    kind = np.float64 if not _is_index(dtype) and dtype_of(dtype).is_float else np.int64
    got, want = got.astype(kind), np.asarray(expected).astype(kind)
    allowed = np.zeros(want.shape) if exact else allowed_error(want, dtype, magnitude)
    if present is not None:
        allowed = np.where(present, allowed, 0.0)
    with np.errstate(all="ignore"):
        error = np.abs(got.astype(np.float64) - want.astype(np.float64))
        same = (got == want) | ((got != got) & (want != want))
        if kind is np.float64:
            same |= _overflows(got, want, allowed, dtype)
        else:
            error = np.maximum(error, 1.0)  # integers past 2^53 may differ by less than float64 shows
    error = np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))
    if inside is not None:
        error = np.where(np.broadcast_to(inside, error.shape), error, 0.0)
    return _verdict(error, allowed, got, want)


def _is_index(dtype: str) -> bool:
    return dtype in ("index", "index64")


def cropped(actual: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The leading part of this shape; ValueError where `actual` is smaller."""
    if actual.ndim != len(shape) or any(n < m for n, m in zip(actual.shape, shape, strict=True)):
        raise ValueError(f"actual has shape {actual.shape}, expected at least {shape}")
    return actual[tuple(slice(extent) for extent in shape)]


def allowed_error(want: np.ndarray, dtype: str, magnitude: FloatArray | None) -> FloatArray:
    """How far a result may lie from each expected value (see the module)."""
    if _is_index(dtype):
        return np.zeros(want.shape)
    entry = dtype_of(dtype)
    rtol, atol = tolerance(entry)
    if not entry.is_float:
        return np.full(want.shape, atol)
    if magnitude is not None:
        return tolerance("f32").rtol * np.where(np.isfinite(magnitude), magnitude, np.inf)
    finite = np.isfinite(want)
    size = np.where(finite, np.abs(want), 0.0)
    return np.maximum(rtol * size + atol * size.max(initial=0.0), ulp(size, entry))


def _overflows(got: np.ndarray, want: np.ndarray, allowed: FloatArray, dtype: str) -> BoolArray:
    """An infinity for a value that is (nearly) beyond the type's range."""
    largest = dtype_of(dtype).max_finite
    return np.isinf(got) & (np.sign(got) == np.sign(want)) & (np.abs(want) + allowed >= largest)


def _verdict(error: FloatArray, allowed: FloatArray, got: np.ndarray, want: np.ndarray) -> Verdict:
    if not error.size:
        return Verdict(0.0, 0.0, True, note="nothing to compare")
    # An unbounded magnitude says nothing of a value: what differs cannot be judged, and that is said.
    size = np.abs(want.astype(np.float64))
    unjudged = np.isinf(allowed) & (error > tolerance("f32").rtol * np.where(np.isfinite(size), size, 0.0))
    error = np.where(unjudged, 0.0, error)
    with np.errstate(all="ignore"):
        ratio = np.where(error > 0, error / np.maximum(allowed, np.finfo(np.float64).tiny), 0.0)
    ratio = np.where(np.isnan(ratio), 0.0, ratio)
    worst = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    bad = int(np.count_nonzero(error > allowed))
    notes = []
    if bad:
        notes.append(
            f"{bad} of {error.size} differ; at {tuple(map(int, worst))} got {got[worst]}, expected {want[worst]}"
        )
    if unjudged.any():
        notes.append(f"{int(np.count_nonzero(unjudged))} elements have no bound to be judged by")
    return Verdict(
        float(error[worst]),
        float(allowed[worst]),
        not bad,
        tuple(int(i) for i in worst),
        "; ".join(notes),
        checked=int(error.size),
        unjudged=int(np.count_nonzero(unjudged)),
    )
