"""Values and lengths that naive rewrites get wrong, through the whole compiler to the processor."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from executors import ProgramSession
from numpy.typing import NDArray

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.runtime.program import load_program
from hetc.source import SourceFile

PROGRAM = """pipeline planted:
    dim B <= 16
    dim T <= 64 per B
    input q: f32[B]
    memory x: f32[B, T]
    memory v: f32[B, T]
    relevancy:
        m[b, t] = where(x[b, t] < 100, q[b] * x[b, t])
        p[b, t] = softmax[t](m[b, t])
        o[b] = sum[t](bf16(p[b, t]) * v[b, t])
        w[b] = sum[t](p[b, t] * v[b, t])
        best[b, j], at[b, j] = topk[t](m[b, t], 3, order=score)
    output o, w, best, at
"""

ROWS: dict[str, list[float]] = {
    "plain": [0.5, -1.0, 2.0, 1.5, 0.25],
    "minus infinity": [-np.inf, 0.5, -np.inf, 1.0, -2.0],
    "nothing but minus infinity": [-np.inf, -np.inf],
    # Not below 100, so masked.
    "nan": [1.0, np.nan, 2.0],
    # Present: its row's query is NaN.
    "nan scores": [1.0, 2.0],
    "all absent": [500.0, 1e9, 100.0],
    "some absent": [500.0, 1.0, 1e9, 3.0],
    "no token": [],
    # Zeros of either sign are scores like others, above negative ones, and ties go to the lower index.
    "zeros": [-1.0, -0.0, 0.0, -0.0, 0.0, -2.0],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NDArray]:
    compilation = compile_source_file(SourceFile("planted.mp", PROGRAM), Options("cpu"))
    out: Path = tmp_path_factory.mktemp("planted") / "out"
    write_directory(compilation, out)
    lengths = [len(row) for row in ROWS.values()]
    session = ProgramSession(load_program(out), {"B": len(ROWS), "T": max(lengths)}, {"T": lengths})
    x = np.zeros((len(ROWS), max(lengths)))
    for number, row in enumerate(ROWS.values()):
        x[number, : len(row)] = row
    session.load("x", x)
    session.load("v", values(max(lengths)))
    return session.call(q=QUERIES)


QUERIES = np.where(np.array(list(ROWS)) == "nan scores", np.nan, 1.0)


def values(length: int) -> NDArray:
    v = np.random.default_rng(0).normal(size=(len(ROWS), length))
    return v.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("name", ROWS)
def test_a_row(name: str, results: dict[str, NDArray]) -> None:
    number, x = list(ROWS).index(name), np.array(ROWS[name])
    v = values(max(map(len, ROWS.values())))[number, : len(x)]
    present, x = x < 100, x * QUERIES[number]
    picked = [t for t in np.lexsort((np.arange(len(x)), -x)) if present[t] and x[t] > -np.inf and not np.isnan(x[t])]
    expected_at = (picked + [-1] * 3)[:3]
    assert results["at"][number].tolist() == expected_at
    assert results["best"][number].tolist() == [x[t] if t >= 0 else -np.inf for t in expected_at]
    with np.errstate(invalid="ignore"):
        powers = np.exp((x[present] - x[present].max()).astype(np.float32)) if present.any() else x[present]
        shares = powers / powers.sum(dtype=np.float32) if present.any() else powers
    rounded = shares.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)
    assert np.isnan(results["w"][number]) == np.isnan(shares).any()
    np.testing.assert_allclose(results["w"][number], (shares * v[present]).sum(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(results["o"][number], (rounded * v[present]).sum(), rtol=1e-5, atol=1e-6)


def test_the_rounded_sum_is_another_one(results: dict[str, NDArray]) -> None:
    """The bf16 between softmax and sum is seen: no rewrite may leave it out."""
    number = list(ROWS).index("plain")
    assert abs(results["o"][number] - results["w"][number]) > 1e-4
