"""Verdicts: what is accepted, what is not, and that neither depends on luck."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_modules import module

from hetc.backends.reference import run_step
from hetc.backends.reference.compare import compare_values
from hetc.backends.reference.compare_selection import compare_selected_scores, compare_selection, compare_tensor
from hetc.backends.reference.selection import Selection, best
from hetc.compiler.frontend import compile_source
from hetc.numerics.rounding import round_to, ulp
from hetc.source import SourceFile


def test_a_sum_that_cancels_is_judged_by_its_terms() -> None:
    exact, got = np.array([1e-6]), np.array([3e-6])
    assert not compare_values(got, exact, None, "f32", magnitude=np.array([1e-6])).ok
    verdict = compare_values(got, exact, None, "f32", magnitude=np.array([1.0]))
    assert verdict.ok and verdict.tolerance == pytest.approx(2e-5)
    wrong = compare_values(np.array([1e-3]), exact, None, "f32", magnitude=np.array([1.0]))
    assert not wrong.ok and wrong.worst_index == (0,) and "1 of 1 differ" in wrong.note


@given(st.integers(0, 1000), st.sampled_from(["bf16", "f16", "fp8", "i8"]))
@settings(max_examples=40, deadline=None)
def test_one_step_of_a_narrow_type_passes_and_three_do_not(seed: int, dtype: str) -> None:
    random = np.random.default_rng(seed)
    value = round_to(random.normal(size=20) * 50, dtype)
    step = ulp(value, dtype)
    assert compare_values(value + step, value, None, dtype).ok
    assert compare_values(value, value, None, dtype, exact=True).ok
    assert not compare_values(value + step, value, None, dtype, exact=True).ok
    off = value.copy()
    off[7] += 8 * step[7] + (np.abs(value).max() if dtype != "i8" else 0)
    assert compare_values(off, value, None, dtype).worst_index == (7,)
    assert not compare_values(off, value, None, dtype).ok


def test_absent_elements_are_exactly_what_they_are_stored_as() -> None:
    present = np.array([True, False])
    assert compare_values(np.array([1.0, 0.0]), np.array([1.0, 0.0]), present, "f32").ok
    assert not compare_values(np.array([1.0, 1e-9]), np.array([1.0, 0.0]), present, "f32").ok
    assert compare_values(np.array([3.0, -np.inf]), np.array([3.0, -np.inf]), present, "f32").ok
    assert not compare_values(np.array([3, 0]), np.array([3, -1]), present, "index").ok


def test_special_values() -> None:
    same = np.array([np.nan, np.inf, -np.inf])
    assert compare_values(same, same, None, "f32").ok
    for bad in ([0.0, np.inf, -np.inf], [np.nan, np.nan, -np.inf], [np.nan, np.inf, np.inf]):
        assert not compare_values(np.array(bad), same, None, "f32").ok
    assert not compare_values(np.array([np.nan]), np.array([1.0]), None, "f32").ok
    assert compare_values(np.array([np.inf]), np.array([70000.0]), None, "f16").ok
    assert not compare_values(np.array([np.inf]), np.array([60000.0]), None, "f16", magnitude=np.array([1.0])).ok


def test_spare_capacity_is_not_looked_at_and_too_small_is_an_error() -> None:
    padded = np.full((4, 5), np.nan)
    padded[:2, :3] = 1.0
    assert compare_values(padded, np.ones((2, 3)), None, "f32").ok
    inside = np.array([[True, True, False], [True, False, False]])
    padded[0, 2] = padded[1, 1] = 99.0
    assert not compare_values(padded, np.ones((2, 3)), None, "f32").ok
    assert compare_values(np.where(inside, 1.0, padded[:2, :3]), np.ones((2, 3)), None, "f32", inside=inside).ok
    with pytest.raises(ValueError, match="at least"):
        compare_values(np.ones((1, 3)), np.ones((2, 3)), None, "f32")


def selection(scores: list[float], count: int, order: str = "any", size: float = 1.0, **rest: object) -> Selection:
    array = np.array([scores])
    return Selection(array, np.ones(array.shape, bool), count, order, np.full(array.shape, size), **rest)  # type: ignore[arg-type]


def test_entries_within_tolerance_of_the_last_one_are_counted() -> None:
    near = selection([5.0, 1.0, 1.0 + 1e-6, 0.5], 2)
    assert compare_selection(np.array([[2, 0]]), near).near_ties == 0
    swapped = compare_selection(np.array([[0, 1]]), near)
    assert swapped.ok and swapped.near_ties == 1 and "1 entries differ" in swapped.note
    assert not compare_selection(np.array([[0, 3]]), near).ok
    assert not compare_selection(np.array([[1, 2]]), near).ok  # misses the best by far
    assert not compare_selection(np.array([[0, 1]]), near, exact=True).ok


@pytest.mark.parametrize(
    ("picked", "words"),
    [([0, 0], "repeats"), ([0, 4], "past the extent"), ([0, -1], "entries"), ([-1, 0], "tail"), ([0, -2], "below -1")],
)
def test_malformed_selections(picked: list[int], words: str) -> None:
    verdict = compare_selection(np.array([picked]), selection([5.0, 1.0, 2.0, 0.5], 2))
    assert not verdict.ok and words in verdict.note


def test_nothing_absent_nan_or_minus_infinity_is_taken() -> None:
    scores = selection([1.0, np.nan, -np.inf, 2.0], 3)
    assert compare_selection(np.array([[3, 0, -1]]), scores).ok
    for third in (1, 2):
        assert not compare_selection(np.array([[3, 0, third]]), scores).ok


def test_orders() -> None:
    scores = [3.0, 9.0, 6.0]
    assert compare_selection(np.array([[0, 1]]), selection([3.0, 9.0, 1.0], 2)).ok
    assert compare_selection(np.array([[1, 2]]), selection(scores, 2, "score")).ok
    assert not compare_selection(np.array([[2, 1]]), selection(scores, 2, "score")).ok
    assert compare_selection(np.array([[1, 2]]), selection(scores, 2, "index")).ok
    assert not compare_selection(np.array([[2, 1]]), selection(scores, 2, "index")).ok


def test_exact_ties_go_to_the_lower_index() -> None:
    tied = selection([1.0, 2.0, 2.0, 2.0], 2)
    assert compare_selection(np.array([[2, 1]]), tied, exact=True).ok
    assert not compare_selection(np.array([[1, 3]]), tied, exact=True).ok
    assert compare_selection(np.array([[1, 3]]), tied).ok  # within tolerance, unless exactness is asked for
    assert not compare_selection(np.array([[2, 1]]), selection([1.0, 2.0, 2.0, 2.0], 2, "score"), exact=True).ok


def test_a_threshold_in_doubt_may_go_either_way() -> None:
    array, doubtful = np.array([[1.0, 2.0, 3.0]]), np.array([[True, False, False]])
    candidates = np.array([[False, True, True]])
    one = Selection(array, candidates, 3, "index", np.ones((1, 3)), doubtful, is_threshold=True)
    assert compare_selection(np.array([[1, 2, -1]]), one).ok
    either = compare_selection(np.array([[0, 1, 2]]), one)
    assert either.ok and either.near_ties == 1
    assert not compare_selection(np.array([[1, -1, -1]]), one).ok


@given(st.integers(0, 10_000), st.sampled_from(["any", "score", "index"]))
@settings(max_examples=60, deadline=None)
def test_an_f32_evaluation_is_always_accepted_and_a_random_one_is_not(seed: int, order: str) -> None:
    random = np.random.default_rng(seed)
    scores = random.normal(size=(2, 30))
    scores[:, 5] = scores[:, 6]
    chosen = Selection(scores, random.random((2, 30)) < 0.8, 4, order, np.abs(scores))
    picked = best(scores.astype(np.float32), chosen.candidates, 4, order)
    assert compare_selection(picked, chosen).ok
    wrong = picked.copy()
    wrong[0, 0] = int(np.argmin(np.where(chosen.candidates[0], scores[0], np.inf)))
    assert not compare_selection(wrong, chosen).ok
    got = np.where(picked >= 0, np.take_along_axis(scores, np.maximum(picked, 0), 1), -np.inf)
    assert compare_selected_scores(got.astype(np.float32), picked, chosen).ok
    assert not compare_selected_scores(got + 1.0, picked, chosen).ok


CHAIN = """
    %out = mp.compute [#mp.range<i in M>] {
    ^bb0(%i: index):
      %s = mp.reduce "sum" <j in N> {
      ^bb1(%j: index):
        %a = mp.read %x[%i, %j] : !mp.tensor<[M, N], f32> -> f32
        %b = mp.read %y[%j] : !mp.tensor<[N], f32> -> f32
        %p = arith.mulf %a, %b : f32
        %e = math.exp %p : f32
        %q = arith.subf %e, %b : f32
        %t = math.tanh %q : f32
        %d = arith.divf %t, %e : f32
        mp.yield %d : f32
      } : f32
      %r = math.sqrt %s : f32
      %z = arith.select %always, %s, %r : f32
      mp.yield %s : f32
    } : !mp.tensor<[M], ELEMENT>
    mp.output "out", %out as ELEMENT : !mp.tensor<[M], ELEMENT>
