"""Memories: appended rows and columns, updates, commits, spare capacity."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from reference_modules import module

from hetc.backends.reference import OracleError, SparseMatrix, StepResult, run_step
from hetc.numerics.rounding import round_to


def append(memory: str, rows: str, dims: str, inputs: dict, memories: dict, live: dict) -> StepResult:
    body = f"""
    %n = mp.append %m, %rows along "T" : !mp.tensor<{memory}>, !mp.tensor<{rows}> -> !mp.tensor<{memory}>
    mp.commit "m", %n : !mp.tensor<{memory}>
    """
    built = module(dims, {"m": f"memory {memory}", "rows": f"input {rows}"}, body)
    return run_step(built, "s", inputs, memories, live, magnitudes=True)


def test_one_row() -> None:
    memory, row = np.full((8, 2), 7.0), np.array([1.1, 1e9])
    result = append("[T, 2], f8E4M3FN", "[2], f32", "T bound 8", {"rows": row}, {"m": memory}, {"T": 4})
    expected = memory.copy()
    expected[3] = round_to(row, "fp8")
    assert result.memories["m"].tolist() == expected.tolist()
    assert memory[3].tolist() == [7.0, 7.0]  # the caller's array is as it was


def test_several_rows_of_sequences_of_different_length() -> None:
    memory, rows = np.zeros((4, 6, 2)), np.arange(24.0).reshape(4, 3, 2)
    lengths = np.array([3, 6, 5])
    dims = 'B bound 4; T bound 6 per "B"; C bound 4'
    result = append("[B, T, 2], f32", "[B, C, 2], f32", dims, {"rows": rows}, {"m": memory},
                    {"B": 3, "T": lengths, "C": 2})  # fmt: skip
    expected = memory.copy()
    for b, n in enumerate(lengths):
        expected[b, n - 2 : n] = rows[b, :2]
    assert result.memories["m"].tolist() == expected.tolist()


def test_a_narrow_memory_keeps_its_storage() -> None:
    memory = np.zeros((4,), ml_dtypes.bfloat16)
    result = append("[T], bf16", "[], f32", "T bound 4", {"rows": np.array(1.01)}, {"m": memory}, {"T": 1})
    assert result.memories["m"].dtype == ml_dtypes.bfloat16
    assert float(result.memories["m"][0]) == float(round_to(1.01, "bf16"))


@pytest.mark.parametrize("shape", ["[3]", "[2, 3]"])
def test_a_sparse_memory_counts_the_terms_of_each_column(shape: str) -> None:
    matrix = SparseMatrix.from_dense(np.pad(np.array([[1, 0, 2], [0, 3, 0], [0, 0, 0], [1, 0, 0]]), ((0, 0), (0, 3))))
    terms = np.array([3, 3, -1]) if shape == "[3]" else np.array([[3, 3, -1], [0, 4, 2]])
    growth = 1 if shape == "[3]" else 2
    type_ = "[V, T], ui8, #mp.sparse<#builtin.int<99>>"
    live = {"V": 4, "T": 3 + growth}
    result = append(type_, f"{shape}, index", "V bound 4; T bound 6", {"rows": terms}, {"m": matrix}, live)
    expected = matrix.to_dense()
    expected[3, 3] = 2
    if growth == 2:
        expected[0, 4] = expected[2, 4] = 1  # 4 is no row
    committed = result.memories["m"]
    assert isinstance(committed, SparseMatrix)
    assert committed.to_dense().tolist() == expected.tolist()


def test_counts_saturate() -> None:
    matrix = SparseMatrix.from_dense(np.zeros((1, 1), int))
    result = append("[1, T], ui8, #mp.sparse<#builtin.int<9>>", "[300], i32", "T bound 1", {"rows": np.zeros(300, int)},
                    {"m": matrix}, {"T": 1})  # fmt: skip
    committed = result.memories["m"]
    assert isinstance(committed, SparseMatrix) and committed.value.tolist() == [255]


UPDATE = """
    %n = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
    ^bb0(%b: index, %t: index):
      %v = mp.read %m[%b, %t] : !mp.tensor<[B, T], bf16> -> f32
      %one = arith.constant 1.0 : f32
      %w = arith.addf %v, %one : f32
      mp.yield %w : f32
    } : !mp.tensor<[B, T], bf16>
    mp.commit "m", %n : !mp.tensor<[B, T], bf16>
"""


def test_an_update_touches_the_live_elements_only() -> None:
    built = module('B bound 3; T bound 4 per "B"', {"m": "memory [B, T], bf16"}, UPDATE)
    memory = np.full((3, 4), 5.0)
    result = run_step(built, "s", {}, {"m": memory}, {"B": 2, "T": np.array([1, 3])})
    assert result.memories["m"].tolist() == [[6, 5, 5, 5], [6, 6, 6, 5], [5, 5, 5, 5]]


def test_a_later_read_sees_the_appended_row() -> None:
    body = """
    %n = mp.append %m, %rows along "T" : !mp.tensor<[T], f32>, !mp.tensor<[], f32> -> !mp.tensor<[T], f32>
    %o = mp.compute [] {
      %s = mp.reduce "sum" <t in T> {
      ^bb0(%t: index):
        %v = mp.read %n[%t] : !mp.tensor<[T], f32> -> f32
        mp.yield %v : f32
      } : f32
      mp.yield %s : f32
    } : !mp.tensor<[], f32>
    mp.output "o", %o as f32 : !mp.tensor<[], f32>
    """
    built = module("T bound 9", {"m": "memory [T], f32", "rows": "input [], f32"}, body)
    result = run_step(built, "s", {"rows": np.array(10.0)}, {"m": np.array([1.0, 2.0, 50.0, 60.0])}, {"T": 3})
    assert result.outputs["o"] == 13.0


def test_arrays_of_the_wrong_kind_are_named() -> None:
    built = module("T bound 9", {"m": "memory [T], f32"}, "")
    for given, dims, words in [
        ({}, {"T": 1}, "no array given for m"),
        ({"m": np.zeros(1)}, {"T": 2}, "has the live extent 2, but the array has 1"),
        ({"m": np.zeros((1, 1))}, {"T": 1}, "expected 1 dims"),
        ({"m": np.zeros(4, int)}, {"T": 1}, "elements are f32"),
        ({"m": np.zeros(4)}, {}, "no live extent given for the dim T"),
        ({"m": np.zeros(4)}, {"T": 10}, "extents from 0 to 9"),
    ]:
        with pytest.raises(OracleError, match=words):
            run_step(built, "s", {}, given, dims)
