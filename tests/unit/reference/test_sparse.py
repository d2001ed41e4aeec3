"""Sparse matrices, and the rule that 0 * x and 0 / x are 0 at unstored entries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_modules import module

from hetc.backends.reference import SparseMatrix, run_step


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_round_trips_and_lookups(rows: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    dense = random.integers(0, 3, size=(rows, columns))
    matrix = SparseMatrix.from_dense(dense)
    assert matrix.to_dense().tolist() == dense.tolist()
    row, column = np.divmod(np.arange(rows * columns), max(columns, 1))
    value, stored = matrix.lookup(row, column)
    assert value.tolist() == dense.ravel().tolist()
    assert stored.tolist() == (dense.ravel() != 0).tolist()


def test_physical_buffers_with_slack_and_moved_rows() -> None:
    # Row 1 moved behind the others, row 2 is empty; entries between are slack.
    column = np.array([0, 3, 9, 9, 2, 9, 1, 4], np.int32)
    value = np.array([5, 6, 0, 0, 7, 0, 8, 9], np.uint8)
    start, length = np.array([0, 6, 3, 4], np.int64), np.array([2, 2, 0, 1], np.int32)
    matrix = SparseMatrix.from_buffers(start, length, column, value, columns=5)
    assert matrix.to_dense().tolist() == [[5, 0, 0, 6, 0], [0, 8, 0, 0, 9], [0, 0, 0, 0, 0], [0, 0, 7, 0, 0]]
    with pytest.raises(ValueError, match="outside of the pool"):
        SparseMatrix.from_buffers(start, np.array([2, 3, 0, 1]), column, value, columns=5)
    with pytest.raises(ValueError, match="must ascend"):
        SparseMatrix.from_buffers(np.array([1]), np.array([4]), np.array([0, 3, 2, 2, 1]), value, columns=5)


SCORE = """
    %out = mp.compute [#mp.range<n in N>] {
    ^bb0(%n: index):
      %s = mp.reduce "sum" <v in V> {
      ^bb1(%v: index):
        %f, %stored = mp.read_stored %tf[%v, %n] : !mp.tensor<[V, N], ui8, #mp.sparse<#builtin.int<99>>> -> i32, i1
        %x = arith.sitofp %f : i32 to f32
        %w = mp.read %idf[%v] : !mp.tensor<[V], f32> -> f32
        %l = mp.read %norm[%n] : !mp.tensor<[N], f32> -> f32
        %a = arith.mulf %w, %x : f32
        %b = arith.addf %x, %l : f32
        %q = arith.divf %a, %b : f32
        mp.yield %q : f32
      } : f32
      mp.yield %s : f32
    } : !mp.tensor<[N], f32>
    mp.output "out", %out as f32 : !mp.tensor<[N], f32>
"""


def score(tf: np.ndarray, idf: np.ndarray, norm: np.ndarray, **options: bool) -> np.ndarray:
    memory = "memory [V, N], ui8, #mp.sparse<#builtin.int<99>>"
    declared = {"tf": memory, "idf": "input [V], f32", "norm": "input [N], f32"}
    built = module("V bound 9; N bound 9", declared, SCORE)
    dims = {"V": tf.shape[0], "N": tf.shape[1]}
    matrix = SparseMatrix.from_dense(tf)
    return run_step(built, "s", {"idf": idf, "norm": norm}, {"tf": matrix}, dims, **options).outputs["out"]


def test_unstored_entries_add_nothing_whatever_the_other_factor_is() -> None:
    tf = np.array([[2, 0, 1], [0, 0, 3]])
    idf, norm = np.array([1.0, np.inf]), np.array([2.0, 0.0, np.nan])
    # Column 0: row 1 is unstored beside an infinite weight. Column 1: 0 / 0. Column 2: stored beside a NaN.
    out = score(tf, idf, norm)
    assert out[0] == 0.5 and out[1] == 0.0 and np.isnan(out[2])
    # In the explicit form the module itself must say so.
    assert np.isnan(score(tf, idf, norm, strict=True)[0])


def test_finite_scores_are_the_plain_formula() -> None:
    random = np.random.default_rng(2)
    tf = random.integers(0, 3, size=(5, 7))
    idf, norm = random.random(5) + 0.5, random.random(7) + 0.5
    expected = (idf[:, None] * tf / (tf + norm)).sum(axis=0)
    np.testing.assert_allclose(score(tf, idf, norm), expected, rtol=1e-13)
    np.testing.assert_allclose(score(tf, idf, norm, strict=True), expected, rtol=1e-13)
