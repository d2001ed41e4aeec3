"""examples/decoder against the transformers library's layers with the same weights; its text with f32 for bf16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.examples import decoder_reference as reference
from tests.examples.in_f32 import KINDS, SEEDS, Example
from tests.executors import Session

DIMS = {"L": 2, "E": 16, "F": 24, "R": 12, "G": 2, "N": 8, "P": 4, "V": 8, "C": 16, "H": 8, "D": 8, "K": 4}
"""Many index heads: where all of a token's are 0 it ties with others, and the library picks any of those."""
EXAMPLE = Example("decoder", 18, DIMS, {"B": 2, "T": 16})


def drive(session: Session, seed: int, tolerance: float) -> None:
    """Sequences token by token, against the library's model over all of each at once."""
    rng = np.random.default_rng(seed)
    model = reference.model_of(DIMS, seed)
    weights = EXAMPLE.weights().from_checkpoint(model.state_dict(), DIMS["L"], DIMS)
    embeddings = rng.normal(size=(2, 8, DIMS["E"])).astype(np.float32)
    expected = np.stack([reference.outputs(model, row) for row in embeddings])
    for at in range(embeddings.shape[1]):
        found = session.call(x=embeddings[:, at], **weights)["h"]
        np.testing.assert_allclose(found, expected[:, at], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("stage", ["mp", "expanded"])
@pytest.mark.parametrize("seed", SEEDS)
def test_meaning(seed: int, stage: str) -> None:
    drive(EXAMPLE.oracle(stage), seed, 1e-4)


def test_mixed(tmp_path: Path) -> None:
    """The rule splits a layer: the scan of the indexer's keys and the selection are on the FPGA."""
    drive(EXAMPLE.emulated(tmp_path), 2, 1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_on_one_kind_of_device(kind: str, tmp_path: Path) -> None:
    drive(EXAMPLE.emulated(tmp_path, kind), 3, 1e-3)
