"""Pipelines that only read a cache in pages: the caller's pool, page table and lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hetc.numerics.packing import pack, unpack
from hetc.runtime.errors import CapacityError, InputError
from tests.executors import ProgramSession
from tests.language.running import WAYS, session_of

BLOCK, D, H = 4, 6, 2
PROGRAM = """
pipeline attend:
    dim B <= 8
    dim T <= 64 per B
    dim H = 2; dim D = 6
    input q: f32[B, H, D]
    memory keys: bf16[B, T, D] @paged(4)
    memory scale: f32[B, T] @planes(keys)
    memory values: fp4[B, T, D] @paged(4)
    memory weight: f32[B, T]

    relevancy:
        s[b, h, t] = scale[b, t] * sum[d](q[b, h, d] * keys[b, t, d])
    retrieve:
        picked[b, j < 3] = topk[t](sum[h](s[b, h, t]), 3)
    apply:
        p[b, h, t] = softmax[t](s[b, h, t])
        o[b, h, d] = sum[t](p[b, h, t] * values[b, t, d])
        n[b] = sum[t](weight[b, t])
    output o, picked, n
"""
LENGTHS = np.array([9, 0, 4])


def caches(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Memories over capacities, values of their types."""
    keys = rng.integers(-8, 9, (3, 16, D)) / 4.0
    values = rng.choice([0, 0.5, 1, -1.5, 2, 3, -4, 6], (3, 16, D))
    return {"keys": keys, "scale": rng.random((3, 16)), "values": values, "weight": rng.random((3, 16))}


def check(outputs: dict[str, np.ndarray], cache: dict[str, np.ndarray], q: np.ndarray, lengths: np.ndarray) -> None:
    for b, length in enumerate(lengths):
        scores = cache["scale"][b, :length] * (q[b] @ cache["keys"][b, :length].T)
        best = np.argsort(-scores.sum(0), kind="stable")[:3]
        assert set(outputs["picked"][b].tolist()) - {-1} == set(best.tolist())
        np.testing.assert_allclose(outputs["n"][b], cache["weight"][b, :length].sum(), rtol=1e-5)
        p = np.exp(scores - scores.max(-1, keepdims=True, initial=-np.inf)) if length else np.zeros((H, 0))
        p = p / p.sum(-1, keepdims=True) if length else p
        np.testing.assert_allclose(outputs["o"][b], p @ cache["values"][b, :length], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_a_cache_that_no_step_appends_to_is_read(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    session = session_of(PROGRAM, way, {"B": 3, "T": 16}, {"T": LENGTHS}, tmp_path)
    cache = {name: np.asarray(array, np.float32) for name, array in caches(rng).items()}
    for name, array in cache.items():
        session.load(name, array)
    for _ in range(2):
        q = rng.normal(size=(3, H, D)).astype(np.float32)
        check(session.call(q=q), cache, q, LENGTHS)


def test_it_lies_in_the_callers_pages(tmp_path: Path) -> None:
    """Pages are anywhere in the pool; the table and the lengths change from step to step."""
    rng = np.random.default_rng(1)
    session = session_of(PROGRAM, "gpu", {"B": 3, "T": 16}, {"T": [0, 0, 0]}, tmp_path)
    assert isinstance(session, ProgramSession)
    cache = caches(rng) | {"weight": np.zeros((3, 16))}
    pages = 20
    order = rng.permutation(pages)[:12].reshape(3, 4)
    pool = torch.zeros((pages, BLOCK * D * 2 + BLOCK * 4), dtype=torch.uint8)
    values = torch.zeros((pages, BLOCK, D // 2), dtype=torch.uint8)
    rows = torch.from_numpy(cache["keys"]).to(torch.bfloat16).view(torch.uint8).reshape(3, 4, -1)
    scales = torch.from_numpy(cache["scale"].astype(np.float32)).view(torch.uint8).reshape(3, 4, -1)
    for b, e in np.ndindex(3, 4):
        pool[order[b, e]] = torch.cat([rows[b, e], scales[b, e]])
        values[order[b, e]] = torch.from_numpy(pack(cache["values"][b, BLOCK * e : BLOCK * (e + 1)], "fp4"))
    table = torch.from_numpy(order.astype(np.int32))
    state = session.state
    state.bind(keys=pool, values=values, block_table=table, lengths=LENGTHS)
    for lengths in (LENGTHS, np.array([1, 16, 7])):
        state.set_lengths(T=lengths)
        q = rng.normal(size=(3, H, D)).astype(np.float32)
        check(session.call(q=q), cache, q, lengths)
    held = unpack(values.numpy(), "fp4", D)
    table[0], order[0] = torch.from_numpy(order[2].astype(np.int32)), order[2]
    for name in ("keys", "scale", "values"):
        cache[name][0] = cache[name][2]
    check(session.call(q=q), cache, q, lengths)
    assert np.array_equal(unpack(values.numpy(), "fp4", D), held)  # nothing is written
    table[1, 3] = 99
    with pytest.raises(CapacityError, match="entry 3 of it names no page"):
        session.call(q=q)
    table[1, 3] = int(order[1, 3])
    with pytest.raises(InputError, match="the state keeps it"):
        session.program.step("attend")(state, {"T": [1, 1, 1]}, q=q)


WRITTEN = """
pipeline written grows T by 1:
    dim B <= 4
    dim T <= 64 per B
    dim D = 4
    input x: f32[B, D]
    memory mem: f32[B, T, D] @paged(2)
    prepare:
        append(mem, x)
    apply:
        mem[b, t, d] = mem[b, t, d] * 0.5 + x[b, d]
        s[b, t] = sum[d](mem[b, t, d])
    output s
"""


@pytest.mark.parametrize("way", WAYS)
def test_pages_that_are_written_anew_are_read_in_the_same_step(way: str, tmp_path: Path) -> None:
    """What is computed lies row-major until the step completes."""
    session = session_of(WRITTEN, way, {"B": 2, "T": 8}, {"T": [3, 0]}, tmp_path)
    held = np.arange(64, dtype=np.float32).reshape(2, 8, 4)
    session.load("mem", held)
    for call in range(2):
        x = np.full((2, 4), call + 1, np.float32)
        outputs = session.call(x=x)
        for b, before in enumerate((3, 0)):
            length = before + call + 1
            held[b, length - 1] = x[b]
            held[b, :length] = held[b, :length] * 0.5 + x[b]
            np.testing.assert_array_equal(outputs["s"][b, :length], held[b, :length].sum(-1))
            np.testing.assert_array_equal(session.memory("mem")[b, :length], held[b, :length])
