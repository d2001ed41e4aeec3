"""Several indices of which there is no combination, on every device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

NOTHING = """
pipeline nothing:
    dim B <= 4
    dim T <= 16 per B
    dim N <= 5
    dim C = 4; dim K = 2
    input log: f32[N, B]
    memory keys: f32[B, T, C]
    retrieve:
        best[b, k], p[b, k], q[b, k] = topk[c, t](keys[b, t, c], K)
        v[b, k], w[b, k] = select[c, t](keys[b, t, c] == 0, capacity=K)
        s[b], r[b] = argmax[c, t](keys[b, t, c])
        y[b, i], at_c[b, i], at_t[b, i] = sort[c, t](keys[b, t, c])
        f[b] = sum[c, t](softmax[c, t](keys[b, t, c]))
        g, h = argmin[n, b](log[n, b])
        m = mean[n, b](log[n, b])
        z = log[g, h + 1]
    output best, p, q, v, w, s, r, y, at_c, at_t, f, g, h, m, z
"""


@pytest.mark.parametrize("way", WAYS)
def test_of_nothing(way: str, tmp_path: Path) -> None:
    """Rows without elements, and no row of a dim: lengths of 0 divide nothing."""
    session = session_of(NOTHING, way, {"B": 2, "T": 16}, {"T": np.array([0, 1])}, tmp_path)
    got = session.call(log=np.zeros((0, 2), np.float32))
    for name, value in {
        "best": [[-np.inf, -np.inf], [0, 0]],
        "p": [[-1, -1], [0, 1]],
        "q": [[-1, -1], [0, 0]],
        "v": [[-1, -1], [0, 1]],
        "w": [[-1, -1], [0, 0]],
        "s": [-1, 0],
        "r": [-1, 0],
        "y": [[0] * 4, [0] * 4],
        "at_c": [[-1] * 4, [0, 1, 2, 3]],
        "at_t": [[-1] * 4, [0] * 4],
        "f": [0, 1],
        **dict.fromkeys("gh", -1),
        **dict.fromkeys("mz", 0),
    }.items():
        expected, actual = np.asarray(value), got[name]
        if name in ("p", "q"):  # in any order
            actual = np.sort(actual, axis=-1)
        np.testing.assert_array_equal(actual, expected, err_msg=name)
