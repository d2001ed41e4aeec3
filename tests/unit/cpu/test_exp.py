"""The exponential function that kernels call: of one number and of lanes the same bits, close to the right one."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from hetc.backends.cpu.project import HEADERS
from hetc.runtime.cpu_build import build

INCLUDE = Path(__file__).parents[3] / "hetc" / "runtime" / "include"
TEXT = """
#include "hetc_lanes_math.h"
extern "C" void each(const float* from, float* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = hetc::exp(from[i]);
}
extern "C" void lanes(const float* from, float* to, int64_t count) {
  for (int64_t i = 0; i < count; i += 16) hetc::store(to + i, hetc::exp(hetc::load<16>(from + i)));
}
"""
EDGES = [
    0.0,
    -0.0,
    np.inf,
    -np.inf,
    np.nan,
    88.72283,
    88.73,
    89.5,
    -87.33655,
    -103.27893,
    -103.98,
    -104.5,
    3e38,
    -3e38,
    1e-40,
]


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    return build({"exp.cpp": TEXT} | {name: (INCLUDE / name).read_text() for name in HEADERS})


def _computed(function: object, values: np.ndarray) -> np.ndarray:
    found = np.zeros_like(values)
    function(  # type: ignore[operator]
        ctypes.c_void_p(values.ctypes.data), ctypes.c_void_p(found.ctypes.data), ctypes.c_int64(len(values))
    )
    return found


def test_it_is_off_by_less_than_the_last_place(library: ctypes.CDLL) -> None:
    random = np.random.default_rng()
    drawn = np.concatenate([random.uniform(-110, 95, 40_000), random.normal(0, 1e-3, 9_984), EDGES, [0.0]])
    values = drawn.astype(np.float32)
    one, several = _computed(library.each, values), _computed(library.lanes, values)
    assert np.array_equal(one, several, equal_nan=True)
    with np.errstate(over="ignore"):
        right = np.exp(values.astype(np.float64))
        nearest = right.astype(np.float32)
    finite = np.isfinite(nearest)
    assert np.array_equal(one[~finite], nearest[~finite], equal_nan=True)
    assert (np.abs(one[finite] - right[finite]) <= np.spacing(np.abs(nearest[finite]))).all()
