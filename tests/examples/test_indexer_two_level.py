"""examples/indexer_two_level against attention over whole sequences with the same weights; f32 stands for bf16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.examples import indexer_two_level_reference as reference
from tests.examples.in_f32 import KINDS, SEEDS, Example
from tests.executors import Session

DIMS = {"N": 2, "E": 8, "R": 6, "H": 4, "D": 6, "P": 4, "W": 3, "I": 8, "F": 6, "Z": 2, "C": 3, "K": 3, "G": 2, "Q": 3}
"""Many index heads: where all of a token's are 0 it ties with others, and any of those may be picked."""
TOKENS = 15
EXAMPLE = Example("indexer_two_level", 13, DIMS, {"B": 2, "T": TOKENS})


def drive(session: Session, seed: int, tolerance: float) -> None:
    """Two sequences token by token, against all of each at once."""
    layers = reference.layers_of(DIMS, seed)
    weights = EXAMPLE.weights().from_checkpoint(layers, DIMS)
    rows = np.random.default_rng(seed).normal(size=(2, TOKENS, DIMS["E"])).astype(np.float32)
    expected = np.stack([reference.outputs(layers, row, DIMS)[0] for row in rows])
    for at in range(TOKENS):
        found = session.call(x=rows[:, at], **weights)
        np.testing.assert_allclose(found["h"], expected[:, at], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("stage", ["mp", "expanded"])
@pytest.mark.parametrize("seed", SEEDS)
def test_meaning(seed: int, stage: str) -> None:
    drive(EXAMPLE.oracle(stage), seed, 1e-4)


def test_mixed(tmp_path: Path) -> None:
    """The rule has the scan of all keys and the selections on the FPGA."""
    drive(EXAMPLE.emulated(tmp_path), 2, 1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_on_one_kind_of_device(kind: str, tmp_path: Path) -> None:
    drive(EXAMPLE.emulated(tmp_path, kind), 3, 1e-3)


def test_the_candidates_matter() -> None:
    """A later layer picks other tokens where it may take any, and none outside of the blocks that the first found."""
    layers = reference.layers_of(DIMS, 0)
    rows = np.random.default_rng(0).normal(size=(TOKENS, DIMS["E"])).astype(np.float32)
    _, picks = reference.outputs(layers, rows, DIMS)
    _, free = reference.outputs(layers, rows, {**DIMS, "C": TOKENS})
    assert (picks[0] == free[0]).all()
    assert any((mine != other).any() for mine, other in zip(picks[1:], free[1:], strict=True))
