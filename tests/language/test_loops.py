"""`for` and `repeat` as loops: what they carry, layers, nesting, and memories that grow layer by layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.compiler.frontend import compile_source
from hetc.compiler.verify import run
from hetc.dialects.mp import ForOp
from hetc.runtime.program import load_program
from hetc.source import SourceFile
from tests.executors import THREE_KINDS, ProgramSession
from tests.language.running import WAYS, session_of

CARRIED = """
pipeline carried:
    dim B <= 4
    dim D = 4
    input x: f32[B, D]
    memory seen: i32[D]
    memory state: f32[D]

    prepare:
        a[b, d] = x[b, d]
        c[b, d] = 2 * x[b, d]
        rate = 0.5
        repeat 3:
            old[b, d] = a[b, d]
            a[b, d] = c[b, d] - rate
            c[b, d] = old[b, d]
            rate = rate * 0.5
            seen[d] += 1
        for l in 3:
            for m in 2:
                where_is[b, d] = where(d == l + m, x[b, d], 0)
                state[d] = state[d] + 10 * l + m + sum[b](where_is[b, d])
            when l > 0:
                seen[l] = seen[l] + 100
    output a, c
"""


@pytest.mark.parametrize("way", WAYS)
def test_what_a_loop_carries(way: str, tmp_path: Path) -> None:
    session = session_of(CARRIED, way, {"B": 2}, {}, tmp_path)
    rng = np.random.default_rng(4)
    state, seen = np.zeros(4), np.zeros(4)
    for _ in range(2):
        x = rng.normal(size=(2, 4)).astype(np.float32)
        a, c, rate = x, 2 * x, 0.5
        for _ in range(3):
            a, c, rate = c - rate, a, rate * 0.5
        seen += 3
        for layer in range(3):
            for m in range(2):
                state += 10 * layer + m
                state[layer + m] += x[:, layer + m].sum()
            if layer:
                seen[layer] += 100
        outputs = session.call(x=x)
        np.testing.assert_allclose(outputs["a"], a, rtol=1e-6)
        np.testing.assert_allclose(outputs["c"], c, rtol=1e-6)
        np.testing.assert_allclose(session.memory("state"), state, rtol=1e-5)
        np.testing.assert_array_equal(session.memory("seen"), seen)


ABSENT = """
pipeline absent:
    dim D = 6
    input x: f32[D]
    input at: i32
    prepare:
        y[d] = where(x[d] > 0, x[d])
        best = argmax[d](where(x[d] > 2, x[d]))
        n = count[d](y[d] < 100)
        for l in 2:
            m[d] = y[d]
            y[d] = y[d] + 1
            picked = x[best]
            best = argmax[d](where(d == at, x[d]))
        after = count[d](y[d] < 100)
    output y, n, after, best
