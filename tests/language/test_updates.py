"""Memories written in part, at computed places, and by adding, on every device, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

WRITES = """
pipeline writes:
    dim B <= 4
    dim D = 4
    dim N = 6
    dim J = 5
    dim H = 3
    input k: f32[B, D]
    input victim: i32[B]
    input idx: i32[J]
    input x: f32[J]
    input at: i32[H, J]
    input v: f32[H, J]
    input ones: i8[J]
    memory kc: f32[B, N, D]
    memory total: f32[N]
    memory last: f32[N]
    memory part: f32[N, D]
    memory pair: f32[N]
    memory hits: i32[N, H]
    memory narrow: bf16[N]
    memory kept: f32[N]
    memory sum_all: f32[D]

    prepare:
        kc[b, victim[b], d] = k[b, d] + kc[b, 0, d]
        total[idx[j]] += x[j]
        total[idx[j] + 1] -= 2 * x[j]
        last[idx[j]] = x[j] + last[0]
        part[n < 2, d] = 2 * part[n, d] + part[n + 1, d]
        part[j + 1, d < 3] = x[j]
        part[0, d] *= 0.5
        pair[at[h, j]] = v[h, j]
        hits[idx[j], h] += ones[j]
        narrow[idx[j]] += x[j]
        free[j] = where(x[j] > 0, idx[j])
        kept[free[j]] = where(x[j] > 1, x[j])
        kept[0] += where(x[0] > 0, x[0])
        sum_all[d] += where(d > 0, k[0, d])
        first = last[0]
    output first
"""


def _bf16(values: np.ndarray) -> np.ndarray:
    import ml_dtypes

    return values.astype(ml_dtypes.bfloat16).astype(np.float64)


@pytest.mark.parametrize("way", WAYS)
def test_writes(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    session = session_of(WRITES, way, {"B": 3}, {}, tmp_path)
    shapes = {"kc": (3, 6, 4), "total": (6,), "last": (6,), "part": (6, 4), "pair": (6,), "kept": (6,)}
    held = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for name, array in held.items():
        session.load(name, array)
    now = {name: array.astype(np.float64) for name, array in held.items()}
    now |= {"hits": np.zeros((6, 3), np.int64), "narrow": np.zeros(6), "sum_all": np.zeros(4)}
    for _ in range(3):
        tensors = {
            "k": rng.normal(size=(3, 4)).astype(np.float32),
            "x": rng.normal(size=5).astype(np.float32),
            "v": rng.normal(size=(3, 5)).astype(np.float32),
            "victim": rng.integers(-1, 7, 3),
            "idx": rng.integers(-1, 7, 5),
            "at": rng.integers(-1, 7, (3, 5)),
            "ones": rng.integers(1, 3, 5),
        }
        outputs = session.call(**tensors)
        _write(now, **tensors)
        np.testing.assert_allclose(outputs["first"], now["last"][0], rtol=1e-5)
        for name, expected in now.items():
            tolerance = {"narrow": 0.02}.get(name, 1e-5)
            found = session.memory(name)
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=name)


def _write(now, k, x, v, victim, idx, at, ones) -> None:
    """One call of WRITES, element by element."""
    old = {name: array.copy() for name, array in now.items()}
    for b in range(3):
        if 0 <= victim[b] < 6:
            now["kc"][b, victim[b]] = k[b] + old["kc"][b, 0]
    for j in range(5):
        if 0 <= idx[j] < 6:
            now["total"][idx[j]] += x[j]
            now["last"][idx[j]] = x[j] + old["last"][0]
            now["hits"][idx[j]] += ones[j]
            now["narrow"][idx[j]] += x[j]
        if 0 <= idx[j] + 1 < 6:
            now["total"][idx[j] + 1] -= 2 * x[j]
    now["narrow"][:] = _bf16(now["narrow"])
    now["part"][:2] = 2 * old["part"][:2] + old["part"][1:3]
    now["part"][1:6, :3] = x[:, None]
    now["part"][0] *= 0.5
    for h in range(3):
        for j in range(5):
            if 0 <= at[h, j] < 6:
                now["pair"][at[h, j]] = v[h, j]
    for j in range(5):
        if x[j] > 0 and 0 <= idx[j] < 6:
            now["kept"][idx[j]] = x[j] if x[j] > 1 else 0
    if x[0] > 0:
        now["kept"][0] += x[0]
    now["sum_all"][1:] += k[0, 1:]


GROWING = """
pipeline growing:
    dim B <= 4
    dim T <= 32 per B
    dim D = 4
    dim J = 3
    input k: f32[B, D]
    input pick: i32[B, J]
    memory keys: f32[B, T, D]
    memory uses: i32[B, T]

    step add(k) grows T by 1:
        prepare:
            none[b] = 0 * i32(k[b, 0])
            append(keys, k)
            append(uses, none)
            keys[b, T[b] - 2, d] *= 0.5
        output keys

    step use(pick):
        apply:
            uses[b, pick[b, j]] += 1
            keys[b, pick[b, j], 0] = j
            least[b] = argmin[t](uses[b, t])
        output least
"""


@pytest.mark.parametrize("way", WAYS)
def test_rows_of_a_growing_memory(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    lengths = [2, 0]
    session = session_of(GROWING, way, {"B": 2, "T": 7}, {"T": lengths}, tmp_path)
    start = rng.normal(size=(2, 7, 4)).astype(np.float32)
    session.load("keys", start)
    session.load("uses", np.zeros((2, 7), np.int64))
    keys = [list(start[b, : lengths[b]].astype(float)) for b in range(2)]
    uses = [[0] * length for length in lengths]
    for call in range(6):
        if call % 2 == 0:
            k = rng.normal(size=(2, 4)).astype(np.float32)
            session.step = "add"
            held = session.call(k=k)["keys"]
            for b in range(2):
                keys[b].append(k[b].astype(float))
                uses[b].append(0)
                if len(keys[b]) > 1:
                    keys[b][-2] = keys[b][-2] * 0.5
                np.testing.assert_allclose(held[b, : len(keys[b])], keys[b], rtol=1e-6)
        else:
            pick = rng.integers(-1, 6, (2, 3))
            session.step = "use"
            least = session.call(pick=pick)["least"]
            for b in range(2):
                for j in range(3):
                    if 0 <= pick[b, j] < len(uses[b]):
                        uses[b][pick[b, j]] += 1
                        keys[b][pick[b, j]][0] = j
                assert least[b] == np.argmin(uses[b])
        for b in range(2):
            np.testing.assert_allclose(session.memory("keys")[b, : len(keys[b])], keys[b], rtol=1e-6)
            assert session.memory("uses")[b, : len(uses[b])].tolist() == uses[b]
