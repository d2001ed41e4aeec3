"""Presence: reads out of range, guards, selection of branches, and what a reduction consumes or passes on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_modules import module

from hetc.backends.reference import OutOfBoundsError, run_step

X = "!mp.tensor<[N], f32>"
OUT = 'mp.output "out", %out as f32 : !mp.tensor<[N], f32>'


def shifted(extra: str, yielded: str = "%v", guard: str = "") -> str:
    """out[i] = f(x[i - 1])"""
    return f"""
    %out = mp.compute [#mp.range<i in N>] {{
    ^bb0(%i: index):
      %one = arith.constant 1 : index
      %j = arith.subi %i, %one : index
      {guard}
      %v = mp.read %x[%j]{" if %p" if guard else ""} : {X} -> f32
      {extra}
      mp.yield {yielded} : f32
    }} : {X}
    {OUT}
    """


def run(body: str, declared: dict[str, str], arrays: dict[str, np.ndarray], dims: dict, names: str, **options):  # type: ignore[no-untyped-def]
    return run_step(module(names, declared, body), "s", arrays, {}, dims, **options)


def test_a_read_out_of_range_is_absent_and_stored_as_zero() -> None:
    x = np.array([5.0, 6.0, 7.0, 99.0])  # one element of spare capacity
    result = run(shifted(""), {"x": "input [N], f32"}, {"x": x}, {"N": 3}, "N bound 8")
    assert result.outputs["out"].tolist() == [0.0, 5.0, 6.0]
    assert result.output_values["out"].present.tolist() == [False, True, True]


def test_an_expression_is_absent_where_a_part_is() -> None:
    extra = "%c = arith.constant 1.0 : f32\n%w = arith.addf %v, %c : f32"
    result = run(shifted(extra, "%w"), {"x": "input [N], f32"}, {"x": np.ones(3)}, {"N": 3}, "N bound 8")
    assert result.outputs["out"].tolist() == [0.0, 2.0, 2.0]


def test_only_the_chosen_branch_must_be_present() -> None:
    extra = """
      %zero = arith.constant 0 : index
      %first = arith.cmpi eq, %i, %zero : index
      %c = arith.constant 9.0 : f32
      %w = arith.select %first, %c, %v : f32"""
    result = run(shifted(extra, "%w"), {"x": "input [N], f32"}, {"x": np.ones(3)}, {"N": 3}, "N bound 8")
    assert result.outputs["out"].tolist() == [9.0, 1.0, 1.0]
    assert result.output_values["out"].present.all()


def test_an_explicit_read_is_a_present_zero_where_its_condition_is_false() -> None:
    guard = "%zero = arith.constant 0 : index\n%p = arith.cmpi sge, %j, %zero : index"
    extra = "%c = arith.constant 3.0 : f32\n%w = arith.addf %v, %c : f32"
    body = shifted(extra, "%w", guard)
    result = run(body, {"x": "input [N], f32"}, {"x": np.ones(3)}, {"N": 3}, "N bound 8", strict=True)
    assert result.outputs["out"].tolist() == [3.0, 4.0, 4.0]
    assert result.output_values["out"].present.all()


def test_strict_refuses_a_read_that_leaves_its_tensor() -> None:
    with pytest.raises(OutOfBoundsError):
        run(shifted(""), {"x": "input [N], f32"}, {"x": np.ones(3)}, {"N": 3}, "N bound 8", strict=True)


GATHER = """
    %out = mp.compute [#mp.range<j in K>] {
    ^bb0(%j: index):
      %s = mp.reduce "sum" <c in C> {
      ^bb1(%c: index):
        %p = mp.read %picked[%j] : !mp.tensor<[K], index> -> index
        %v = mp.read %kv[%p, %c] : !mp.tensor<[T, C], f32> -> f32
        mp.yield %v : f32
      } : f32
      mp.yield %s : f32
    } : !mp.tensor<[K], f32>
    mp.output "out", %out as f32 : !mp.tensor<[K], f32>