"""


@pytest.mark.parametrize("way", WAYS)
def test_what_is_carried_is_stored(way: str, tmp_path: Path) -> None:
    """Absent elements are 0 from the first pass on, absent positions -1."""
    session = session_of(ABSENT, way, {}, {}, tmp_path)
    x = np.array([1, -1, 0.5, -2, 1, -3], np.float32)
    outputs = session.call(x=x, at=np.int32(9))
    np.testing.assert_allclose(outputs["y"], np.maximum(x, 0) + 2)
    assert (int(outputs["n"]), int(outputs["after"]), int(outputs["best"])) == (3, 6, -1)


DECODER = """
pipeline decoder:
    dim L = 3
    dim B <= 4
    dim T <= 64 per B
    dim C = 4
    dim D = 8
    input tokens: f32[B, C, D]
    input token: f32[B, D]
    weight wq: f32[L, D, D]
    weight wk: bf16[L, D, D]
    memory keys: bf16[L, B, T, D]
    memory calls_of: i32[L]

    def attend(h, w):
        q[b, e] = sum[d](h[b, d] * w[d, e])
        return q

    step prefill(tokens) grows T by C:
        apply:
            h[b, c, d] = tokens[b, c, d]
            for l in L:
                k[b, c, e] = bf16(sum[d](h[b, c, d] * wk[l, d, e]))
                append(keys[l], k)
                q[b, c, e] = sum[d](h[b, c, d] * wq[l, d, e])
                s[b, c, t] = where(t <= T[b] - C + c, sum[d](q[b, c, d] * keys[l, b, t, d]) / sqrt(D))
                p[b, c, t] = softmax[t](s[b, c, t])
                h[b, c, d] = h[b, c, d] + sum[t](p[b, c, t] * keys[l, b, t, d])
                calls_of[l] += 1
        output h
    step decode(token) grows T by 1:
        prepare:
            h[b, d] = token[b, d]
            for l in L:
                k[b, e] = sum[d](h[b, d] * wk[l, d, e])
                append(keys[l], k)
                q[b, e] = sum[d](h[b, d] * wq[l, d, e])
                p[b, t] = softmax[t](sum[d](q[b, d] * keys[l, b, t, d]) / sqrt(D))
                h[b, d] = h[b, d] + sum[t](p[b, t] * keys[l, b, t, d])
        output h
    step peek:
        prepare:
            total[l, d] = sum[b, t](keys[l, b, t, d])
        output total, keys
