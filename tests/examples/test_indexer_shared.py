"""examples/indexer_shared against the transformers library's layers with the same weights; f32 stands for bf16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.dialects.mp import ForOp
from tests.examples import indexer_shared_reference as reference
from tests.examples.in_f32 import KINDS, SEEDS, Example
from tests.executors import Session

DIMS = {
    "L": 2, "M": 2, "E": 8, "S": 2, "R": 6, "C": 6, "G": 2, "N": 4, "P": 2, "V": 3, "H": 8, "D": 6, "K": 3, "X": 4,
    "J": 2, "F": 5,
}  # fmt: skip
"""Many index heads: where all of a token's are 0 it ties with others, and the library picks any of those."""
TOKENS = 7
EXAMPLE = Example("indexer_shared", 21, DIMS, {"B": 2, "T": TOKENS})


def drive(session: Session, seed: int, tolerance: float) -> None:
    """Sequences token by token, against the library's model over all of each at once."""
    model = reference.model_of(DIMS, seed)
    weights = EXAMPLE.weights().from_checkpoint(model.state_dict(), 0, DIMS)
    embeddings = np.random.default_rng(seed).normal(size=(2, TOKENS, DIMS["E"])).astype(np.float32)
    expected = np.stack([reference.outputs(model, row) for row in embeddings])
    for at in range(TOKENS):
        found = session.call(x=embeddings[:, at], **weights)["h"]
        np.testing.assert_allclose(found, expected[:, at], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("stage", ["mp", "expanded"])
@pytest.mark.parametrize("seed", SEEDS)
def test_meaning(seed: int, stage: str) -> None:
    drive(EXAMPLE.oracle(stage), seed, 1e-4)


def test_mixed(tmp_path: Path) -> None:
    """The rule has the scan of an indexer's keys and the selection on the FPGA."""
    drive(EXAMPLE.emulated(tmp_path), 2, 1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_on_one_kind_of_device(kind: str, tmp_path: Path) -> None:
    drive(EXAMPLE.emulated(tmp_path, kind), 3, 1e-3)


def test_loops_stand_in_one_another() -> None:
    outer, inner = [op for op in EXAMPLE.compiled().placed.walk() if isinstance(op, ForOp)]
    assert inner.parent_op() is outer