"""


@pytest.mark.parametrize(("element", "dtype"), [("f32", "f32"), ("bf16", "bf16")])
@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_an_f32_evaluation_lies_within_the_magnitude(element: str, dtype: str, seed: int) -> None:
    body = "\n".join(line for line in CHAIN.splitlines() if "%always" not in line).replace("ELEMENT", element)
    built = module("M bound 9; N bound 999", {"x": "input [M, N], f32", "y": "input [N], f32"}, body)
    random = np.random.default_rng(seed)
    x, y = (random.normal(size=shape).astype(np.float32) for shape in ((3, 200), (200,)))
    result = run_step(built, "s", {"x": x, "y": y}, {}, {"M": 3, "N": 200}, magnitudes=True)
    exponential = np.exp(x * y)
    terms = np.tanh(exponential - y) / exponential
    single = np.add.accumulate(terms, axis=1, dtype=np.float32)[:, -1]
    verdict = compare_tensor(round_to(single, dtype), result.output_values["out"])
    assert verdict.ok, verdict.note
    assert not compare_tensor(round_to(single * 1.05 + 0.5, dtype), result.output_values["out"]).ok


@pytest.mark.parametrize("flushed", [False, True])
def test_what_underflows_in_f32_may_be_zero(flushed: bool) -> None:
    body = """
    %out = mp.compute [#mp.range<i in N>] {
    ^bb0(%i: index):
      %a = mp.read %x[%i] : !mp.tensor<[N], f32> -> f32
      %small = arith.mulf %a, %a : f32
      %large = arith.divf %small, %a : f32
      mp.yield %large : f32
    } : !mp.tensor<[N], f32>
    mp.output "out", %out as f32 : !mp.tensor<[N], f32>
