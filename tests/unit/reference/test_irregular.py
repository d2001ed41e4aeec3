"""topk, select, softmax, rope and quantize against plain loops and their contracts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_modules import module

from hetc.backends.reference import StepResult, run_step
from hetc.numerics.quantization import quantize

SCORES = st.sampled_from([0.0, 1.0, 1.0, 2.0, -3.0, math.inf, -math.inf, math.nan])


def pick(op: str, results: str, x: np.ndarray, mask: np.ndarray, chunk: int) -> StepResult:
    body = f"""
    %i, %o = {op} [#mp.range<b in B>, #mp.range<t in T>] {{
    ^bb0(%b: index, %t: index):
      %v = mp.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
      %c = mp.read %mask[%b, %t] : !mp.tensor<[B, T], i1> -> i1
      mp.yield %v if %c : f32
    }} : {results}
    mp.output "picked", %i as index : {results.split(">, ")[0]}>
    """
    built = module("B bound 9; T bound 99", {"x": "input [B, T], f32", "mask": "input [B, T], i1"}, body)
    dims = {"B": x.shape[0], "T": x.shape[1]}
    return run_step(built, "s", {"x": x, "mask": mask}, {}, dims, magnitudes=True, elements_at_once=chunk)


@pytest.mark.parametrize("order", ["any", "score", "index"])
@given(st.data(), st.integers(0, 3), st.integers(0, 8), st.integers(1, 10))
@settings(max_examples=50, deadline=None)
def test_topk(order: str, data: st.DataObject, rows: int, extent: int, chunk: int) -> None:
    size = rows * extent
    x = np.array(data.draw(st.lists(SCORES, min_size=size, max_size=size)), float).reshape(rows, extent)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool).reshape(rows, extent)
    text = f'mp.topk 3 : i64 "{order}"'
    result = pick(text, "!mp.tensor<[B, 3], index>, !mp.tensor<[B, 3], f32>", x, mask, chunk)
    picked, scores = (result.values[value] for value in _results(result, "mp.topk"))
    for row in range(rows):
        takeable = [t for t in range(extent) if mask[row, t] and x[row, t] > -math.inf]
        expected = sorted(takeable, key=lambda t: (-x[row, t], t))[:3]
        if order == "index":
            expected.sort()
        unused = 3 - len(expected)
        assert picked.array[row].tolist() == expected + [-1] * unused
        assert scores.array[row].tolist() == [x[row, t] for t in expected] + [-math.inf] * unused


def _results(result: StepResult, name: str):  # type: ignore[no-untyped-def]
    return next(value.owner for value in result.values if getattr(value.owner, "name", "") == name).results


@given(st.data(), st.integers(0, 3), st.integers(0, 8), st.integers(1, 10))
@settings(max_examples=50, deadline=None)
def test_select(data: st.DataObject, rows: int, extent: int, chunk: int) -> None:
    size = rows * extent
    x = np.array(data.draw(st.lists(SCORES, min_size=size, max_size=size)), float).reshape(rows, extent)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool).reshape(rows, extent)
    result = pick("mp.select 2 : i64", "!mp.tensor<[B, 2], index>, !mp.tensor<[B], index>", x, mask, chunk)
    picked, overflow = (result.values[value] for value in _results(result, "mp.select"))
    for row in range(rows):
        takeable = [t for t in range(extent) if mask[row, t] and x[row, t] > -math.inf]
        expected = sorted(sorted(takeable, key=lambda t: (-x[row, t], t))[:2])
        assert picked.array[row].tolist() == expected + [-1] * (2 - len(expected))
        assert overflow.array[row] == max(len(takeable) - 2, 0)


SOFTMAX = """
    %p = mp.softmax [AXIS : i64] [#mp.range<b in B>, #mp.range<t in T>] {
    ^bb0(%b: index, %t: index):
      %v = mp.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
      %c = mp.read %mask[%b, %t] : !mp.tensor<[B, T], i1> -> i1
      %g = mp.guard %v if %c : f32
      mp.yield %g : f32
    } : !mp.tensor<[B, T], f32>
    mp.output "p", %p as f32 : !mp.tensor<[B, T], f32>
