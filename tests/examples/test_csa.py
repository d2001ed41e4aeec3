"""examples/csa against the transformers library's layer with the same weights; its text with f32 for bf16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.examples import csa_reference as reference
from tests.examples.in_f32 import KINDS, SEEDS, Example
from tests.executors import Session

DIMS = {
    "E": 8, "R": 6, "H": 4, "D": 6, "P": 4, "W": 3, "M": 2, "I": 8, "F": 6, "K": 2, "G": 2, "Q": 5
}  # fmt: skip
"""Many index heads: where all of an entry's are 0 it ties with others, and the library picks any of those."""
TOKENS = 12
EXAMPLE = Example("csa", 16, DIMS, {"B": 2, "T": TOKENS})


def drive(session: Session, seed: int, tolerance: float) -> None:
    """Sequences token by token, against the library's layer over all of each at once."""
    layer = reference.layer_of(DIMS, seed)
    weights = EXAMPLE.weights().from_checkpoint(layer.state_dict(), DIMS)
    x = np.random.default_rng(seed).normal(size=(2, TOKENS, DIMS["E"])).astype(np.float32)
    expected = np.stack([reference.outputs(layer, row) for row in x])
    for at in range(TOKENS):
        found = session.call(x=x[:, at], **weights)["y"]
        np.testing.assert_allclose(found, expected[:, at], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("stage", ["mp", "expanded"])
@pytest.mark.parametrize("seed", SEEDS)
def test_meaning(seed: int, stage: str) -> None:
    drive(EXAMPLE.oracle(stage), seed, 1e-4)


def test_mixed(tmp_path: Path) -> None:
    """The rule has the scan of the indexer's keys and the selection on the FPGA."""
    drive(EXAMPLE.emulated(tmp_path), 2, 1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_on_one_kind_of_device(kind: str, tmp_path: Path) -> None:
    drive(EXAMPLE.emulated(tmp_path, kind), 3, 1e-3)
