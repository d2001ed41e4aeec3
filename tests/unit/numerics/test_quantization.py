"""Scales and quantised values: exact properties, and torch's own arithmetic for the numbers."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from hetc.numerics import DTYPES
from hetc.numerics.quantization import f32_scale, pow2_scale, quantize
from hetc.numerics.rounding import round_to
from hetc.numerics.tolerance import tolerance, within


@pytest.mark.parametrize("max_value", [448.0, 57344.0, 127.0, 7.0, 6.0])
def test_pow2_scale_is_the_least_that_suffices(max_value):
    rng = np.random.default_rng(3)
    exact = max_value * 2.0 ** np.arange(-40, 40)  # where a rounded logarithm would err
    amax = np.concatenate([exact, np.nextafter(exact, 0), np.nextafter(exact, np.inf), np.exp(rng.normal(0, 20, 500))])
    scale = pow2_scale(amax, max_value)
    for a, s in zip(amax, scale, strict=True):
        assert np.frexp(s)[0] == 0.5
        assert Fraction(a) <= Fraction(s) * Fraction(max_value)
        assert Fraction(a) > Fraction(s) * Fraction(max_value) / 2


def test_scales_at_zero_and_at_the_floor():
    assert pow2_scale(0.0, 448.0) == 1.0
    assert f32_scale(0.0, 448.0) == 1.0
    assert pow2_scale(0.0, 448.0, floor=448 * 2.0**-20) == 2.0**-20
    assert np.isnan(pow2_scale(np.nan, 448.0))
    assert f32_scale(1.0, 3.0) == float(np.float32(1.0 / 3.0))


@pytest.mark.parametrize("scale", ["pow2", "f32"])
@pytest.mark.parametrize(("dtype", "torch_dtype"), [("fp8", torch.float8_e4m3fn), ("i8", torch.int8)])
def test_agrees_with_torch(dtype, torch_dtype, scale):
    x = torch.randn(5, 96, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    top = DTYPES[dtype].max_finite
    want_scale = x.abs().amax(-1) / top
    want_scale = torch.exp2(torch.ceil(torch.log2(want_scale))) if scale == "pow2" else want_scale.float().double()
    scaled = x / want_scale[:, None]
    scaled = torch.round(scaled).clamp(-top - 1, top) if dtype == "i8" else scaled.float().clamp(-top, top)
    values, scales = quantize(x.numpy(), -1, dtype, scale=scale)
    np.testing.assert_array_equal(scales, want_scale.numpy())
    np.testing.assert_array_equal(values, scaled.to(torch_dtype).double().numpy())


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("block", [None, 4, 5])
def test_blocks_along_any_axis(axis, block):
    x = np.random.default_rng(1).standard_normal((12, 16, 8))
    values, scales = quantize(x, axis, "i8", block=block, scale="f32")
    assert values.shape == x.shape
    n = x.shape[axis]
    width = block or n
    spread = np.expand_dims(scales, axis) if block is None else scales
    assert spread.shape[axis] == -(-n // width)
    spread = np.take(np.repeat(spread, width, axis=axis), range(n), axis=axis)
    assert np.max(np.abs(values * spread - x) / spread) <= 0.5 + 1e-9
    assert np.max(np.abs(values)) == 127


def test_values_are_values_of_the_type():
    x = np.random.default_rng(4).standard_normal((3, 32)) * 1e4
    for dtype in ("fp8", "fp8e5m2", "i8", "u8", "i4"):
        values, _ = quantize(x, 1, dtype, block=8)
        np.testing.assert_array_equal(round_to(values, dtype), values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "bf16"}, "not bf16"),
        ({"dtype": "i8", "block": 0}, "block"),
        ({"dtype": "i8", "scale": "i8"}, "got `i8`"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        quantize(np.ones(4), 0, **arguments)


def test_an_empty_axis_has_scale_one():
    values, scales = quantize(np.ones((2, 0)), 1, "i8")
    assert values.shape == (2, 0)
    np.testing.assert_array_equal(scales, [1.0, 1.0])


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_rounding_once_is_tolerated_and_two_steps_are_not(dtype):
    want = np.array([1.0, 0.75, -0.5, 0.1]) if DTYPES[dtype].is_float else np.array([1.0, 0.0, 1.0, 1.0])
    assert within(round_to(want, dtype), want, dtype).all()
    rtol, atol = tolerance(dtype)
    assert not within(want + 2.1 * (rtol + atol) + 1e-9, want, dtype).any()


def test_specials_agree_only_with_themselves():
    x = np.array([np.nan, np.inf, -np.inf, 1.0])
    assert within(x, x, "bf16").all()
    np.testing.assert_array_equal(within([1.0, -np.inf, 1.0, np.nan], x, "bf16"), [False] * 4)
    with pytest.raises(ValueError, match="shape"):
        within(np.ones(2), np.ones(3), "f32")