"""
    x = np.array([1e-21, 1e-18], np.float32)
    result = run_step(module("N bound 9", {"x": "input [N], f32"}, body), "s", {"x": x}, {}, {"N": 2}, magnitudes=True)
    small = x * x
    if flushed:
        small[0] = 0.0  # its exact square, 1e-42, is below the smallest normal number
    assert compare_tensor(small / x, result.output_values["out"]).ok
    assert not compare_tensor(np.array([small[0] / x[0], 0.0]), result.output_values["out"]).ok


def test_what_f32_cannot_hold_on_the_way_is_not_judged() -> None:
    """exp(100) is infinite in f32, and what is made of it no number. Where nothing overflows all is judged."""
    text = """
pipeline p:
    dim N = 3
    input x: f32[N]
    apply:
        y[n] = exp(x[n]) / (1 + exp(x[n]))
    output y
"""
    pipeline = compile_source(SourceFile("p.mp", text))
    result = run_step(pipeline, "p", {"x": np.array([1.0, 100.0, 2.0])}, {}, {}, magnitudes=True)
    expected = result.output_values["y"]
    with np.errstate(over="ignore", invalid="ignore"):
        power = np.exp(np.array([1, 100, 2], np.float32))
        device = power / (1 + power)
    verdict = compare_tensor(device, expected)
    assert verdict.ok and verdict.unjudged == 1 and verdict.max_error < 1e-5
    device[2] = 0.9
    assert not compare_tensor(device, expected).ok


def test_integers_that_float64_does_not_tell_apart() -> None:
    want = np.array([2**53, 2**62, -(2**63)])
    assert compare_values(want, want, None, "i64").ok
    for place, other in ((0, 2**53 + 1), (1, 2**62 + 1), (2, -(2**63) + 1)):
        got = want.copy()
        got[place] = other
        verdict = compare_values(got, want, None, "i64")
        assert not verdict.ok
        assert verdict.worst_index == (place,)
