"""examples/rag_two_stage: the front end and the oracle against the transformers library, at small sizes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples import rag_two_stage_drive as driver
from tests.executors import OracleSession, module_of

PATH = "examples/rag_two_stage/rag_two_stage.mp"


def oracle(capacity: int, stage: str = "mp") -> OracleSession:
    module = module_of(PATH, tuple(driver.DIMS.items()), stage)
    return OracleSession(module, {"N": capacity}, {"N": 0}, strict=stage != "mp")


@pytest.mark.parametrize("stage", ["mp", "expanded"])
@pytest.mark.parametrize("seed", range(10))
def test_meaning(seed: int, stage: str) -> None:
    """No passages, fewer than candidates, more of them; one to three queries."""
    rng = np.random.default_rng(seed)
    driver.drive(oracle(40, stage), driver.draw_case(seed), rng, [0, 2, 0, 9, 1], queries=1 + seed % 3)


def test_meaning_of_two_hundred_steps() -> None:
    rng = np.random.default_rng(20)
    case = driver.draw_case(20)
    driver.drive(oracle(50), case, rng, [1] * 50, queries=1)  # four steps each
    assert len(case.store.passages) == 50


def test_meaning_of_candidates_that_tie() -> None:
    rng = np.random.default_rng(21)
    driver.drive_exact(oracle(60), driver.draw_case(21), rng, [5, 20, 1, 30])


def test_the_program_holds_the_published_sizes() -> None:
    pipeline = OracleSession(module_of(PATH), {"N": 1}, {"N": 0}).pipeline
    sizes = {name: dim.largest for name, dim in pipeline.dims.items()}
    assert {name: sizes[name] for name in "LHADFVCKS"} == {
        "L": 12, "H": 768, "A": 12, "D": 64, "F": 3072, "V": 30_522, "C": 100, "K": 10, "S": 256,
    }  # fmt: skip


def test_a_model_that_computes_otherwise_is_refused() -> None:
    config = driver.config().to_dict()
    assert driver.bert.dims_of(config) == {name: driver.DIMS[name] for name in "LHAFV"}
    with pytest.raises(ValueError, match="hidden_act is 'relu'; the pipeline computes 'gelu'"):
        driver.bert.dims_of({**config, "hidden_act": "relu"})
    with pytest.raises(ValueError, match="17 tokens at once: the model has 16 places"):
        driver.bert.encoder_weights(driver.draw_case(0).encoder, 17)
