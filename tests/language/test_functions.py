"""`def` and `concat`: what they compute, on every device, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

NORMS = """
pipeline norms grows T by 1:
    dim B <= 4
    dim T <= 64 per B
    dim D = 8
    input x: f32[B, D]
    input g: f32[D]
    memory keys: f32[B, T, D]

    def rmsnorm(x, g):
        r[b] = rsqrt(mean[d](x[b, d] ** 2) + 1e-6)
        y[b, d] = x[b, d] * r[b] * g[d]
        return y
    def swish(v): return v * sigmoid(v)
    def spread(x):
        low[b] = min[d](x[b, d])
        return low, max[d](x[0, d])
    def both(v): return swish(v) + swish(2 * v)

    prepare:
        y = rmsnorm(x, g)
        append(keys, rmsnorm(y, g))
        z[b] = sum[d](swish(sum[e](y[b, e]) + y[b, d]))
        w[b, d] = both(z[b]) + y[b, d]
        least, first = spread(w)
    output y, z, w, least, first
"""


def _rmsnorm(x: np.ndarray, g: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-6) * g


def _swish(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


@pytest.mark.parametrize("way", WAYS)
def test_functions_are_inlined(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    session = session_of(NORMS, way, {"B": 2, "T": 5}, {"T": [3, 0]}, tmp_path)
    x, g = rng.normal(size=(2, 8)).astype(np.float32), rng.normal(size=8).astype(np.float32)
    outputs = session.call(x=x, g=g)
    y = _rmsnorm(x, g)
    z = _swish(y.sum(1, keepdims=True) + y).sum(1)
    w = (_swish(z) + _swish(2 * z))[:, None] + y
    expected = {"y": y, "z": z, "w": w, "least": w.min(1), "first": w[0].max()}
    for name, value in expected.items():
        np.testing.assert_allclose(outputs[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    kept = session.memory("keys")
    np.testing.assert_allclose([kept[0, 3], kept[1, 0]], _rmsnorm(y, g), rtol=1e-4, atol=1e-5)


TWICE = """
pipeline twice:
    dim D = 4
    input x: f32[D]

    def one(v): return v + 1
    def two(v): return one(one(v))
    def four(v): return two(two(v))
    def eight(v): return four(four(v))
    def sum_twice(v): return v + v
    def sum_four(v): return sum_twice(v + v)
    def sum_eight(v): return sum_four(v + sum[e < 2](x[e] * v))
    def moved(v):
        y[d] = v[d] + 1
        return y
    def moved_twice(v):
        y = moved(v)
        z = moved(y)
        return z

    apply:
        a[d] = eight(x[d])
        b[d] = sum_eight(x[d])
        c = moved_twice(x)
    output a, b, c
"""


@pytest.mark.parametrize("way", WAYS)
def test_functions_of_functions(way: str, tmp_path: Path) -> None:
    x = np.array([1, -2, 3, 0.5], np.float32)
    outputs = session_of(TWICE, way, {}, {}, tmp_path).call(x=x)
    np.testing.assert_array_equal(outputs["a"], x + 8)
    np.testing.assert_array_equal(outputs["b"], 4 * (x + (x[0] + x[1]) * x))
    np.testing.assert_array_equal(outputs["c"], x + 2)


PIECES = """
pipeline pieces grows T by 1:
    dim B <= 4
    dim T <= 64 per B
    dim M = T + 3
    dim D = 8
    dim P = 3
    input x: f32[B, D]
    input s: f32[P, D]
    input u: f32[B, D]
    memory keys: f32[B, T, D]

    prepare:
        append(keys, x)
        y[b, d] = concat[d](x[b, d], 2 * u[b, d], x[b, d])
        z[b] = sum[d](concat[d](x[b, d], u[b, d]) * y[b, d])
        long[b, m < M, d] = concat[m](s[m, d], keys[b, m, d])
        tail[b, m < M] = concat[m](keys[b, m, 0], s[m, 1])
        p[b, d] = softmax[d](concat[d](x[b, d], u[b, d]))
    output y, z, long, tail, p
"""


@pytest.mark.parametrize("way", WAYS)
def test_concat(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lengths = [4, 0]
    session = session_of(PIECES, way, {"B": 2, "T": 5}, {"T": lengths}, tmp_path)
    keys = rng.normal(size=(2, 5, 8)).astype(np.float32)
    session.load("keys", keys)
    x, u = (rng.normal(size=(2, 8)).astype(np.float32) for _ in range(2))
    s = rng.normal(size=(3, 8)).astype(np.float32)
    outputs = session.call(x=x, u=u, s=s)
    y = np.concatenate([x, 2 * u, x], 1)
    joined = np.concatenate([x, u], 1)
    np.testing.assert_allclose(outputs["y"], y, rtol=1e-6)
    np.testing.assert_allclose(outputs["z"], (joined * y[:, :16]).sum(1), rtol=1e-4)
    weights = np.exp(joined)
    np.testing.assert_allclose(outputs["p"], weights / weights.sum(1, keepdims=True), rtol=1e-5)
    for b, length in enumerate(lengths):
        keys[b, length] = x[b]
        live = keys[b, : length + 1]
        np.testing.assert_array_equal(outputs["long"][b, : length + 4], np.concatenate([s, live]))
        np.testing.assert_array_equal(outputs["tail"][b, : length + 4], np.concatenate([live[:, 0], s[:, 1]]))
