"""Which reads are proved in range, by what they cost: the tests that remain in the module."""

from __future__ import annotations

import pytest
from xdsl.context import Context
from xdsl.dialects import arith

from hetc.compiler.frontend import compile_source
from hetc.passes.registry import load
from hetc.source import SourceFile

SLT, SGE = 2, 5
HEADER = """pipeline p grows T by 1:
    dim B <= 4
    dim T <= 4096 per B
    dim N <= 512
    dim NB = ceildiv(T, 64)
    dim FULL = T // 64
    dim K = 8
    input x: f32[B, T]
    input y: f32[B, N]
    input z: f32[64]
    input blocks: f32[B, NB]
    input fulls: f32[B, FULL]
    input c: f32[B]
    input idx: i32[B, K]
    input small: u8[B, K]
    input table: f32[256]
    memory m: f32[B, T]
    prepare:
        append(m, c)
"""


def remaining_tests(statement: str) -> list[str]:
    """The comparisons that guard the reads of the statement `a[...]`: `lower`, `upper`, sorted."""
    source = HEADER + "".join(f"        {line}\n" for line in statement.splitlines()) + "    output a\n"
    module = compile_source(SourceFile("bounds.mp", source))
    load("explicit-presence")().apply(Context(), module)
    comparisons = [op.predicate.value.data for op in module.walk() if isinstance(op, arith.CmpiOp)]
    return sorted({SGE: "lower", SLT: "upper"}[predicate] for predicate in comparisons)


PROVED = {
    "own index": "a[b, t] = x[b, t]",
    "last row": "a[b] = m[b, T[b] - 1]",
    "t // 64 of the blocks of T": "a[b, t < T] = blocks[b, t // 64] + x[b, t]",
    "inside of a full block": "a[b, n < FULL] = sum[i < 64](x[b, 64 * n + i])",
    "mod": "a[b, n] = z[(n * 7 + 3) % 64] + y[b, n]",
    "clamped": "a[b, n] = z[min(max(n - 3, 0), 63)] + y[b, n]",
    "constant": "a[i < 4] = z[i + 60]",
    "reversed": "a[b, n] = y[b, N - 1 - n] + y[b, n]",
    "narrow integers": "a[b, j] = table[small[b, j]]",
    "half of an index": "a[b, n] = y[b, n // 2] + y[b, n]",
}
TESTED = {
    "one before": ("a[b, n] = y[b, n - 1] + y[b, n]", ["lower"]),
    "one after": ("a[b, n] = y[b, n + 1] + y[b, n]", ["upper"]),
    "the tail of the last block": ("a[b, n < NB] = sum[i < 64](x[b, 64 * n + i])", ["upper"]),
    "the part block is not full": ("a[b, t < T] = fulls[b, t // 64] + x[b, t]", ["upper"]),
    "a window at the end": ("a[b, i < 4] = m[b, T[b] - 4 + i]", ["lower"]),
    "an index of the caller's": ("a[b, j] = y[b, idx[b, j]]", ["lower", "upper"]),
    "a selection's unused tail": ("p[b, j] = topk[t](x[b, t], K)\na[b, j] = x[b, p[b, j]]", ["lower"]),
    "another row's length": ("a[b, t < T] = x[b // 2, t] + x[b, t]", ["upper"]),
    "clamped to what may be empty": ("a[b, n] = y[b, min(max(n - 3, 0), N - 1)] + y[b, n]", ["lower"]),
    "twice an index": ("a[b, n] = y[b, 2 * n] + y[b, n]", ["upper"]),
}


@pytest.mark.parametrize("statement", PROVED.values(), ids=PROVED)
def test_in_range(statement: str) -> None:
    assert remaining_tests(statement) == []


@pytest.mark.parametrize(("statement", "expected"), TESTED.values(), ids=TESTED)
def test_only_what_is_not_proved_is_tested(statement: str, expected: list[str]) -> None:
    assert remaining_tests(statement) == expected
