"""Sparse tensors: looked up by binary search, and run over by their stored entries."""

from __future__ import annotations

import numpy as np
from kernel_texts import compute, kernel_module, read, reduce

RNG = np.random.default_rng(11)
TYPE = "[30, N], ui8, #mp.sparse<#builtin.int<100000>>"


def stored_read(value: str, indices: str, present: str = "") -> str:
    row, column = indices.split()
    guard = f" if %{present}" if present else ""
    return f"%{value}, %{value}_stored = mp.read_stored %tf[%{row}, %{column}]{guard} : !mp.tensor<{TYPE}> -> i32, i1\n"


def terms():
    values = RNG.integers(1, 9, (30, 200)).astype(np.uint8)
    stored = RNG.random((30, 200)) < 0.1
    stored[4] = False
    stored[5] = True
    return np.where(stored, values, 0).astype(np.uint8), stored


def test_search_for_every_column(machine):
    """Scores of all columns from a query's rows; an absent row (-1, or past the end) counts for nothing."""
    inner = (
        read("r", "query", "i", "[7], index", "index") + stored_read("v", "r n") + "%f = arith.sitofp %v : i32 to f32\n"
    )
    body = reduce("s", "sum", "i in 7", inner, "f if v_stored")
    text = kernel_module(
        {"query": "[7], index", "tf": TYPE}, compute("y", "n in N", body, "s", "[N], f32"), [("y", "[N], f32")]
    )
    values, stored = terms()
    query = np.array([3, 4, 5, -1, 29, 3, 30], np.int32)
    (got,) = machine(text).run([query, (values, stored)], {"N": 200}, {"N": 200})
    want = values[[3, 4, 5, 29, 3]].astype(np.float32).sum(0)
    np.testing.assert_array_equal(got, want)


def test_reduction_over_a_row_visits_its_stored_entries(machine):
    inner = stored_read("v", "r n") + read("w", "weight", "n", "[N], f32")
    inner += "%f = arith.sitofp %v : i32 to f32\n%m = arith.mulf %f, %w : f32\n"
    body = reduce("s", "sum", "n in N", inner, "m if v_stored")
    text = kernel_module(
        {"weight": "[N], f32", "tf": TYPE}, compute("y", "r in 30", body, "s", "[30], f32"), [("y", "[30], f32")]
    )
    values, stored = terms()
    weight = RNG.standard_normal(200).astype(np.float32)
    lowered = machine(text)
    (got,) = lowered.run([weight, (values, stored)], {"N": 200}, {"N": 200})
    np.testing.assert_allclose(got, values.astype(np.float32) @ weight, rtol=1e-5, atol=1e-4)
    assert "low" not in lowered.lowered.text, "no search where the entries are visited in turn"
