"""Narrow values in memory beside the scales of their blocks, multiplied out where they are used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

PROGRAM = """
pipeline stored grows T by 1:
    dim B <= 4
    dim T <= 64 per B
    dim D = 32
    dim G = 8
    input x: f32[B, D]
    input q: f32[B, D]
    weight w: {dtype}[D, D]
    weight ws: f32[D // G, D]
    memory keys: {dtype}[B, T, D]
    memory scale: f32[B, T, D // G]
    prepare:
        k[b, d], s[b, g] = quantize[d](x[b, d], {dtype}, block=G, scale=f32)
        append(keys, k)
        append(scale, s)
        y[b, e] = sum[d](x[b, d] * w[d, e] * ws[d // G, e])
    relevancy:
        score[b, t] = sum[d](q[b, d] * keys[b, t, d] * scale[b, t, d // G])
    retrieve:
        picked[b, j] = topk[t](score[b, t], 3)
    apply:
        o[b, d] = sum[j](keys[b, picked[b, j], d] * scale[b, picked[b, j], d // G])
    output y, score, picked, o
"""
LARGEST = {"i4": 7, "i8": 127}


@pytest.mark.parametrize("dtype", LARGEST)
@pytest.mark.parametrize("way", WAYS)
def test_blocks_share_a_scale(way: str, dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lengths = np.array([2, 40])
    session = session_of(PROGRAM.format(dtype=dtype), way, {"B": 2, "T": 48}, {"T": lengths}, tmp_path)
    largest = LARGEST[dtype]
    keys = rng.integers(-largest, largest + 1, (2, 48, 32))
    scale = rng.random((2, 48, 4)).astype(np.float32) + 0.1
    session.load("keys", keys)
    session.load("scale", scale)
    w, ws = rng.integers(-largest, largest + 1, (32, 32)), rng.random((4, 32)).astype(np.float32)
    for call in range(3):
        x, q = (rng.normal(size=(2, 32)).astype(np.float32) for _ in range(2))
        blocks = x.reshape(2, 4, 8)
        found = np.maximum(np.abs(blocks).max(-1), np.float32(1e-4)) / np.float32(largest)
        for row, length in enumerate(lengths + call):
            keys[row, length] = np.clip(np.rint(blocks[row] / found[row][:, None]), -largest - 1, largest).reshape(32)
            scale[row, length] = found[row]
        outputs = session.call(x=x, q=q, w=w, ws=ws)
        np.testing.assert_allclose(outputs["y"], x @ (w * np.repeat(ws, 8, 0)), rtol=1e-4, atol=1e-3)
        for row, length in enumerate(lengths + call + 1):
            wide = keys[row, :length] * np.repeat(scale[row, :length], 8, 1)
            np.testing.assert_allclose(outputs["score"][row, :length], wide @ q[row], rtol=1e-4, atol=1e-3)
            best = np.argsort(-(wide @ q[row]))[:3]
            assert set(outputs["picked"][row]) == set(best)
            np.testing.assert_allclose(outputs["o"][row], wide[best].sum(0), rtol=1e-4, atol=1e-3)
            np.testing.assert_array_equal(session.memory("keys")[row, :length], keys[row, :length])