"""


@pytest.mark.parametrize("axis", [0, 1])
@given(st.integers(0, 4), st.integers(0, 5), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_softmax_skips_absent_elements(axis: int, rows: int, extent: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x, mask = random.normal(size=(rows, extent)) * 50, random.random((rows, extent)) < 0.6
    built = module("B bound 9; T bound 9", {"x": "input [B, T], f32", "mask": "input [B, T], i1"},
                   SOFTMAX.replace("AXIS", str(axis)))  # fmt: skip
    result = run_step(built, "s", {"x": x, "mask": mask}, {}, {"B": rows, "T": extent}, magnitudes=True)
    assert result.output_values["p"].present.tolist() == mask.tolist()
    for at in range(extent if axis == 0 else rows):
        line, present = (x[:, at], mask[:, at]) if axis == 0 else (x[at], mask[at])
        got = result.outputs["p"][:, at] if axis == 0 else result.outputs["p"][at]
        weights = [math.exp(v - max(line[present])) if m else 0.0 for v, m in zip(line, present, strict=True)]
        np.testing.assert_allclose(got, [w / sum(weights) if sum(weights) else 0.0 for w in weights], rtol=1e-12)


@pytest.mark.parametrize("layout", ["half", "interleaved"])
def test_rope(layout: str) -> None:
    frequencies = [1.0, 0.01]
    body = f"""
    %r = mp.rope %x 1 : i64 4 : i64 "{layout}" [1.0 : f64, 0.01 : f64] [#mp.range<b in B>, #mp.range<d in D>] {{
    ^bb0(%b: index, %d: index):
      %p = mp.read %at[%b] : !mp.tensor<[B], index> -> index
      mp.yield %p : index
    }} : !mp.tensor<[B, D], f32> -> !mp.tensor<[B, D], f32>
    mp.output "r", %r as f32 : !mp.tensor<[B, D], f32>
    """
    built = module("B bound 9; D bound 9", {"x": "input [B, D], f32", "at": "input [B], index"}, body)
    x = np.random.default_rng(3).normal(size=(3, 6))
    at = np.array([0, 7, 1_000_000])
    out = run_step(built, "s", {"x": x, "at": at}, {}, {"B": 3, "D": 6}).outputs["r"]
    expected = x.copy()
    for b in range(3):
        for pair, frequency in enumerate(frequencies):
            i, j = (pair, pair + 2) if layout == "half" else (2 * pair, 2 * pair + 1)
            cosine, sine = math.cos(at[b] * frequency), math.sin(at[b] * frequency)
            expected[b, i] = x[b, i] * cosine - x[b, j] * sine
            expected[b, j] = x[b, j] * cosine + x[b, i] * sine
    np.testing.assert_allclose(out, expected, rtol=1e-12)


@pytest.mark.parametrize(("element", "dtype"), [("f8E4M3FN", "fp8"), ("si8", "i8")])
@pytest.mark.parametrize("kind", ["pow2", "f32"])
@pytest.mark.parametrize("block", [None, 2])
def test_quantize_skips_absent_elements(element: str, dtype: str, kind: str, block: int | None) -> None:
    scale_extents = "B" if block is None else "B, 3"
    how = "" if block is None else f"block {block} : i64"
    body = f"""
    %a = mp.compute [#mp.range<b in B>, #mp.range<d in 5>] {{
    ^bb0(%b: index, %d: index):
      %v = mp.read %x[%b, %d] : !mp.tensor<[B, 5], f32> -> f32
      %two = arith.constant 2 : index
      %c = arith.cmpi ne, %d, %two : index
      %g = mp.guard %v if %c : f32
      mp.yield %g : f32
    }} : !mp.tensor<[B, 5], f32>
    %q, %s = mp.quantize %a 1 : i64 {how} "{kind}" 0.0001 : f64 : !mp.tensor<[B, 5], f32> ->
      !mp.tensor<[B, 5], {element}>, !mp.tensor<[{scale_extents}], f32>
    mp.output "q", %q as {element} : !mp.tensor<[B, 5], {element}>
    mp.output "s", %s as f32 : !mp.tensor<[{scale_extents}], f32>
    """
    built = module("B bound 9", {"x": "input [B, 5], f32"}, body)
    x = np.random.default_rng(5).normal(size=(2, 5))
    x[:, 2] = 1e6  # absent: takes no part in any scale
    result = run_step(built, "s", {"x": x}, {}, {"B": 2}, magnitudes=True)
    x[:, 2] = 0.0
    values, scales = quantize(x, 1, dtype, block, kind, 0.0001)  # type: ignore[arg-type]
    assert result.outputs["q"].tolist() == values.tolist()
    assert result.outputs["s"].tolist() == scales.tolist()
    assert not result.output_values["q"].present[:, 2].any()
