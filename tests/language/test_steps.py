"""Several steps over shared memories, on every device, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

STORE = """
pipeline store:
    dim B <= 4
    dim T <= 64 per B
    dim C = 3
    dim D = 8
    dim K = 2
    input k: f32[B, D]
    input chunk: f32[B, C, D]
    input q: f32[B, D]
    weight w: f32[D]
    memory keys: f32[B, T, D]
    memory asked: f32[D]

    step add(k) grows T by 1:
        prepare:
            r[b, d] = k[b, d] * w[d]
            append(keys, r)
            size[b] = sum[t](keys[b, t, 0] ** 2)
        output size

    step fill(chunk) grows T by C:
        prepare:
            append(keys, chunk)
        output keys

    step search(q):
        relevancy:
            s[b, t] = sum[d](q[b, d] * keys[b, t, d])
        retrieve:
            best[b, j], picked[b, j] = topk[t](s[b, t], K, order=score)
        apply:
            asked[d] += sum[b](q[b, d])
        output best, picked
"""


@pytest.mark.parametrize("way", WAYS)
def test_steps_share_memories(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    session = session_of(STORE, way, {"B": 2, "T": 9}, {"T": [0, 2]}, tmp_path)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    keys = draw(2, 9, 8)
    session.load("keys", keys)
    live, asked, w = [[], list(keys[1, :2])], np.zeros(8), draw(8)
    for call, step in enumerate(["search", "add", "fill", "search", "add", "search", "search"]):
        session.step = step
        if step == "add":
            k = draw(2, 8)
            size = session.call(k=k, w=w)["size"]
            for b in range(2):
                live[b].append(k[b] * w)
            np.testing.assert_allclose(size, [sum(row[0] ** 2 for row in rows) for rows in live], rtol=1e-5)
        elif step == "fill":
            chunk = draw(2, 3, 8)
            held = session.call(chunk=chunk)["keys"]
            for b in range(2):
                live[b].extend(chunk[b])
                np.testing.assert_allclose(held[b, : len(live[b])], live[b], rtol=1e-6)
        else:
            q = draw(2, 8)
            outputs = session.call(q=q)
            asked = asked + q.sum(0)
            for b in range(2):
                scores = np.array([q[b] @ row for row in live[b]])
                order = np.argsort(-scores, kind="stable")[:2]
                assert outputs["picked"][b, : len(order)].tolist() == order.tolist(), (call, b)
                assert (outputs["picked"][b, len(order) :] == -1).all()
                np.testing.assert_allclose(outputs["best"][b, : len(order)], scores[order], rtol=1e-4, atol=1e-5)
        assert session.lengths["T"].tolist() == [len(rows) for rows in live]
    np.testing.assert_allclose(session.memory("asked"), asked, rtol=1e-4, atol=1e-5)
