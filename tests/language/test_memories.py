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


ALIKE = """
pipeline alike:
    dim B <= 4
    dim D = 4
    dim E = 4
    dim G = 3
    input x: f32[B, D]
    input row: f32[B]
    weight w: f32[D]
    weight table: f32[D, E]
    weight level: f32
    memory rows: bf16[B, D] = w
    memory columns: f32[B, D] = row
    memory deep: f32[G, D, G, E] = table
    memory named: f32[E, D] = w
    memory first: f32[D, E] = w
    memory last: f32[4, 4] = w
    memory same: f32[B, G] = level

    step add(x, row):
        apply:
            rows[b, d] += x[b, d]
            columns[b, d] = columns[b, d] + x[b, d]
        output rows, columns
    step all:
        apply:
            deep[g, d, h, e] = deep[g, d, h, e] * 2
        output deep, named, first, last, same, rows
"""


@pytest.mark.parametrize("way", WAYS)
def test_what_a_memory_begins_with_may_have_fewer_dims(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng()
    session = session_of(ALIKE, way, {"B": 3}, {}, tmp_path)
    w, table = rng.integers(-8, 8, 4).astype(np.float32), rng.normal(size=(4, 4)).astype(np.float32)
    x, row = rng.integers(-8, 8, (3, 4)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    weights = {"w": w, "table": table, "level": np.float32(2.5)}
    rows, columns = np.tile(w, (3, 1)), np.tile(row[:, None], 4)
    for scale, live in ((1, 2), (2, 3), (3, 3)):  # a row that comes later begins then
        session.step = "add"
        columns[2:] = row[2] * 2 if scale == 2 else columns[2:]
        found = session.call(x=x[:live], row=row[:live] * scale, **weights)
        rows[:live] += x[:live]
        columns[:live] += x[:live]
        np.testing.assert_array_equal(found["rows"], rows[:live])
        np.testing.assert_allclose(found["columns"], columns[:live], 1e-5)
    session.step = "all"
    session.extents["B"] = np.array(3)
    found = session.call(**weights)
    np.testing.assert_allclose(found["deep"], 2 * np.broadcast_to(table[None, :, None, :], (3, 4, 3, 4)), 1e-6)
    np.testing.assert_array_equal(found["named"], np.broadcast_to(w, (4, 4)))
    np.testing.assert_array_equal(found["first"], np.broadcast_to(w[:, None], (4, 4)))
    np.testing.assert_array_equal(found["last"], np.broadcast_to(w, (4, 4)))
    np.testing.assert_array_equal(found["same"], np.full((3, 3), 2.5))
    np.testing.assert_array_equal(found["rows"], rows)
