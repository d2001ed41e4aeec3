"""Rows of a constant extent that stream past on the FPGA: a weight's, a ring's slots, the layers of either."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.runtime.program import load_program
from hetc.source import SourceFile
from tests.executors import ProgramSession

WEIGHTS = """
pipeline weights:
    dim B <= 4
    dim L = 2
    dim D = 64
    dim F = 150
    input x: f32[B, D]
    weight up: bf16[L, F, D]
    weight down: i8[L, D, F]
    weight head: bf16[200, D]
    apply:
        h[b, d] = x[b, d]
        for l in L:
            u[b, f] = relu(sum[d](h[b, d] * up[l, f, d]))
            h[b, d] = h[b, d] + sum[f](u[b, f] * down[l, d, f])
        o[b, v] = sum[d](h[b, d] * head[v, d])
        best[b, j] = topk[v](o[b, v], 3)
    output o, best
"""
RING = """
pipeline ring:
    dim B <= 4
    dim N = 400
    dim E = 32
    input q: f32[B, E]
    input m: bf16[B, E]
    memory bank: ring bf16[B, N, E]
    prepare:
        append(bank, m)
    relevancy:
        s[b, n] = sum[e](q[b, e] * bank[b, n, e])
        a[b] = max[n](s[b, n])
    output s, a
"""


def session(text: str, directory: Path, capacities: dict[str, int]) -> tuple[ProgramSession, str]:
    source = SourceFile("test.mp", text)
    stages = [name for name in ("prepare", "relevancy", "apply") if f"{name}:" in text]
    compilation = compile_source_file(source, Options(pins=dict.fromkeys(stages, "fpga")))
    write_directory(compilation, directory / "out")
    (host,) = (directory / "out" / "host").glob("*.py")
    return ProgramSession(load_program(directory / "out", "emulation"), capacities, {}), host.read_text()


@pytest.mark.parametrize("batch", [1, 3])
def test_rows_of_weights(batch: int, tmp_path: Path) -> None:
    opened, host = session(WEIGHTS, tmp_path, {"B": batch})
    assert "Stripes(" in host, "no weight is spread over memory channels"
    rng = np.random.default_rng(batch)
    up = rng.integers(-2, 3, (2, 150, 64)).astype(np.float32)
    down, head = rng.integers(-1, 2, (2, 64, 150)).astype(np.int8), rng.integers(-2, 3, (200, 64)).astype(np.float32)
    for _ in range(2):
        x = rng.integers(-2, 3, (batch, 64)).astype(np.float32)
        outputs, h = opened.call(x=x, up=up, down=down, head=head), x.astype(np.float64)
        for layer in range(2):
            h = h + np.maximum(h @ up[layer].T, 0) @ down[layer].T
        np.testing.assert_allclose(outputs["o"], h @ head.T, rtol=1e-5)
        expected = torch.from_numpy(h @ head.T).topk(3).indices.sort().values.numpy()
        np.testing.assert_array_equal(np.sort(outputs["best"]), expected)


def test_slots_of_a_ring(tmp_path: Path) -> None:
    opened, host = session(RING, tmp_path, {"B": 2})
    assert "stripes=20, striped_axis=1" in host
    rng, rows = np.random.default_rng(0), []
    for call in range(4):
        q, m = (rng.integers(-4, 5, (2, 32)).astype(np.float32) for _ in range(2))
        rows.append(m)
        outputs = opened.call(q=q, m=m)
        for slot, row in enumerate(rows):
            np.testing.assert_array_equal(outputs["s"][:, slot], (q * row).sum(1))
        assert not outputs["s"][:, call + 1 :].any()
        np.testing.assert_array_equal(outputs["a"], np.max([(q * row).sum(1) for row in rows], axis=0))
    bank = opened.memory("bank")
    np.testing.assert_array_equal(bank[:, :4], np.stack(rows, 1))
