"""An index of a reduction hides one of its name around it, executed every way, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

TEXT = """
pipeline hiding:
    dim B <= 4
    dim T <= 9 per B
    dim D = 6
    input x: f32[B, D]
    input w: f32[D]
    input n: i32[D]
    input v: f32[B, T]
    memory m: f32[D]
    memory k: f32[B, D]

    def dot(a): return sum[d](a * w[d] * sum[d](w[d]))

    apply:
        y[b, d] = x[b, d] * sum[d](x[b, d] * max[d](w[d]))
        lengths[b < B] = sum[b](x[b, 0] * T * sum[b](x[b, 1] * T)) * T
        called[b, d] = dot(x[b, d]) + dot(dot(x[b, d]))
        soft[d] = x[0, d] + sum[b, d](softmax[d](x[b, d]) * w[d])
        m[n[d] % sum[d < 2](d + 1)] += sum[d](w[d]) * w[d]
        ordered[b, d] = sort[d](sum[d](w[d]) * x[b, d])
        best[b, j] = topk[d](x[b, d] - sum[j < 3, d](w[d] * j), 2, order=score)
        ragged[b] = sum[t](v[b, t] * sum[t](v[b, t]))
        joined[b, d] = x[b, d % D] * sum[d](concat[d](x[b, d], w[d])) + concat[d](w[d], x[b, d])
        when x[b, d] > sum[d](x[b, d]):
            k[b, d] = max[b](x[b, d])
    output y, lengths, called, soft, m, ordered, best, ragged, joined, k
"""


def expected(x: np.ndarray, w: np.ndarray, n: np.ndarray, v: list[np.ndarray]) -> dict[str, np.ndarray]:
    lengths = np.array([len(row) for row in v])
    scaled = (w * w.sum()).sum()
    added = np.zeros(6)
    np.add.at(added, n % 3, w.sum() * w)
    exps = np.exp(x - x.max(1, keepdims=True))
    above = x > x.sum(1, keepdims=True)
    return {
        "y": x * (x.sum(1) * w.max())[:, None],
        "lengths": (x[:, 0] * lengths * (x[:, 1] * lengths).sum()).sum() * lengths,
        "called": x * scaled + x * scaled * scaled,
        "soft": x[0] + (exps / exps.sum(1, keepdims=True) * w).sum(),
        "m": added,
        "ordered": np.sort(w.sum() * x, axis=1),
        "best": np.argsort(-x, axis=1, kind="stable")[:, :2],
        "ragged": np.array([row.sum() ** 2 for row in v]),
        "joined": np.tile(x, 2) * (x.sum(1) + w.sum())[:, None] + np.concatenate([np.tile(w, (3, 1)), x], axis=1),
        "k": np.where(above, x.max(0), 0),
    }


@pytest.mark.parametrize("way", WAYS)
def test_the_inner_index_is_meant(way: str, tmp_path: Path) -> None:
    random = np.random.default_rng()
    lengths = [3, 1, 5]
    v = [random.normal(size=length).astype(np.float32) for length in lengths]
    padded = np.zeros((3, 5), np.float32)
    for row, values in zip(padded, v, strict=True):
        row[: len(values)] = values
    x, w = random.normal(size=(3, 6)).astype(np.float32), random.normal(size=6).astype(np.float32)
    n = random.integers(-9, 9, 6).astype(np.int32)
    session = session_of(TEXT, way, {"B": 3, "T": 5}, {}, tmp_path)
    session.extents["T"] = np.array(lengths)
    found = session.call(x=x, w=w, n=n, v=padded)
    for name, value in expected(x.astype(float), w.astype(float), n, [row.astype(float) for row in v]).items():
        np.testing.assert_allclose(found[name], value, 2e-4, 1e-4, err_msg=name)
