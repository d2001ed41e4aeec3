"""What is said of loops: bytes that a stage moves through them."""

from __future__ import annotations

from hetc.compiler.driver import Options, compile_source_file
from hetc.source import SourceFile

CARRYING = """
pipeline carrying:
    dim B <= 8
    dim D = 16
    input x: f32[B, D]
    weight w: f32[10, D, D]

    prepare:
        y[b, d] = 2 * x[b, d]
    apply:
        h[b, d] = y[b, d]
        g[b, d] = y[b, d]
        for l in 10:
            old[b, d] = h[b, d]
            h[b, e] = sum[d](g[b, d] * w[l, d, e])
            g[b, d] = old[b, d]
    retrieve:
        best[b] = argmax[d](h[b, d])
    output best
"""


def test_what_a_stage_carries_through_a_loop_stays_in_it() -> None:
    """It comes in once and goes out once, however many passes read and write it."""
    report = compile_source_file(SourceFile("carrying.mp", CARRYING), Options("mi210"), until="placed").report
    moved = {row["stage"]: row["bytes"] for row in report["stages"]}
    value = 8 * 16 * 4
    assert moved["apply"] == {
        "memory": 0,
        "weight": 10 * 16 * 16 * 4,
        "input": 0,
        "intermediate": value,
        "written": value,
    }
    assert moved["retrieve"]["intermediate"] == value
