"""examples/nsa against the paper's formulas; its text with f32 for bf16."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.examples import nsa_reference as reference
from tests.examples.in_f32 import KINDS, SEEDS, Example
from tests.executors import Session

SMALL = {"E": 8, "H": 2, "G": 2, "D": 4, "V": 3, "L": 2, "U": 1, "F": 5, "S": 2, "K": 4, "W": 3}
"""After 12 tokens there are 6 blocks, of which one is chosen beside the first and the last two."""
LARGER = {"E": 8, "H": 2, "G": 3, "D": 6, "V": 4, "L": 8, "U": 4, "F": 6, "S": 16, "K": 5, "W": 10}
EXAMPLE = Example("nsa", 19, SMALL, {"B": 2, "T": 12})


def drive(session: Session, dims: dict[str, int], tokens: int, seed: int, tolerance: float) -> None:
    """Two sequences token by token: what each gives, and the blocks that it selects."""
    weights = reference.weights_of(dims, seed)
    x = np.random.default_rng(seed + 100).normal(size=(2, tokens, dims["E"])).astype(np.float32).astype(np.float64)
    expected = [reference.outputs(row, weights, dims) for row in x]
    chosen = 0
    for at in range(tokens):
        found = session.call(x=x[:, at], **weights)
        for b, (given, selected) in enumerate(expected):
            np.testing.assert_allclose(found["y"][b], given[at], rtol=tolerance, atol=tolerance)
            for h in range(dims["H"]):
                kept = [block for block in found["picked"][b, h] if block >= 0]
                assert len(set(kept)) == len(kept)
                assert set(kept) == selected[at][h]
                chosen += set(kept) != set(range(at // dims["S"] + 1))
    assert chosen  # else nothing was left out


@pytest.mark.parametrize("stage", ["mp", "expanded"])
@pytest.mark.parametrize("seed", SEEDS)
def test_meaning(seed: int, stage: str) -> None:
    drive(EXAMPLE.oracle(stage), SMALL, 12, seed, 1e-4)


@pytest.mark.parametrize("stage", ["mp", pytest.param("expanded", marks=pytest.mark.full)])
def test_meaning_of_overlapping_blocks(stage: str) -> None:
    """Four compressed blocks begin in a block that is selected, and reach into the next."""
    drive(replace(EXAMPLE, dims=LARGER, capacities={"B": 2, "T": 120}).oracle(stage), LARGER, 120, 8, 1e-4)


def test_mixed(tmp_path: Path) -> None:
    """The rule has the scan of the compressed keys and the selection on the FPGA."""
    drive(EXAMPLE.emulated(tmp_path), SMALL, 12, 2, 1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_on_one_kind_of_device(kind: str, tmp_path: Path) -> None:
    drive(EXAMPLE.emulated(tmp_path, kind), SMALL, 12, 3, 1e-3)