"""


def test_a_reduction_passes_on_conditions_that_do_not_mention_its_index() -> None:
    declared = {"picked": "input [K], index", "kv": "input [T, C], f32"}
    kv = np.arange(6.0).reshape(3, 2)
    result = run(GATHER, declared, {"picked": np.array([2, -1, 0, 3]), "kv": kv}, {"K": 4, "T": 3, "C": 2},
                 "K bound 8; T bound 8; C bound 8")  # fmt: skip
    assert result.outputs["out"].tolist() == [9.0, 0.0, 1.0, 0.0]
    assert result.output_values["out"].present.tolist() == [True, False, True, False]


NAMED = """
    %a = mp.compute [#mp.range<j in K>, #mp.range<c in C>] {
    ^bb0(%j: index, %c: index):
      %p = mp.read %picked[%j] : !mp.tensor<[K], index> -> index
      %v = mp.read %kv[%p, %c] : !mp.tensor<[T, C], f32> -> f32
      mp.yield %v : f32
    } : !mp.tensor<[K, C], f32>
    %out = mp.compute [#mp.range<j in K>] {
    ^bb0(%j: index):
      %s = mp.reduce "sum" <c in C> {
      ^bb1(%c: index):
        %v = mp.read %a[%j, %c] : !mp.tensor<[K, C], f32> -> f32
        mp.yield %v : f32
      } : f32
      mp.yield %s : f32
    } : !mp.tensor<[K], f32>
    mp.output "out", %out as f32 : !mp.tensor<[K], f32>
"""


def test_naming_a_subexpression_does_not_change_its_presence() -> None:
    declared = {"picked": "input [K], index", "kv": "input [T, C], f32"}
    kv = np.arange(6.0).reshape(3, 2)
    result = run(NAMED, declared, {"picked": np.array([2, -1]), "kv": kv}, {"K": 2, "T": 3, "C": 2},
                 "K bound 8; T bound 8; C bound 8")  # fmt: skip
    assert result.output_values["out"].present.tolist() == [True, False]


CAUSAL = """
    %out = mp.compute [#mp.range<i in N>] {
    ^bb0(%i: index):
      %s = mp.reduce "max" <j in N> {
      ^bb1(%j: index):
        %v = mp.read %x[%j] : !mp.tensor<[N], f32> -> f32
        %c = arith.cmpi slt, %j, %i : index
        %g = mp.guard %v if %c : f32
        mp.yield %g : f32
      } : f32
      mp.yield %s : f32
    } : !mp.tensor<[N], f32>
    mp.output "out", %out as f32 : !mp.tensor<[N], f32>
"""


@given(st.integers(0, 12), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_a_guard_leaves_lanes_out(count: int, elements_at_once: int) -> None:
    x = np.random.default_rng(count).normal(size=count)
    result = run(CAUSAL, {"x": "input [N], f32"}, {"x": x}, {"N": count}, "N bound 16",
                 elements_at_once=elements_at_once)  # fmt: skip
    assert result.outputs["out"].tolist() == [max(x[:i], default=-np.inf) for i in range(count)]


RAGGED = """
    %out = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
    ^bb0(%b: index, %t: index):
      %n = mp.dim_size "T" per %b : index
      %one = arith.constant 1 : index
      %last = arith.subi %n, %one : index
      %at = arith.subi %last, %t : index
      %v = mp.read %x[%b, %at] : !mp.tensor<[B, T], f32> -> f32
      %s = mp.reduce "sum" <u in T> per %b {
      ^bb1(%u: index):
        %w = mp.read %x[%b, %u] : !mp.tensor<[B, T], f32> -> f32
        mp.yield %w : f32
      } : f32
      %r = arith.addf %v, %s : f32
      mp.yield %r : f32
    } : !mp.tensor<[B, T], f32>
    mp.output "out", %out as f32 : !mp.tensor<[B, T], f32>
"""


@given(st.lists(st.integers(0, 6), max_size=4), st.integers(1, 30))
@settings(max_examples=25, deadline=None)
def test_rows_of_different_length(lengths: list[int], elements_at_once: int) -> None:
    x = np.random.default_rng(1).normal(size=(len(lengths) + 1, 7))
    dims = {"B": len(lengths), "T": np.array(lengths, np.int64)}
    result = run(RAGGED, {"x": "input [B, T], f32"}, {"x": x}, dims, 'B bound 8; T bound 8 per "B"',
                 elements_at_once=elements_at_once)  # fmt: skip
    out = result.outputs["out"]
    assert out.shape == (len(lengths), max(lengths, default=0))
    for b, n in enumerate(lengths):
        np.testing.assert_allclose(out[b, :n], x[b, :n][::-1] + x[b, :n].sum(), rtol=1e-12)
        assert not out[b, n:].any()


def test_a_condition_that_is_absent_makes_the_choice_absent() -> None:
    extra = """
      %c = arith.constant 0.0 : f32
      %positive = arith.cmpf ogt, %v, %c : f32
      %w = arith.select %positive, %c, %c : f32"""
    result = run(shifted(extra, "%w"), {"x": "input [N], f32"}, {"x": np.ones(2)}, {"N": 2}, "N bound 8")
    assert result.output_values["out"].present.tolist() == [False, True]
