"""Operators on the bits of integers, executed every way, against Python's integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.compiler.driver import Options, compile_source_file
from hetc.source import SourceFile
from tests.language.running import WAYS, session_of

N = 12
TEXT = """
pipeline bits:
    dim N = 1 << 4 & ~3
    dim D = 12
    dim K = 3
    input a: i32[D]
    input by: i32[D]
    input long: i64[D]
    input narrow: u8[D]
    input x: f32[D]

    prepare:
        picked[j] = topk[d](where(x[d] > 9, x[d]), K, order=index)
    apply:
        both[d] = a[d] & by[d]
        either[d] = a[d] | by[d]
        one[d] = a[d] ^ by[d]
        inverted[d] = ~a[d]
        up[d] = a[d] << by[d]
        down[d] = a[d] >> by[d]
        long_up[d] = long[d] << by[d]
        long_down[d] = long[d] >> by[d]
        of_one[d] = 1 << by[d]
        nibbles[d] = 16 * (narrow[d] & 15) + (narrow[d] >> 4)
        hashed[d] = a[d] ^ a[d] << 13 ^ a[d] >> 17 & 255
        index_up[d < D] = d << 33
        index_down[d] = (d << 33) >> by[d]
        powers[d < D] = 1 << d
        swapped[d < D] = x[d ^ 1]
        far[d < D] = x[d << 62]
        missing[j] = (picked[j] ^ 1) & 7
        length[n < N] = n
    output both, either, one, inverted, up, down, long_up, long_down, of_one, nibbles, hashed
    output index_up, index_down, powers, swapped, far, missing, length
"""
A = [0, 1, -1, 2**31 - 1, -(2**31), 12345, -12345, 7, -8, 2**30, 255, -256]
BY = [0, 1, 31, 32, -1, 5, 63, 64, 30, 2, -(2**31), 2**31 - 1]
LONG = [0, 1, -1, 2**63 - 1, -(2**63), 2**40 + 3, -(2**40), 7, -8, 2**62, 255, -256]
NARROW = [0, 1, 15, 16, 17, 240, 255, 128, 129, 99, 200, 31]
X = [1.0, 10.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 2.0, 0.5, 11.0, 12.5]


def wrap(value: int, width: int = 32) -> int:
    return (value + 2 ** (width - 1)) % 2**width - 2 ** (width - 1)


def up(value: int, by: int, width: int) -> int:
    return wrap(value * 2**by, width) if 0 <= by < width else 0


def down(value: int, by: int, width: int) -> int:
    return value // 2**by if 0 <= by < width else -(value < 0)


EXPECTED = {
    "both": [a & b for a, b in zip(A, BY, strict=True)],
    "either": [a | b for a, b in zip(A, BY, strict=True)],
    "one": [a ^ b for a, b in zip(A, BY, strict=True)],
    "inverted": [-1 - a for a in A],
    "up": [up(a, b, 32) for a, b in zip(A, BY, strict=True)],
    "down": [down(a, b, 32) for a, b in zip(A, BY, strict=True)],
    "long_up": [up(a, b, 64) for a, b in zip(LONG, BY, strict=True)],
    "long_down": [down(a, b, 64) for a, b in zip(LONG, BY, strict=True)],
    "of_one": [up(1, b, 32) for b in BY],
    "nibbles": [16 * (n % 16) + n // 16 for n in NARROW],
    "hashed": [a ^ up(a, 13, 32) ^ (down(a, 17, 32) & 255) for a in A],
    "index_up": [d * 2**33 for d in range(N)],
    "index_down": [down(d * 2**33, b, 64) for d, b in enumerate(BY)],
    "powers": [2**d for d in range(N)],
    "swapped": [X[d ^ 1] for d in range(N)],
    "far": [X[0], *[0.0] * (N - 1)],
    "missing": [(1 ^ 1) & 7, (10 ^ 1) & 7, (11 ^ 1) & 7],
    "length": list(range(16)),
}


@pytest.mark.parametrize("way", WAYS)
def test_they_are_those_of_integers(way: str, tmp_path: Path) -> None:
    given = {"a": np.array(A, np.int32), "by": np.array(BY, np.int32), "long": np.array(LONG, np.int64)}
    given |= {"narrow": np.array(NARROW, np.uint8), "x": np.array(X, np.float32)}
    found = session_of(TEXT, way, {}, {}, tmp_path).call(**given)
    assert found.keys() == EXPECTED.keys()
    assert {name: value.tolist() for name, value in found.items()} == EXPECTED


@pytest.mark.parametrize("way", WAYS)
def test_what_is_absent_stays_so(way: str, tmp_path: Path) -> None:
    text = (
        "pipeline p:\n    dim D = 4\n    dim K = 3\n    input x: f32[D]\n    input at: i32[K]\n    apply:\n"
        "        p[j] = topk[d](where(x[d] > 5, x[d]), K)\n        a[j] = p[j] | 8\n        b[j] = ~p[j]\n"
        "        c[j] = p[j] >> at[j]\n        e[j] = at[p[j]] << at[j]\n        f[j] = coalesce(p[j] & 3, 7)\n"
        "    output a, b, c, e, f\n"
    )
    given = {"x": np.array([1, 2, 7, 3], np.float32), "at": np.array([40, 2, -3], np.int32)}
    found = session_of(text, way, {}, {}, tmp_path).call(**given)
    expected = {"a": [10, -1, -1], "b": [-3, -1, -1], "c": [0, -1, -1], "e": [0, 0, 0], "f": [2, 7, 7]}
    assert {name: value.tolist() for name, value in found.items()} == expected


def test_a_count_beyond_the_width_is_told_apart_from_one_within() -> None:
    """Kernels compare a count only where it may be out of range."""

    def kernel(count: str) -> str:
        head = "pipeline p:\n    dim D = 4\n    input a: i32[D]\n    input n: i32[D]\n    apply:\n"
        text = f"{head}        y[d] = a[d] >> {count}\n    output y\n"
        compilation = compile_source_file(SourceFile("p.mp", text), Options("mi210", pins={"apply": "gpu"}))
        return "".join(compilation.files.values())

    assert "tl.where" not in kernel("(n[d] & 31)")
    assert "tl.where" in kernel("n[d]")
