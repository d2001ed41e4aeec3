"""examples/hmt: the front end and the oracle against the reference, at small sizes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples import hmt_drive
from tests.executors import OracleSession, module_of

PATH = "examples/hmt/hmt.mp"


def oracle(rows: int, stage: str = "mp") -> OracleSession:
    module = module_of(PATH, tuple(hmt_drive.DIMS.items()), stage)
    return OracleSession(module, {"B": rows}, {}, strict=stage != "mp")


@pytest.mark.parametrize("stage", ["mp", "expanded"])
@pytest.mark.parametrize("seed", range(10))
def test_meaning(seed: int, stage: str) -> None:
    """From an empty bank until it has gone round twice."""
    rng = np.random.default_rng(seed)
    rows = 1 + seed % 3
    hmt_drive.drive(oracle(rows, stage), hmt_drive.draw_case(rng, rows), rng, steps=12)


def test_meaning_of_two_hundred_segments() -> None:
    rng = np.random.default_rng(20)
    case = hmt_drive.draw_case(rng, 2)
    hmt_drive.drive(oracle(2), case, rng, steps=200)
    assert case.pushes == 200


def test_meaning_of_integers() -> None:
    rng = np.random.default_rng(21)
    case = hmt_drive.draw_case(rng, 2)
    case.weights = {name: rng.integers(-2, 3, value.shape).astype(float) for name, value in case.weights.items()}
    hmt_drive.drive(oracle(2), case, rng, steps=9, exact=True)


def test_the_program_holds_the_published_sizes() -> None:
    sizes = {name: dim.largest for name, dim in OracleSession(module_of(PATH), {"B": 1}, {}).pipeline.dims.items()}
    assert sizes == {"B": 64, "L": 1024, "E": 4096, "H": 4096, "N": 300, "K": 32, "S": 1058}
