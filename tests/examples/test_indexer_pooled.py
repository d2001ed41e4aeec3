"""examples/indexer_pooled against the transformers library's attention with the same weights; f32 stands for bf16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.examples import indexer_pooled_reference as reference
from tests.examples.in_f32 import KINDS, SEEDS, Example
from tests.executors import Session

DIMS = {"E": 8, "R": 6, "C": 6, "G": 2, "N": 4, "V": 3, "H": 8, "D": 6, "M": 3, "K": 2}
"""Many index heads: where all of a pool's are 0 it ties with others, and the library picks any of those."""
TOKENS = 17
EXAMPLE = Example("indexer_pooled", 13, DIMS, {"B": 2, "T": TOKENS})


def drive(session: Session, seed: int, tolerance: float) -> None:
    """Sequences token by token, against the library's layer over all of each at once."""
    layer = reference.layer_of(DIMS, seed)
    weights = EXAMPLE.weights().from_checkpoint(layer.state_dict(), DIMS)
    rows = np.random.default_rng(seed).normal(size=(2, TOKENS, DIMS["E"])).astype(np.float32)
    expected = np.stack([reference.outputs(layer, row) for row in rows])
    assert np.abs(expected).max() > 0.1
    for at in range(TOKENS):
        found = session.call(x=rows[:, at], **weights)
        np.testing.assert_allclose(found["y"], expected[:, at], rtol=tolerance, atol=tolerance)
        picked = np.sort(found["picked"])
        assert (picked < (at + 1) // DIMS["M"]).all()
        assert (picked >= 0).sum(-1).tolist() == [min((at + 1) // DIMS["M"], DIMS["K"])] * 2


@pytest.mark.parametrize("stage", ["mp", "expanded"])
@pytest.mark.parametrize("seed", SEEDS)
def test_meaning(seed: int, stage: str) -> None:
    drive(EXAMPLE.oracle(stage), seed, 1e-4)


def test_mixed(tmp_path: Path) -> None:
    """The rule has the scan of the pools' keys and the selection on the FPGA."""
    drive(EXAMPLE.emulated(tmp_path), 2, 1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_on_one_kind_of_device(kind: str, tmp_path: Path) -> None:
    drive(EXAMPLE.emulated(tmp_path, kind), 3, 1e-3)


def test_the_tail_matters() -> None:
    """A token of no complete pool is attended to, whatever the indexer says: without the tail the layer gives less."""
    layer = reference.layer_of(DIMS, 0)
    rows = np.random.default_rng(0).normal(size=(TOKENS, DIMS["E"])).astype(np.float32)
    with_tail = reference.outputs(layer, rows)
    layer.indexer.index_kpool_always_select_tail = False
    without = reference.outputs(layer, rows)
    differs = np.abs(with_tail - without).max(-1) > 1e-3
    assert differs.tolist() == [bool((at + 1) % DIMS["M"]) for at in range(TOKENS)]