"""
PLACEMENTS = [
    {"apply": "gpu", "prepare": "fpga"},
    {"apply": "fpga", "prepare": "gpu"},
    {"apply": "gpu", "prepare": "gpu"},
]


def _bf16(x: np.ndarray) -> np.ndarray:
    import torch

    return torch.from_numpy(np.ascontiguousarray(x, np.float32)).to(torch.bfloat16).float().numpy()


class Decoder:
    """The decoder in numpy, keys of each layer and sequence as lists."""

    def __init__(self, rng: np.random.Generator, batch: int):
        self.wq = rng.normal(size=(3, 8, 8)).astype(np.float32) / 3
        self.wk = _bf16(rng.normal(size=(3, 8, 8)) / 3)
        self.keys = np.zeros((3, batch, 0, 8), np.float32)

    def run(self, tokens: np.ndarray) -> np.ndarray:
        h = tokens.astype(np.float64)
        count = tokens.shape[1]
        grown = []
        for layer in range(3):
            keys = np.concatenate([self.keys[layer], _bf16(h @ self.wk[layer])], axis=1)
            grown.append(keys)
            scores = np.einsum("bcd,btd->bct", h @ self.wq[layer], keys) / np.sqrt(8)
            length = keys.shape[1]
            causal = np.arange(length)[None] <= np.arange(length - count, length)[:, None]
            scores = np.where(causal[None], scores, -np.inf)
            p = np.exp(scores - scores.max(-1, keepdims=True))
            h = h + np.einsum("bct,btd->bcd", p / p.sum(-1, keepdims=True), keys)
        self.keys = np.stack(grown)
        return h


@pytest.mark.parametrize("pins", PLACEMENTS, ids=lambda pins: f"{pins['apply']}-{pins['prepare']}")
def test_steps_share_a_memory_by_layers(pins: dict[str, str], tmp_path: Path) -> None:
    options = Options("mi210+u55c", pins=pins, dims={"B": 2, "T": 32})
    compilation = compile_source_file(SourceFile("decoder.mp", DECODER), options)
    write_directory(compilation, tmp_path / "out")
    text = (tmp_path / "out" / "host" / "decoder_host.py").read_text()
    assert text.count("for l in range(3):") == 2
    session = ProgramSession(load_program(tmp_path / "out", "emulation"), {"B": 2, "T": 32}, {"T": 0})
    rng = np.random.default_rng(1)
    twin = Decoder(rng, 2)
    weights = {"wq": twin.wq, "wk": twin.wk}
    for call in range(4):
        tokens = rng.normal(size=(2, 4 if call % 2 == 0 else 1, 8)).astype(np.float32)
        expected = twin.run(tokens)
        if call % 2 == 0:
            session.step = "prefill"
            h = session.call(tokens=tokens, **weights)["h"]
        else:
            session.step = "decode"
            h = session.call(token=tokens[:, 0], **weights)["h"][:, None]
        np.testing.assert_allclose(h, expected, rtol=2e-2, atol=2e-2)
        np.testing.assert_allclose(session.memory("keys"), twin.keys, rtol=2e-2, atol=2e-2)
        np.testing.assert_array_equal(session.memory("calls_of"), [call // 2 + 1] * 3)
        twin.keys = np.asarray(session.memory("keys"), np.float32)
    session.step = "peek"
    outputs = session.call()
    np.testing.assert_allclose(outputs["total"], twin.keys.sum((1, 2)), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(outputs["keys"], twin.keys)


@pytest.mark.parametrize("pins", PLACEMENTS[:2], ids=lambda pins: f"{pins['apply']}-{pins['prepare']}")
def test_every_pass_is_checked(pins: dict[str, str]) -> None:
    options = Options("mi210+u55c", pins=pins, dims={"B": 2, "T": 32})
    compilation = compile_source_file(SourceFile("decoder.mp", DECODER), options)
    report = run(compilation, seed=3, calls=2, extents={"T": [0, 5]})
    assert report.ok and any(row.stage == "memory" for row in report.rows), report


def test_a_loop_is_one_op_whatever_its_passes() -> None:
    def ops(layers: int) -> int:
        module = compile_source(SourceFile("decoder.mp", DECODER), {"L": layers})
        assert [op.passes for op in module.walk() if isinstance(op, ForOp)] == [layers, layers]
        return sum(1 for _ in module.walk())

    assert ops(2) == ops(60)


@pytest.mark.parametrize("kind", ["gpu", "fpga", "cpu"])
def test_a_kernel_is_estimated_for_one_pass(kind: str) -> None:
    """However many layers a loop goes through, a pass of it takes as long and moves as much."""
    pins = {"apply": kind, "prepare": kind}
    reports = [
        compile_source_file(
            SourceFile("decoder.mp", DECODER),
            Options(THREE_KINDS, {"L": layers, "B": 2, "T": 32}, pins=pins),
            until="placed",
        ).report
        for layers in (2, 6)
    ]
    few, many = ({kernel["name"]: kernel for kernel in report["kernels"]} for report in reports)
    assert few.keys() == many.keys() and {kernel["times"] for kernel in many.values()} == {1, 6}
    for name, kernel in few.items():
        if name.startswith("decode"):  # `peek` reads all layers at once
            assert many[name]["schedule"] == kernel["schedule"], name


NESTED = """
pipeline nested:
    dim N = 3
    dim M = 2
    dim D = 4
    input x: f32[D]
    weight w: f32[N, M, D]
    memory last: f32[N, M, D]
    apply:
        h[d] = x[d]
        for n in N:
            for m in M:
                h[d] = 2 * h[d] + w[n, m, d] - w[2 - n, m, d]
                last[n, m, d] = h[d]
    output h
"""


@pytest.mark.parametrize("way", WAYS)
def test_layers_of_layers(way: str, tmp_path: Path) -> None:
    """Each is a part of its own, of a weight (which is read as a whole besides) and of a memory."""
    session = session_of(NESTED, way, {}, {}, tmp_path)
    w = np.arange(24, dtype=np.float32).reshape(3, 2, 4)
    for call in range(2):
        expected = np.full(4, call, np.float32)
        outputs = session.call(x=expected.copy(), w=w)
        last = np.zeros((3, 2, 4))
        for n, m in np.ndindex(3, 2):
            expected = 2 * expected + w[n, m] - w[2 - n, m]
            last[n, m] = expected
        np.testing.assert_array_equal(outputs["h"], expected)
        np.testing.assert_array_equal(session.memory("last"), last)
