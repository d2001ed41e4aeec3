"""Quantised formats byte for byte: MXFP4 and MXFP8 as OCP's specification says, NVFP4, and other blocks and scales.

The twin is written from the specification (Microscaling Formats 1.0, section 6.3) on ml_dtypes' number types; it shares
nothing with the compiler.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from hetc.numerics import dtype_of
from hetc.numerics.packing import pack
from hetc.numerics.rounding import to_bits
from tests.executors import ProgramSession
from tests.language.running import WAYS, session_of

D = 64
DTYPES = {"k4": "fp4", "s4": "e8m0", "k8": "fp8", "s8": "e8m0", "kn": "fp4", "sn": "fp8", "ki": "i4", "si": "bf16"}
PROGRAM = """
pipeline formats grows T by 1:
    dim B <= 4
    dim T <= 8 per B
    dim D = 64
    input x: f32[B, D]
    memory k4: fp4[B, T, D] @paged(4)
    memory s4: e8m0[B, T, D // 32] @planes(k4)
    memory k8: fp8[B, T, D]
    memory s8: e8m0[B, T, D // 32]
    memory kn: fp4[B, T, D]
    memory sn: fp8[B, T, D // 16] @record(kn)
    memory ki: i4[B, T, D]
    memory si: bf16[B, T, D // 8]
    prepare:
        a[b, d], as[b, n] = quantize[d](x[b, d], mxfp4)
        c[b, d], cs[b, n] = quantize[d](x[b, d], mxfp8)
        e[b, d], es[b, n] = quantize[d](x[b, d], nvfp4)
        g[b, d], gs[b, n] = quantize[d](x[b, d], i4, block=8, scale=bf16)
        append(k4, a); append(s4, as); append(k8, c); append(s8, cs)
        append(kn, e); append(sn, es); append(ki, g); append(si, gs)
    apply:
        y[b, d] = sum[t](k4[b, t, d] * s4[b, t, d // 32])
    output y
"""


def blocks_of(x: np.ndarray, size: int) -> np.ndarray:
    return x.reshape(*x.shape[:-1], -1, size)


def shared_exponents(x: np.ndarray, size: int, emax: int) -> np.ndarray:
    """floor(log2(the largest magnitude)) - emax for each block, no lower than -127."""
    amax = np.abs(blocks_of(x, size)).max(-1).astype(np.float64)
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log2(amax)) - emax
    return np.maximum(exponent, -127).astype(np.int64)


def by_exponents(x: np.ndarray, size: int, exponents: np.ndarray, dtype: Any, largest: float) -> np.ndarray:
    scaled = np.ldexp(blocks_of(x, size).astype(np.float64), -exponents[..., None])
    rounded = np.clip(scaled, -largest, largest).astype(np.float32).astype(dtype)
    return rounded.reshape(x.shape)


def by_quotients(x: np.ndarray, size: int, scales: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return (blocks_of(x, size) / scales[..., None].astype(np.float32)).reshape(x.shape)


def nibbles(codes: np.ndarray) -> np.ndarray:
    """Two codes a byte, the first in the low bits."""
    return ((codes[..., ::2] & 15) | (codes[..., 1::2] & 15) << 4).astype(np.uint8)


def expected_bytes(x: np.ndarray) -> dict[str, np.ndarray]:
    """What one row of each memory holds."""
    found: dict[str, np.ndarray] = {}
    exponents = shared_exponents(x, 32, emax=2)
    found["k4"] = nibbles(by_exponents(x, 32, exponents, ml_dtypes.float4_e2m1fn, 6).view(np.uint8))
    found["s4"] = (exponents + 127).astype(np.uint8)
    exponents = shared_exponents(x, 32, emax=8)
    found["k8"] = by_exponents(x, 32, exponents, ml_dtypes.float8_e4m3fn, 448).view(np.uint8)
    found["s8"] = (exponents + 127).astype(np.uint8)
    amax = np.abs(blocks_of(x, 16)).max(-1)
    scales = np.minimum(amax / np.float32(6), 448).astype(ml_dtypes.float8_e4m3fn)
    scales[scales.astype(np.float32) == 0] = 2.0**-9
    found["kn"] = nibbles(np.clip(by_quotients(x, 16, scales), -6, 6).astype(ml_dtypes.float4_e2m1fn).view(np.uint8))
    found["sn"] = scales.view(np.uint8)
    amax = np.abs(blocks_of(x, 8)).max(-1)
    scales = (amax / np.float32(7)).astype(ml_dtypes.bfloat16)
    scales[scales == 0] = np.array(1, np.uint16).view(ml_dtypes.bfloat16)  # the least positive
    found["ki"] = nibbles(np.clip(np.rint(by_quotients(x, 8, scales)), -8, 7).astype(np.int8).view(np.uint8))
    found["si"] = scales.view(np.uint16)
    return found


def rows() -> np.ndarray:
    """f32[steps, 2, D]: ordinary rows, ties of fp4, powers of two, tiny and large ones, zeros."""
    rng = np.random.default_rng(0)
    ordinary = rng.standard_normal((2, 2, D)) * np.exp(rng.normal(0, 4, (2, 2, D)))
    ties = np.tile([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 6], 8) * rng.choice([-1, 1], D)
    powers = np.repeat(2.0 ** rng.integers(-20, 20, 8), 8) * rng.choice([-1, 1, 0.5], D)
    extremes = np.concatenate([np.full(32, 2.0**-120), rng.standard_normal(32) * 1e30])
    mixed = np.concatenate([np.zeros(32), rng.integers(-3, 4, 32)])
    return np.concatenate([ordinary, [[ties, powers], [extremes, mixed]]]).astype(np.float32)


@pytest.mark.parametrize("way", WAYS)
def test_codes_and_scales_are_those_of_the_formats(way: str, tmp_path: Path) -> None:
    session = session_of(PROGRAM, way, {"B": 2, "T": 8}, {"T": [0, 0]}, tmp_path)
    total = np.zeros((2, D))
    for step, x in enumerate(rows()):
        y = session.call(x=x)["y"]
        for name, bytes_ in expected_bytes(x).items():
            if isinstance(session, ProgramSession):
                held = session.state.read(name, as_stored=True)[:, step]
            else:
                dtype = DTYPES[name]
                values = session.memory(name)[:, step]
                held = (pack if dtype_of(dtype).is_coded else to_bits)(values, dtype)
            np.testing.assert_array_equal(held.view(bytes_.dtype), bytes_, err_msg=f"{name}, step {step}")
        exponents = shared_exponents(x, 32, emax=2)
        codes = by_exponents(x, 32, exponents, ml_dtypes.float4_e2m1fn, 6).astype(np.float64)
        total += np.ldexp(blocks_of(codes, 32), exponents[..., None]).reshape(x.shape)
        np.testing.assert_allclose(y, total, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_finite_makes_the_scale_nan(way: str, tmp_path: Path) -> None:
    text = """
pipeline p:
    input x: f32[3, 8]
    apply:
        q[b, d], s[b, g] = quantize[d](x[b, d], fp4, block=4, scale=e8m0)
    output q, s
"""
    session = session_of(text, way, {}, {}, tmp_path)
    x = np.ones((3, 8), np.float32)
    x[0, 1], x[1, 6], x[2, 0] = np.nan, np.inf, 3e38
    outputs = session.call(x=x)
    largest = 2.0**125
    np.testing.assert_array_equal(outputs["s"], [[np.nan, 0.25], [0.25, np.nan], [largest, 0.25]])
    assert outputs["q"][0, :4].tolist() == [0, 0, 0, 0] and outputs["q"][0, 4:].tolist() == [4, 4, 4, 4]
    assert outputs["q"][2, :4].tolist() == [6, 0, 0, 0]
