"""Rewrites leave threads what they share: with one sequence, too, the long loops of a phase are split among them."""

from __future__ import annotations

import pytest

from hetc.compiler.driver import Options, compile_source_file
from hetc.dialects import nest
from hetc.dialects.task import KernelOp
from hetc.passes.nest.cost import operations, phase_cost
from hetc.passes.schedule.cpu import plan
from hetc.platforms import load_platform
from hetc.platforms.cpu import Cpu
from hetc.source import SourceFile

PROGRAM = """pipeline p:
    dim B <= 8
    dim T <= 65536 per B
    dim U <= 65536 per B
    input x: f32[B, T]
    input y: f32[B, U]
    input q: f32[B, 64]
    input k: f32[B, T, 64]
    input n: f32[B]
    input m: f32[64, 16384]
    relevancy:
"""
STATEMENTS = {
    "a score and its selection": """
        s[b, t] = sum[d](q[b, d] * k[b, t, d])
        o[b, j] = topk[t](s[b, t], 16)
""",
    "a score that is a result, and its selection": """
        s[b, t] = sum[d](q[b, d] * k[b, t, d])
        o[b, j] = topk[t](s[b, t], 16)
    output s
""",
    "long loops of two ranges": """
        o[b, t] = x[b, t] * 2
        r[b, u] = y[b, u] * 3
    output r
""",
    "two passes over one sequence": """
        a[b] = max[t](x[b, t])
        o[b, t] = exp(x[b, t] - a[b])
""",
    "what does not change inside": """
        o[b, i] = sum[d](m[i, d] * n[b])
""",
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_one_sequence_occupies_threads(name: str) -> None:
    text = f"{PROGRAM}{STATEMENTS[name]}    output o\n"
    (device,) = [item for item in load_platform("cpu").devices.values() if isinstance(item, Cpu)]
    placed = compile_source_file(SourceFile("p.mp", text), Options("cpu")).placed
    for task in [op for op in placed.walk() if isinstance(op, KernelOp)]:
        made = plan(task, device, {})
        extents = {**made.bounds, "B": 1}
        for phase in [op for op in made.loops.block.ops if isinstance(op, nest.PhaseOp)]:
            assert operations(phase, extents) < 50_000 or phase_cost(phase, device, extents).cores > 1, name
