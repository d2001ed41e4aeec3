"""Stages inside of `for`, `repeat` and `when`: each is placed apart, whatever block it stands in."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.dialects.mp import ForOp, PipelineOp
from hetc.dialects.task import KernelOp
from hetc.runtime.program import load_program
from hetc.source import SourceFile
from tests.executors import ProgramSession
from tests.language.running import WAYS, session_of

LAYERS = """
pipeline layers grows T by 1:
    dim B <= 4
    dim T <= 64 per B
    dim L = 3; dim D = 8; dim K = 4
    input x: f32[B, D]
    weight wq: f32[L, D, D]; weight wk: f32[L, D, D]; weight wo: f32[L, D, D]
    memory keys: f32[L, B, T, D]
    memory best: f32[L, B]
    prepare:
        z[b, d] = 2 * x[b, d]
    for l in L:
        prepare:
            q[b, d] = sum[e](z[b, e] * wq[l, e, d])
            k[b, d] = sum[e](z[b, e] * wk[l, e, d])
            append(keys[l], k)
        relevancy:
            s[b, t] = sum[d](q[b, d] * keys[l, b, t, d])
            best[l, b] = max[t](s[b, t])
        retrieve:
            picked[b, j] = topk[t](s[b, t], K)
        apply:
            p[b, j] = softmax[j](sum[d](q[b, d] * keys[l, b, picked[b, j], d]))
            o[b, d] = sum[j](p[b, j] * keys[l, b, picked[b, j], d])
            z[b, d] = z[b, d] + sum[e](o[b, e] * wo[l, e, d])
    apply:
        y[b, d] = z[b, d] + best[2, b]
    output y
"""
STAGES = ("prepare", "relevancy", "retrieve", "apply")


def layers(x, weights, keys, best):
    """One call, in float64: the output; `keys` of each layer grow, `best` is written."""
    z = 2 * x.astype(np.float64)
    for layer, (wq, wk, wo) in enumerate(zip(*weights, strict=True)):
        q, k = z @ wq, z @ wk
        keys[layer] = np.concatenate([keys[layer], k[:, None]], axis=1)
        s = np.einsum("bd,btd->bt", q, keys[layer])
        best[layer] = s.max(1)
        o = np.zeros_like(z)
        for b, row in enumerate(s):
            chosen = np.argsort(-row, kind="stable")[:4]
            scores = np.exp(row[chosen] - row[chosen].max())
            o[b] = scores / scores.sum() @ keys[layer][b, chosen]
        z = z + o @ wo
    return z + best[2][:, None]


QUICK = ("gfgf", "fgfg", "ggff", "gffg")
"""In these, neighbours differ in each of the two ways."""


def _placements():
    for kinds in itertools.product(("gpu", "fpga"), repeat=4):
        word = "".join(kind[0] for kind in kinds)
        marks = () if word in QUICK else pytest.mark.full
        yield pytest.param(dict(zip(STAGES, kinds, strict=True)), id=word, marks=marks)


@pytest.mark.parametrize("pins", list(_placements()))
def test_each_stage_of_a_layer_on_each_device(pins: dict[str, str], tmp_path: Path) -> None:
    artifacts = compile_source_file(SourceFile("layers.mp", LAYERS), Options(pins=pins))
    (loop,) = [op for op in artifacts.placed.walk() if isinstance(op, ForOp)]
    placed = {stage.data: op.device.data for op in loop.walk() if isinstance(op, KernelOp) for stage in op.stages}
    assert placed == pins
    write_directory(artifacts, tmp_path / "out")
    session = ProgramSession(load_program(tmp_path / "out", "emulation"), {"B": 2, "T": 64}, {"T": 0})
    rng = np.random.default_rng(11)
    weights = [rng.normal(size=(3, 8, 8)).astype(np.float32) * 0.4 for _ in range(3)]
    keys, best = [np.zeros((2, 0, 8)) for _ in range(3)], np.zeros((3, 2))
    for _ in range(6):
        x = rng.normal(size=(2, 8)).astype(np.float32)
        expected = layers(x, weights, keys, best)
        found = session.call(x=x, wq=weights[0], wk=weights[1], wo=weights[2])
        np.testing.assert_allclose(found["y"], expected, rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(session.memory("best"), best, rtol=2e-3, atol=2e-3)


BLOCKS = """
pipeline blocks:
    dim B <= 4
    dim D = 4
    input x: f32[B, D]
    memory total: f32[B, D]
    def halved(v):
        y[b, d] = v[b, d]
        for l in 2:
            relevancy @fpga:
                top[b] = max[d](y[b, d])
            y[b, d] = 0.5 * y[b, d] + l * top[b]
        return y
    prepare @gpu:
        a[b, d] = x[b, d]
    repeat 2:
        repeat 3:
            relevancy:
                m[b] = sum[d](a[b, d])
            prepare: a[b, d] = a[b, d] - 0.25 * m[b] + calls
        retrieve @fpga:
            a[b, d < D] = a[b, 3 - d]
    when calls % 2 == 1:
        retrieve:
            total[b, d] += a[b, d]
        apply: total[b, d] *= 2
    apply:
        when x[b, 0] > 0:
            total[b, d] += 1
        h = halved(a)
    output a, h
