"""Reductions against loops: every kind, absent lanes, NaN, ties, nothing at all, and any size of chunk."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_modules import module

from hetc.backends.reference import run_step

VALUES = st.sampled_from([0.0, 1.0, -2.0, 3.5, 3.5, -7.25, math.inf, -math.inf, math.nan])


def reduction(kind: str, type_: str, yielded: str, result: str) -> str:
    return f"""
    %out = mp.compute [#mp.range<i in M>] {{
    ^bb0(%i: index):
      %s = mp.reduce "{kind}" <j in N> {{
      ^bb1(%j: index):
        %v = mp.read %x[%i, %j] : !mp.tensor<[M, N], {yielded}> -> {yielded}
        %c = mp.read %mask[%i, %j] : !mp.tensor<[M, N], i1> -> i1
        %g = mp.guard %v if %c : {yielded}
        mp.yield %g : {yielded}
      }} : {result}
      mp.yield %s : {result}
    }} : !mp.tensor<[M], {type_}>
    mp.output "out", %out as {type_} : !mp.tensor<[M], {type_}>
    """


def run(kind: str, x: np.ndarray, mask: np.ndarray, chunk: int, yielded: str = "f32", result: str = "") -> np.ndarray:
    result = result or ("index" if kind in ("argmax", "argmin") else yielded)
    built = module(
        "M bound 99; N bound 999",
        {"x": f"input [M, N], {yielded}", "mask": "input [M, N], i1"},
        reduction(kind, result, yielded, result),
    )
    dims = {"M": x.shape[0], "N": x.shape[1]}
    return run_step(built, "s", {"x": x, "mask": mask}, {}, dims, elements_at_once=chunk).outputs["out"]


def loop(kind: str, values: list[tuple[int, float]]) -> float:
    """One row's result: (position, value) of the lanes that are present."""
    numbers = [value for _, value in values]
    if kind in ("sum", "mean"):
        total = math.fsum(numbers) if all(map(math.isfinite, numbers)) else float(np.sum(numbers))
        return total / max(len(numbers), 1) if kind == "mean" else total
    if kind == "prod":
        return math.prod(numbers)
    if kind in ("max", "min"):
        worst = -math.inf if kind == "max" else math.inf
        if any(map(math.isnan, numbers)):
            return math.nan
        return max(numbers, default=worst) if kind == "max" else min(numbers, default=worst)
    best = -1
    for place, (_, value) in enumerate(values):
        if best < 0:
            best = place
        held = numbers[best]
        better = value > held if kind == "argmax" else value < held
        if not math.isnan(held) and (better or math.isnan(value)):
            best = place
    return values[best][0] if best >= 0 else -1


@pytest.mark.parametrize("kind", ["sum", "prod", "max", "min", "mean", "argmax", "argmin"])
@given(st.data(), st.integers(0, 3), st.integers(0, 9), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_floats(kind: str, data: st.DataObject, rows: int, extent: int, chunk: int) -> None:
    size = rows * extent
    x = np.array(data.draw(st.lists(VALUES, min_size=size, max_size=size)), float).reshape(rows, extent)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool).reshape(rows, extent)
    expected = [loop(kind, [(j, x[i, j]) for j in range(extent) if mask[i, j]]) for i in range(rows)]
    np.testing.assert_allclose(run(kind, x, mask, chunk), expected, rtol=1e-12)


