"""Ring memories, initial values from tensors and `calls`, on every device, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

BANK = """
pipeline memories:
    dim B <= 4
    dim N = 3
    dim D = 4
    dim K = 2
    input x: f32[B, D]
    weight start: f32[D]
    memory bank: ring f32[B, N, D]
    memory recent: ring i32[N]
    memory state: f32[D] = start

    step add(x):
        prepare:
            code = i32(10 * x[0, 0])
            append(bank, x)
            append(recent, code)
            total[b] = sum[n](bank[b, n, 0] / (1 + age(bank, n)))
            oldest = argmax[n](where(recent[n] == recent[n], age(recent, n)))
            state[d] = state[d] * 0.5 + x[0, d]
            number = calls
        output total, oldest, number

    step ask(x):
        relevancy:
            s[b, n] = sum[d](x[b, d] * bank[b, n, d])
            m[b] = mean[n](s[b, n])
            when calls % 2 == 1:
                state[d] = 0
            held[d] = state[d]
        retrieve:
            best[b, j] = topk[n](s[b, n], K, order=score)
        output best, m, held
"""


@pytest.mark.parametrize("way", WAYS)
def test_rings_initial_values_and_calls(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    session = session_of(BANK, way, {"B": 2}, {}, tmp_path)
    start = rng.normal(size=4).astype(np.float32)
    state = start.astype(np.float64)
    bank: list[np.ndarray] = []
    codes: list[int] = []
    asked = 0
    for call, step in enumerate(["ask", "add", "ask", "add", "add", "add", "ask", "add", "ask", "add", "add", "ask"]):
        x = rng.normal(size=(2, 4)).astype(np.float32)
        session.step = step
        outputs = session.call(x=x, start=start)
        if step == "add":
            number = len(bank)
            bank.append(x)
            codes.append(int(10 * x[0, 0]))
            newest = len(bank) - 1
            live = range(max(0, len(bank) - 3), len(bank))
            total = sum(bank[at][:, 0] / (1 + newest - at) for at in live)
            np.testing.assert_allclose(outputs["total"], total, rtol=1e-4, atol=1e-5)
            assert outputs["oldest"] == live[0] % 3, call
            assert outputs["number"] == number
            state = state * 0.5 + x[0]
        else:
            live = range(max(0, len(bank) - 3), len(bank))
            scores = {at % 3: (x * bank[at]).sum(1) for at in live}
            mean = sum(scores.values()) / max(len(scores), 1)
            np.testing.assert_allclose(outputs["m"], np.broadcast_to(mean, 2), rtol=1e-4, atol=1e-5)
            for b in range(2):
                order = sorted(scores, key=lambda slot: -scores[slot][b])[:2]
                assert outputs["best"][b].tolist() == [*order, -1, -1][:2]
            if asked % 2 == 1:
                state = np.zeros(4)
            asked += 1
            np.testing.assert_allclose(outputs["held"], state, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(session.memory("state"), state, rtol=1e-4, atol=1e-5)
