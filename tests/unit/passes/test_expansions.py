"""Exact arithmetic of the expansions, against rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects import arith, builtin, math
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from hetc.backends.reference import run_step
from hetc.dialects import mp
from hetc.dialects.mp import ELEMENT_TYPES, ConstantOp
from hetc.numerics.dtypes import dtype_of
from hetc.passes.normalize.expand_rope import TURN_BITS
from hetc.passes.registry import load

LEAST = Fraction(1, 2**126)


def module(text: str) -> ModuleOp:
    context = Context()
    for dialect in (builtin.Builtin, arith.Arith, math.Math, mp.MP):
        context.load_dialect(dialect)
    return Parser(context, text).parse_module()


def quantized(values: np.ndarray, dtype: str, kind: str, floor: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    element = ELEMENT_TYPES[dtype]
    count = len(values)
    made = module(f"""builtin.module {{ mp.pipeline @p {{
      mp.declare @x "input" : <[{count}, 1], f32>
      mp.step @s grows {{}} pins {{}} {{
        %x = mp.get "x" : !mp.tensor<[{count}, 1], f32>
        %q, %scale = mp.quantize %x 1 : i64 "{kind}" {floor:e} : f64
            : !mp.tensor<[{count}, 1], f32> -> !mp.tensor<[{count}, 1], {element}>, !mp.tensor<[{count}], f32>
        mp.output "q", %q as {element} : !mp.tensor<[{count}, 1], {element}>
        mp.output "scale", %scale as f32 : !mp.tensor<[{count}], f32>
      }} }} }}""")
    load("expand-quantize")().apply(Context(), made)
    outputs = run_step(made, "s", {"x": values[:, None]}, {}, {}, strict=True).outputs
    return np.asarray(outputs["q"])[:, 0], np.asarray(outputs["scale"])


def boundaries(largest: float) -> np.ndarray:
    """f32 values around every power of two, and around the type's largest value times a power of two."""
    powers = np.float32(2.0) ** np.arange(-126, 128, dtype=np.float32)
    with np.errstate(over="ignore"):
        near = np.concatenate([powers, powers * np.float32(largest), powers * np.float32(1.7)]).astype(np.float32)
    near = np.concatenate([near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(np.inf))])
    return near[np.isfinite(near)]


@pytest.mark.parametrize("dtype", ["fp8", "fp8e5m2", "i8", "u8", "i4"])
def test_the_power_of_two_is_the_least_that_is_large_enough(dtype: str) -> None:
    largest = Fraction(float(dtype_of(dtype).max_finite))
    values = boundaries(float(largest))
    _, scales = quantized(values, dtype, "pow2")
    for value, scale in zip(values.tolist(), scales.tolist(), strict=True):
        chosen, wanted = Fraction(scale), Fraction(value) / largest
        assert (chosen.numerator & (chosen.numerator - 1)) == 0 and (chosen.denominator & (chosen.denominator - 1)) == 0
        assert chosen >= wanted, value
        assert chosen / 2 < wanted or chosen == LEAST, value


def test_values_are_quotients_rounded_to_nearest_even() -> None:
    values = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    narrow, scales = quantized(values, "i8", "pow2")
    np.testing.assert_array_equal(narrow, np.rint(values.astype(np.float64) / scales))


@pytest.mark.parametrize("kind", ["pow2", "f32"])
def test_zero_infinity_nan_and_the_floor(kind: str) -> None:
    values = np.array([0.0, np.inf, np.nan, 1e-9], np.float32)
    narrow, scales = quantized(values, "fp8", kind)
    assert scales[0] == 1.0 and narrow[0] == 0.0
    assert np.isinf(scales[1]) and np.isnan(narrow[1])
    assert np.isnan(scales[2]) and np.isnan(narrow[2])
    _, floored = quantized(values, "fp8", kind, floor=448.0)
    assert floored[0] == 1.0 and floored[3] == 1.0


def test_scales_of_f32_are_rounded_once() -> None:
    values = np.abs(np.random.default_rng(1).standard_normal(500)).astype(np.float32)
    _, scales = quantized(values, "fp8", "f32")
    np.testing.assert_array_equal(np.float32(scales), values / np.float32(448.0))


def rotated(positions: np.ndarray, frequency: float) -> tuple[np.ndarray, ModuleOp]:
    """cos and sin of position * frequency, as the rotation of (1, 0)."""
    count = len(positions)
    made = module(f"""builtin.module {{ mp.pipeline @p {{
      mp.declare @x "input" : <[{count}, 2], f32>
      mp.declare @at "input" : <[{count}], i32>
      mp.step @s grows {{}} pins {{}} {{
        %x = mp.get "x" : !mp.tensor<[{count}, 2], f32>
        %at = mp.get "at" : !mp.tensor<[{count}], i32>
        %r = mp.rope %x 1 : i64 2 : i64 "half" [{frequency!r} : f64] [#mp.range<n in {count}>, #mp.range<d in 2>] {{
        ^bb0(%n: index, %d: index):
          %a = mp.read %at[%n] : !mp.tensor<[{count}], i32> -> i32
          %i = arith.index_cast %a : i32 to index
          mp.yield %i : index
        }} : !mp.tensor<[{count}, 2], f32> -> !mp.tensor<[{count}, 2], f32>
        mp.output "r", %r as f32 : !mp.tensor<[{count}, 2], f32>
      }} }} }}""")
    load("expand-rope")().apply(Context(), made)
    x = np.tile([1.0, 0.0], (count, 1))
    return run_step(made, "s", {"x": x, "at": positions}, {}, {}, strict=True).outputs["r"], made


@pytest.mark.parametrize("frequency", [1.0, 0.7305, 1e-4, 3.3])
def test_angles_stay_exact_at_far_positions(frequency: float) -> None:
    positions = np.array([0, 1, 2, 1000, 2**20 - 1, 2**20, -5, -(2**20)])
    got, _ = rotated(positions, frequency)
    exact = np.longdouble(positions) * np.longdouble(frequency)
    np.testing.assert_allclose(got[:, 0], np.cos(exact).astype(np.float64), rtol=0, atol=4e-7)
    np.testing.assert_allclose(got[:, 1], np.sin(exact).astype(np.float64), rtol=0, atol=4e-7)


def test_the_table_holds_turns_to_the_nearest_unit() -> None:
    _, made = rotated(np.array([1]), 1.0)
    (table,) = [op for op in made.walk() if isinstance(op, ConstantOp)]
    # 1 / (2 pi) to 30 digits, from the reciprocal of a published pi.
    turns = Fraction("0.159154943091895335768883763372514")
    assert list(table.value.get_values()) == [round(turns * 2**TURN_BITS)]
