"""`clear`, on every device, against lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

CHAT = """
pipeline chat:
    dim B <= 4
    dim T <= 64 per B
    dim N <= 64
    dim V = 10
    dim D = 4
    input k: f32[B, D]
    input done: bool[B]
    input full: bool
    input terms: i32[3]
    memory keys: f32[B, T, D]
    memory tf: sparse u8[V, N] stored <= 1000
    memory lengths: i32[N]
    memory bank: ring f32[3]

    step add(k) grows T by 1:
        prepare:
            append(keys, k)
            total[b] = sum[t, d](keys[b, t, d])
            when total[b] > 5:
                clear(T)
        output total
    step learn(terms) grows N by 1:
        prepare:
            append(tf, terms)
            n = count[i](terms[i] >= 0)
            append(lengths, n)
            append(bank, n)
            documents[v] = count[n](tf[v, n] > 0)
            recent = sum[i](bank[i])
        output documents, recent
    step finish(done, full):
        prepare:
            when full:
                clear(N)
                clear(bank)
                when done[b]:
                    clear(T)
    step reset:
        prepare:
            clear(T); clear(N); clear(T)
"""


@pytest.mark.parametrize("way", WAYS)
def test_clear(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    session = session_of(
        CHAT,
        way,
        {"B": 2, "T": 16, "N": 16},
        {"T": 0, "N": 0} if "oracle" not in way else {"T": [0, 0], "N": 0},
        tmp_path,
    )
    rows: list[list[np.ndarray]] = [[], []]
    documents: list[list[int]] = []
    recent: list[int] = []
    for call in range(16):
        step = ("add", "learn", "learn", "add", "finish", "add", "learn", "reset")[call % 8]
        session.step = step
        if step == "add":
            k = rng.normal(size=(2, 4)).astype(np.float32) + 0.4
            total = session.call(k=k)["total"]
            for row in range(2):
                rows[row].append(k[row])
                np.testing.assert_allclose(total[row], np.sum(rows[row]), rtol=1e-5, atol=1e-5)
                rows[row] = [] if np.sum(rows[row]) > 5 else rows[row]
        elif step == "learn":
            terms = rng.integers(-1, 10, 3)
            outputs = session.call(terms=terms)
            documents.append([term for term in terms if term >= 0])
            recent = [*recent, len(documents[-1])][-3:]
            assert outputs["recent"] == sum(recent)
            counted = [sum(term in one for one in documents) for term in range(10)]
            np.testing.assert_array_equal(outputs["documents"], counted)
        elif step == "finish":
            done = np.array([call > 8, True])
            session.call(done=done, full=np.asarray(call > 8))
            if call > 8:
                documents, recent = [], []
                rows = [[] if each else kept for each, kept in zip(done, rows, strict=True)]
        else:
            session.call()
            documents, rows = [], [[], []]
        assert session.lengths["T"].tolist() == [len(row) for row in rows]
        assert session.lengths["N"].tolist() == [len(documents)]
