"""What is drawn for a pipeline's memories is a state that the pipeline can be in."""

from __future__ import annotations

import numpy as np

from hetc.compiler.frontend import compile_source
from hetc.compiler.report import pipeline_of
from hetc.compiler.verify import draw
from hetc.source import SourceFile

BANK = """
pipeline p:
    dim N = 3
    input x: f32
    memory bank: ring f32[N]
    prepare:
        append(bank, x)
    apply:
        o = sum[n](bank[n])
    output o
"""


def test_the_appends_that_a_ring_counts() -> None:
    """None, fewer than slots, and more: each state that appends lead to, and no other."""
    pipeline = pipeline_of(compile_source(SourceFile("p.mp", BANK)))
    drawn = [int(draw(pipeline, np.random.default_rng(seed)).memories["bank_count"]) for seed in range(100)]
    assert set(drawn) == set(range(6))
