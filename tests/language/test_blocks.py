"""`when` and `for`, on every device, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

GUARDED = """
pipeline guarded grows T by 1:
    dim B <= 4
    dim T <= 64 per B
    dim N = 3
    dim D = 4
    input x: f32[B, D]
    input go: f32
    input slot: i32[B]
    memory keys: f32[B, T, D]
    memory pages: f32[B, N, D]
    memory state: f32[B, D]
    memory total: f32[D]
    memory seen: i32

    prepare:
        append(keys, x)
        low[b] = min[d](x[b, d])
        when T[b] % 2 == 0:
            mean[b, d] = sum[i < 2](keys[b, T[b] - 2 + i, d]) / 2
            pages[b, T[b] // 2 - 1, d] = mean[b, d]
            when low[b] < -0.5:
                state[b, d] = state[b, d] + mean[b, d]
        when go > 0:
            low[b] = 0 * x[b, 0]
            total[d] += sum[b](x[b, d])
            seen += 1
            when slot[b] >= 0:
                pages[b, slot[b], 0] = low[b]
        again[b] = low[b]
    output again
"""


@pytest.mark.parametrize("way", WAYS)
def test_when(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    lengths = np.array([1, 0])
    session = session_of(GUARDED, way, {"B": 2, "T": 8}, {"T": lengths}, tmp_path)
    keys = rng.normal(size=(2, 8, 4)).astype(np.float32)
    session.load("keys", keys)
    pages, state, total, seen = np.zeros((2, 3, 4)), np.zeros((2, 4)), np.zeros(4), 0
    for call in range(5):
        x = rng.normal(size=(2, 4)).astype(np.float32)
        go, slot = float(rng.normal()), rng.integers(-1, 4, 2)
        outputs = session.call(x=x, go=np.asarray(go, np.float32), slot=slot)
        np.testing.assert_allclose(outputs["again"], x.min(1))
        for b in range(2):
            length = lengths[b] + call + 1
            keys[b, length - 1] = x[b]
            if length % 2 == 0:
                mean = keys[b, length - 2 : length].mean(0)
                pages[b, length // 2 - 1] = mean
                if x[b].min() < -0.5:
                    state[b] += mean
            if go > 0 and 0 <= slot[b] < 3:
                pages[b, slot[b], 0] = 0
        if go > 0:
            total += x.sum(0)
            seen += 1
        for name, expected in {"pages": pages, "state": state, "total": total}.items():
            np.testing.assert_allclose(session.memory(name), expected, rtol=1e-5, atol=1e-5, err_msg=name)
        assert session.memory("seen") == seen


LAYERS = """
pipeline layers:
    dim L = 3
    dim B <= 4
    dim D = 4
    input x: f32[B, D]
    weight w: f32[L, D, D]
    memory last: f32[L, B, D]

    prepare:
        h[b, d] = x[b, d]
    apply:
        for l in L:
            n[b, e] = sum[d](h[b, d] * w[l, d, e]) + last[l, b, e]
            last[l, b, e] = n[b, e] / (1 + l)
            h[b, d] = tanh(n[b, d])
    output h
"""


@pytest.mark.parametrize("way", WAYS)
def test_layers_in_turn(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)

    session = session_of(LAYERS, way, {"B": 2}, {}, tmp_path)
    w, last = rng.normal(size=(3, 4, 4)).astype(np.float32), np.zeros((3, 2, 4))
    for _ in range(2):
        x = rng.normal(size=(2, 4)).astype(np.float32)
        h = x
        for layer in range(3):
            n = h @ w[layer] + last[layer]
            last[layer] = n / (1 + layer)
            h = np.tanh(n)
        np.testing.assert_allclose(session.call(x=x, w=w)["h"], h, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(session.memory("last"), last, rtol=1e-4, atol=1e-5)
