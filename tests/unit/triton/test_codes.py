"""Emitted kernels read every code of the narrow floats, and write floats at and around every tie, as ml_dtypes does."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from kernel_texts import compute, kernel_module, read

# Element type -> numpy's, and the largest value where writing saturates.
FORMATS = {
    "bf16": (ml_dtypes.bfloat16, None),
    "f16": (np.float16, None),
    "f8E4M3FN": (ml_dtypes.float8_e4m3fn, 448.0),
    "f8E5M2": (ml_dtypes.float8_e5m2, 57344.0),
}


def codes(element: str) -> np.ndarray:
    dtype = np.dtype(FORMATS[element][0])
    return np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}").view(dtype)


def difficult(element: str) -> np.ndarray:
    """Each value of the format, the ties between neighbours, what lies around both, and the ends of f32."""
    values = codes(element)
    with np.errstate(invalid="ignore"):  # signalling NaN patterns
        finite = np.unique(values[np.isfinite(values)].astype(np.float64))
    ties = np.concatenate([(finite[1:] + finite[:-1]) / 2, finite[[0, -1]] + (finite[[0, -1]] - finite[[1, -2]]) / 2])
    around = np.concatenate([finite, ties]).astype(np.float32)
    ends = np.float32([0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan])
    return np.concatenate([around, np.nextafter(around, -ends[6]), np.nextafter(around, ends[6]), ends])


@pytest.mark.parametrize(("element", "native"), [("f8E4M3FN", True), *((element, False) for element in FORMATS)])
def test_every_code_is_read_and_every_tie_is_written(machine, element: str, native: bool) -> None:
    dtype, largest = FORMATS[element]
    stored, x = codes(element), difficult(element)
    reading, writing = f"[{len(stored)}], {element}", f"[{len(x)}], {element}"
    text = kernel_module(
        {"c": reading, "x": f"[{len(x)}], f32"},
        compute("y", f"n in {len(stored)}", read("v", "c", "n", reading), "v", f"[{len(stored)}], f32")
        + compute("z", f"n in {len(x)}", read("w", "x", "n", f"[{len(x)}], f32"), "w", writing),
        [("y", f"[{len(stored)}], f32"), ("z", writing)],
    )
    got, written = machine(text).run([stored, x], {}, {}, native_fp8=native)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got, stored.astype(np.float32))
        expected = (np.clip(x, -largest, largest) if largest else x).astype(dtype)
    number = ~np.isnan(x)
    bits = f"u{expected.itemsize}"
    np.testing.assert_array_equal(written.view(bits)[number], expected.view(bits)[number])
    assert np.isnan(written[~number].astype(np.float32)).all()