"""


@pytest.mark.parametrize("way", WAYS)
def test_blocks_of_stages(way: str, tmp_path: Path) -> None:
    session = session_of(BLOCKS, way, {"B": 3}, {}, tmp_path)
    rng = np.random.default_rng(5)
    total = np.zeros((3, 4))
    for call in range(4):
        x = rng.normal(size=(3, 4)).astype(np.float32)
        a = x.astype(np.float64)
        for _ in range(2):
            for _ in range(3):
                a = a - 0.25 * a.sum(1, keepdims=True) + call
            a = a[:, ::-1]
        if call % 2:
            total = (total + a) * 2
        total += x[:, :1] > 0
        h = a
        for layer in range(2):
            h = 0.5 * h + layer * h.max(1, keepdims=True)
        found = session.call(x=x)
        np.testing.assert_allclose(found["a"], a, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found["h"], h, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(session.memory("total"), total, rtol=1e-5, atol=1e-4)


def test_pins_stand_wherever_a_stage_does() -> None:
    module = compile_source_file(SourceFile("blocks.mp", BLOCKS), Options(), until="placed").placed
    (pipeline,) = [op for op in module.walk() if isinstance(op, PipelineOp)]
    (step,) = pipeline.steps.values()
    assert {stage: kind.data for stage, kind in step.pins.data.items()} == {
        "prepare": "gpu", "retrieve": "fpga", "relevancy": "fpga"
    }  # fmt: skip


NUMBERED = """
pipeline numbered:
    dim B <= 4
    dim D = 3
    input x: f32[B, D]
    memory acc: f32[B, D]
    apply:
        y[b, d] = x[b, d]
        z[b, d] = x[b, d]
    for l in 3:
        prepare:
            unused[b, d] = x[b, d] * l
        relevancy:
            y[b, d] = y[b, d] * 0.5 + l
            acc[b, d] += y[b, d]
        apply:
            old[b, d] = z[b, d]
            z[b, d] = y[b, d] + l
        retrieve:
            y[b, d] = old[b, d]
    output y, z
"""


@pytest.mark.parametrize("pins", [{"relevancy": "fpga", "apply": "gpu"}, {"relevancy": "gpu", "apply": "fpga"}])
def test_a_loop_whose_first_stage_is_dropped(pins: dict[str, str], tmp_path: Path) -> None:
    """Nothing needs what `prepare` computes; both devices read the number of the pass, and values change places."""
    write_directory(compile_source_file(SourceFile("numbered.mp", NUMBERED), Options(pins=pins)), tmp_path / "out")
    session = ProgramSession(load_program(tmp_path / "out", "emulation"), {"B": 2}, {})
    x = np.random.default_rng(8).normal(size=(2, 3)).astype(np.float32)
    y, z, acc = x, x, np.zeros((2, 3))
    for number in range(3):
        y = y * 0.5 + number
        acc += y
        y, z = z, y + number
    found = session.call(x=x)
    np.testing.assert_allclose(found["y"], y, rtol=1e-6)
    np.testing.assert_allclose(found["z"], z, rtol=1e-6)
    np.testing.assert_allclose(session.memory("acc"), acc, rtol=1e-5)
