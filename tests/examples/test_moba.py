"""examples/moba against the paper's equations; its text with f32 for bf16."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.examples import moba_reference as reference
from tests.examples.in_f32 import KINDS, Example
from tests.executors import Session

DIMS = {"H": 2, "G": 2, "D": 4, "S": 3, "K": 3}
CHUNKS = (5, 1, 4, 6)
"""Tokens of each step: over the ends of blocks, one token, and a chunk of more than a block."""
CAPACITIES = {"B": 2, "M": 6, "T": 18}
EXAMPLE = Example("moba", 6, DIMS, CAPACITIES)


def drive(session: Session, seed: int, tolerance: float, chunks: tuple[int, ...] = CHUNKS) -> None:
    """Two sequences chunk by chunk: what each query gives, and the blocks that it attends to."""
    rng = np.random.default_rng(seed)
    tokens, heads, group, size = sum(chunks), DIMS["H"], DIMS["G"], DIMS["D"]
    q = rng.normal(size=(2, tokens, heads, group, size)).astype(np.float32).astype(np.float64)
    k, v = rng.normal(size=(2, 2, tokens, heads, size)).astype(np.float32).astype(np.float64)
    expected = [reference.attend(q[b], k[b], v[b], DIMS) for b in range(2)]
    end = 0
    for chunk in chunks:
        start, end = end, end + chunk
        found = session.call(q=q[:, start:end], k=k[:, start:end], v=v[:, start:end])
        for b, (given, kept) in enumerate(expected):
            np.testing.assert_allclose(found["o"][b], given[start:end], rtol=tolerance, atol=tolerance)
            for m, h, g in np.ndindex(chunk, heads, group):
                blocks = [block for block in found["kept"][b, m, h, g] if block >= 0]
                assert len(set(blocks)) == len(blocks)
                assert set(blocks) == kept[start + m, h, g]


@pytest.mark.parametrize("stage", ["mp", "expanded"])
@pytest.mark.parametrize("seed", range(8))
def test_meaning(seed: int, stage: str) -> None:
    drive(EXAMPLE.oracle(stage), seed, 1e-4)


def test_chunks_change_nothing() -> None:
    """The same tokens one by one, and all at once."""
    example = replace(EXAMPLE, capacities={**CAPACITIES, "M": 16})
    for chunks in ((1,) * 16, (16,)):
        drive(example.oracle(), 8, 1e-4, chunks)


def test_mixed(tmp_path: Path) -> None:
    """The rule has the scan of the blocks' keys and the selection on the FPGA."""
    drive(EXAMPLE.emulated(tmp_path), 2, 1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_on_one_kind_of_device(kind: str, tmp_path: Path) -> None:
    drive(EXAMPLE.emulated(tmp_path, kind), 3, 1e-3)