@given(st.data(), st.integers(0, 3), st.integers(0, 9), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_conditions(data: st.DataObject, rows: int, extent: int, chunk: int) -> None:
    size = rows * extent
    draw = st.lists(st.booleans(), min_size=size, max_size=size)
    x = np.array(data.draw(draw), bool).reshape(rows, extent)
    mask = np.array(data.draw(draw), bool).reshape(rows, extent)
    assert run("any", x, mask, chunk, "i1").tolist() == (x & mask).any(axis=1).tolist()
    assert run("all", x, mask, chunk, "i1").tolist() == (x | ~mask).all(axis=1).tolist()
    assert run("count", x, mask, chunk, "i1", "i32").tolist() == (x & mask).sum(axis=1).tolist()
    assert run("count", x, mask, chunk, "i1", "index").tolist() == (x & mask).sum(axis=1).tolist()


def test_integers_wrap_and_have_extremes() -> None:
    x = np.array([[2**31 - 1, 5, 7], [3, 4, 5]])
    mask = np.array([[True, True, False], [False, False, False]])
    assert run("sum", x, mask, 1, "i32").tolist() == [-(2**31) + 4, 0]
    assert run("prod", x, mask, 2, "i32").tolist() == [(((2**31 - 1) * 5 + 2**31) % 2**32) - 2**31, 1]
    assert run("max", x, mask, 99, "i32").tolist() == [2**31 - 1, -(2**31)]
    assert run("min", x, mask, 99, "i32").tolist() == [5, 2**31 - 1]
    assert run("max", x, mask, 99, "i64").tolist() == [2**31 - 1, -(2**63)]
    assert run("argmin", x, mask, 1, "i32", "index").tolist() == [1, -1]


def test_an_argmax_of_lowest_values_is_not_an_absent_lane() -> None:
    x = np.array([[-np.inf, -np.inf, -np.inf]])
    assert run("argmax", x, np.array([[False, True, True]]), 99).tolist() == [1]
    assert run("argmax", x, np.array([[False, False, True]]), 1).tolist() == [2]


PRODUCTS = """
    %out = mp.compute [#mp.range<b in B>, #mp.range<i in M>, #mp.range<j in N>] {
    ^bb0(%b: index, %i: index, %j: index):
      %s = mp.reduce "sum" <k in K> {
      ^bb1(%k: index):
        %shift = arith.constant 1 : index
        %k1 = arith.addi %k, %shift : index
        %v = mp.read %x[%b, %i, %k1] : !mp.tensor<[B, M, K], f32> -> f32
        %w = mp.read %y[%b, %k, %j] : !mp.tensor<[B, K, N], f32> -> f32
        %p = arith.mulf %v, %w : f32
        mp.yield %p : f32
      } : f32
      mp.yield %s : f32
    } : !mp.tensor<[B, M, N], f32>
    mp.output "out", %out as f32 : !mp.tensor<[B, M, N], f32>
"""


@given(st.tuples(*[st.integers(0, 4)] * 4), st.booleans(), st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_sums_of_products(extents: tuple[int, ...], infinite: bool, chunk: int) -> None:
    b, m, n, k = extents
    random = np.random.default_rng(sum(extents))
    x, y = random.normal(size=(b, m, k)), random.normal(size=(b, k, n))
    if infinite and x.size:
        x[..., 0] = np.inf  # never read: the first position is one past the shift
        y[..., -1, :] = np.nan  # its partner is absent
    built = module("B bound 9; M bound 9; N bound 9; K bound 9",
                   {"x": "input [B, M, K], f32", "y": "input [B, K, N], f32"}, PRODUCTS)  # fmt: skip
    dims = {"B": b, "M": m, "N": n, "K": k}
    result = run_step(built, "s", {"x": x, "y": y}, {}, dims, magnitudes=True, elements_at_once=chunk)
    expected = np.zeros((b, m, n))
    for at in range(k - 1):
        expected += x[:, :, at + 1, None] * y[:, None, at, :]
    np.testing.assert_allclose(result.outputs["out"], expected, rtol=1e-10, atol=1e-12)
    magnitude = result.output_values["out"].magnitude
    assert magnitude is not None
    bound = np.zeros((b, m, n))
    for at in range(k - 1):
        bound += 2 * np.abs(x[:, :, at + 1, None] * y[:, None, at, :])  # an error of either factor
    np.testing.assert_allclose(magnitude, bound, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("chunk", [1, 3, 12, 100])
def test_the_magnitude_of_a_product(chunk: int) -> None:
    """A difference that cancels counts for its own size, each factor once: not as the product of all their sizes."""
    body = """
    %out = mp.compute [#mp.range<i in M>] {
    ^bb0(%i: index):
      %p = mp.reduce "prod" <j in N> {
      ^bb1(%j: index):
        %l = mp.read %x[%i, %j] : !mp.tensor<[M, N], f32> -> f32
        %r = mp.read %y[%i, %j] : !mp.tensor<[M, N], f32> -> f32
        %d = arith.subf %l, %r : f32
        mp.yield %d : f32
      } : f32
      mp.yield %p : f32
    } : !mp.tensor<[M], f32>
    mp.output "out", %out as f32 : !mp.tensor<[M], f32>
    """
    built = module("M bound 9; N bound 99", {"x": "input [M, N], f32", "y": "input [M, N], f32"}, body)
    x, y = np.random.default_rng(0).normal(size=(2, 4, 11)) + 100
    x[1, 5] = y[1, 5]
    result = run_step(built, "s", {"x": x, "y": y}, {}, {"M": 4, "N": 11}, magnitudes=True, elements_at_once=chunk)
    size, factors = np.abs(x) + np.abs(y), np.abs(x - y)
    others = [[np.prod(np.delete(row, j)) for j in range(11)] for row in factors]
    found = result.output_values["out"].magnitude
    np.testing.assert_allclose(found, (size * others).sum(1), rtol=1e-10)
