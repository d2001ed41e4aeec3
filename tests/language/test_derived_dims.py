"""Dims that follow from run-time dims by any arithmetic, executed every way, against Python's integers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hetc.compiler.frontend import check_source
from hetc.source import SourceFile
from tests.language.running import WAYS, session_of

# The dims of a row of length t, with n, and the capacities N = 9, T = 24.
ROWS: dict[str, Callable[[int, int], int]] = {
    "(T - 1) // P": lambda t, n: (t - 1) // 4,
    "T - 2": lambda t, n: t - 2,
    "20 - T": lambda t, n: 20 - t,
    "min(T, N)": lambda t, n: min(t, n),
    "max(T // 2, N - 3, 1)": lambda t, n: max(t // 2, n - 3, 1),
    "2 * (T + ceildiv(N, 2)) - 3 * P": lambda t, n: 2 * (t + (n + 1) // 2) - 12,
    "ceildiv(T - N, 3) + 1": lambda t, n: -(-(t - n) // 3) + 1,
    "P - min(T, P)": lambda t, n: 4 - min(t, 4),
    "-max(N - T, T - N) + 12": lambda t, n: 12 - abs(n - t),
    "min(max(T, 3), N + 1) // 2 * 2": lambda t, n: min(max(t, 3), n + 1) // 2 * 2,
}
NAMES = [f"R{at}" for at in range(len(ROWS))]
TEXT = f"""
pipeline derived:
    dim P = 4
    dim B <= 4
    dim T <= 24 per B
    dim N <= 9
    dim H = (N - 1) // 2
    dim G = max(H, 2)
{"".join(f"    dim {name} = {text}{chr(10)}" for name, text in zip(NAMES, ROWS, strict=True))}
    input x: f32[B, T]
    input n: f32[N]
    memory left: f32[B, R2]

    apply:
{"".join(f"        s{name}[b < B] = sum[r < {name}](r + 1) + {name}[b] * 1000{chr(10)}" for name in NAMES)}
        every[b, c < R0] = x[b, P * c + 1]
        half = H * 100 + G
        left[b, r] = left[b, r] + r
        kept[b] = sum[r](left[b, r])
        some[h] = where(h < H, n[2 * h + 1], n[0])
    output {", ".join(f"s{name}" for name in NAMES)}, every, half, kept, some
""".replace("some[h]", "some[h < G]")


@pytest.mark.parametrize("way", WAYS)
def test_they_are_those_of_integers(way: str, tmp_path: Path) -> None:
    random = np.random.default_rng()
    session = session_of(TEXT, way, {"B": 3, "T": 24, "N": 9}, {}, tmp_path)
    left = np.zeros((3, 20))
    for size in (0, 3, int(random.integers(0, 10)), 9):
        lengths = random.integers(0, 25, 3)
        lengths[1] = 24
        session.extents["T"] = lengths
        x, n = random.normal(size=(3, 24)).astype(np.float32), random.normal(size=size).astype(np.float32)
        found = session.call(x=x, n=n)
        for name, value in zip(NAMES, ROWS.values(), strict=True):
            rows = [max(value(length, size), 0) for length in lengths.tolist()]
            assert found[f"s{name}"].tolist() == [row * (row + 1) // 2 + row * 1000 for row in rows], name
        for row, length in enumerate(lengths.tolist()):
            places = np.arange(1, 4 * max((length - 1) // 4, 0), 4)
            np.testing.assert_array_equal(found["every"][row][: len(places)], x[row, places])
        half = max((size - 1) // 2, 0)
        assert found["half"] == half * 100 + max(half, 2)
        some = [n[2 * h + 1] if h < half else n[0] if size else 0 for h in range(max(half, 2))]
        np.testing.assert_array_equal(found["some"], np.array(some, np.float32))
        for row, live in enumerate(np.maximum(20 - lengths, 0).tolist()):
            left[row, :live] += np.arange(live)
            assert found["kept"][row] == left[row, :live].sum()


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("T % 4", "is made of +, -, * and //"),
        ("T * N", "a factor of a derived dim must be a constant"),
        ("T // N", "the divisor of a derived dim must be a constant"),
        ("T // 0", "must be at least 1"),
        ("-T - 1", "would range from -65 to -1"),
        ("T - 64", "would range from -64 to 0"),
        ("T * 2 ** 30", "is at most 2147483647"),
        ("min(T, U)", "mixes dims per"),
        ("max(T, Q)", "unknown dim `Q`"),
        ("+".join(["min(T, N)"] * 8), "more than 32 cases"),
    ],
)
def test_what_is_no_length_is_refused(size: str, words: str) -> None:
    text = (
        "pipeline p:\n    dim B <= 4; dim C <= 4\n    dim T <= 64 per B; dim U <= 9 per C; dim N <= 9\n"
        f"    dim R = {size}\n    input x: f32[B, T]\n    apply:\n        y[b, r < R] = x[b, r]\n    output y\n"
    )
    errors = [item for item in check_source(SourceFile("p.mp", text))[1] if item.severity == "error"]
    assert len(errors) == 1
    assert words in f"{errors[0].message} {errors[0].help}"
