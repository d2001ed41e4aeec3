"""`sort`, on every device, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

SORTING = """
pipeline sorting grows T by 1:
    dim B <= 4
    dim T <= 64 per B
    dim D = 9
    input x: f32[B, D]
    input k: f32[B]
    memory keys: f32[B, T]
    prepare:
        append(keys, k)
    retrieve:
        y[b, d] = sort[d](x[b, d])
        z[b, i], p[b, i] = sort[d](where(x[b, d] > 0, i32(x[b, d])), order=descending)
        n[b] = count[i](z[b, i] > 0)
        s[b, i < T], at[b, i] = sort[t](keys[b, t])
        m[i], which[i] = sort[b](keys[b, 0], order=descending)
    output y, z, p, n, s, at, m, which
"""


def ordered(values: list[float], descending: bool = False) -> list[int]:
    """Positions by value, equal ones by position, NaN last."""
    return sorted(
        range(len(values)), key=lambda at: (np.isnan(values[at]), -values[at] if descending else values[at], at)
    )


@pytest.mark.parametrize("way", WAYS)
def test_sort(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lengths = np.array([0, 17, 4])
    session = session_of(SORTING, way, {"B": 3, "T": 20}, {"T": lengths}, tmp_path)
    keys = rng.integers(-4, 5, (3, 20)).astype(np.float32)
    keys[1, [3, 8]] = [np.nan, -np.inf]
    session.load("keys", keys)
    for call in range(2):
        x = rng.integers(-6, 7, (3, 9)).astype(np.float32)
        x[2, [1, 5, 7]] = [np.nan, np.inf, np.nan]
        k = rng.normal(size=3).astype(np.float32)
        keys[np.arange(3), lengths + call] = k
        outputs = session.call(x=x, k=k)
        finite = np.where(np.isfinite(x), x, 0)
        for row in range(3):
            np.testing.assert_array_equal(outputs["y"][row], x[row, ordered(x[row].tolist())])
            length = lengths[row] + call + 1
            expected = ordered(keys[row, :length].tolist())
            np.testing.assert_array_equal(outputs["at"][row, :length], expected)
            np.testing.assert_array_equal(outputs["s"][row, :length], keys[row, expected])
            positive = [at for at in range(9) if finite[row, at] > 0]
            if np.isfinite(x[row]).all():
                best = [positive[at] for at in ordered(x[row, positive].tolist(), descending=True)]
                tail = 9 - len(best)
                np.testing.assert_array_equal(outputs["p"][row], [*best, *[-1] * tail])
                np.testing.assert_array_equal(outputs["z"][row], [*x[row, best], *[0] * tail])
                assert outputs["n"][row] == len(best)
        expected = ordered(keys[:, 0].tolist(), descending=True)
        np.testing.assert_array_equal(outputs["which"], expected)
        np.testing.assert_array_equal(outputs["m"], keys[expected, 0])
