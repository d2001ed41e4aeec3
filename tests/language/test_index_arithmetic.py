"""Indices are exact, whatever they pass on the way; i32 and i64 wrap where they are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.compiler.frontend import check_source
from hetc.source import SourceFile
from tests.language.running import WAYS, session_of

N = 12
TEXT = """
pipeline far:
    dim N <= 16
    dim BIG = 2_000_000_000
    input x: f32[N]
    input at: i64[N]
    input near: i32[N]
    memory m: f32[16]
    memory through: f32[16]
    memory added: f32[16]

    prepare:
        product[n < N] = x[n * 32768 * 65536]
        beyond_64[n < N] = x[n * 4294967296 * 4294967296 * 4 + n]
        both_ways[n < N] = x[n * 4294967296 * 4294967296 - n * 4294967296 * 4294967296 + n]
        read[n] = x[at[n]]
        stored[n < N] = n * 70000 * 70000
        by_stored[n] = x[stored[n] // 70000 // 70000]
        past[n] = x[stored[n]]
        long[n < N] = i64(n * 70000 * 70000)
        number[n < N] = n * 70000 * 70000 / 4.0
        wrapped[n] = near[n] * 65536
        by_wrapped[n] = x[near[n] * 65536]
        by_exact[n] = x[near[n] * n]
        remainder[n] = x[(near[n] + n) % 5]
        shifted[n] = 2 ** at[n]
        up[n] = ceildiv(near[n], 4)
        most = max[n < N](n * BIG * 4)
    apply:
        m[n * 32768 * 65536] = x[n]
        through[at[n]] = x[n]
        added[at[n]] += x[n]
    output product, beyond_64, both_ways, read, stored, by_stored, past, long, number, wrapped, by_wrapped, by_exact
    output remainder, shifted, up, most
"""
AT = [2**32, 3, -1, 2**63 - 1, -(2**63), 2**31, 11, 12, 2**32 + 3, -(2**32), 0, 3]
NEAR = [2**31 - 1, 65536, -(2**31), 1, -1, 3, 2**16 + 2, -65536, 7, 2**30, 0, 5]


def element(x: np.ndarray, index: int) -> float:
    """x[index], 0 where that is absent."""
    return float(x[index]) if 0 <= index < len(x) else 0.0


def wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


@pytest.mark.parametrize("way", WAYS)
def test_exact_and_wrapping(way: str, tmp_path: Path) -> None:
    x = np.arange(1, N + 1).astype(np.float32)
    session = session_of(TEXT, way, {"N": N}, {}, tmp_path)
    session.load("through", np.ones(16))
    got = session.call(x=x, at=np.array(AT, np.int64), near=np.array(NEAR, np.int32))
    expected = {
        "product": [element(x, n * 2**31) for n in range(N)],
        # What 64 bits do not hold is absent, also where it would come back: n = 0 alone stays within them.
        "beyond_64": [element(x, 0) if n == 0 else 0.0 for n in range(N)],
        "both_ways": [element(x, 0) if n == 0 else 0.0 for n in range(N)],
        "read": [element(x, index) for index in AT],
        "stored": [n * 70000 * 70000 for n in range(N)],
        "by_stored": list(x),
        "past": [element(x, n * 70000 * 70000) for n in range(N)],
        "long": [n * 70000 * 70000 for n in range(N)],
        "wrapped": [wrap(value * 65536) for value in NEAR],
        "by_wrapped": [element(x, wrap(value * 65536)) for value in NEAR],
        "by_exact": [element(x, value * n) for n, value in enumerate(NEAR)],
        "remainder": [element(x, (value + n) % 5) for n, value in enumerate(NEAR)],
        "shifted": [2**value if 0 <= value < 31 else 0 for value in AT],
        "up": [-(-value // 4) for value in NEAR],
        "most": [(N - 1) * 2_000_000_000 * 4],
    }
    for name, values in expected.items():
        assert got[name].reshape(-1).tolist() == values, name
    assert np.allclose(got["number"], [n * 70000 * 70000 / 4 for n in range(N)], rtol=1e-6, atol=0)
    m, through, added = np.zeros(16), np.ones(16), np.zeros(16)
    m[0] = x[0]
    for n, index in enumerate(AT):
        if 0 <= index < 16:
            through[index] = x[n]
            added[index] += x[n]
    for name, values in {"m": m, "through": through, "added": added}.items():
        assert session.memory(name).tolist() == values.tolist(), name


@pytest.mark.parametrize(("factor", "codes"), [(2**31, []), (2**32, ["HET106"])])
def test_the_number_of_a_pass_is_below_the_number_of_passes(factor: int, codes: list[str]) -> None:
    text = f"""
pipeline p:
    dim N = 4
    dim L = 2
    weight w: f32[L, N]
    memory m: f32[N]
    apply:
        for l in L:
            m[n] = m[n] + w[(l * 2147483648 * {factor}) // 3, n]
    output m
"""
    _, diagnostics = check_source(SourceFile("p.mp", text))
    assert [item.code for item in diagnostics] == codes
