"""examples/lact: the front end and the oracle against the reference, at small sizes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples import lact_drive
from tests.executors import OracleSession, module_of

PATH = "examples/lact/lact.mp"


def oracle(rows: int, stage: str = "mp") -> OracleSession:
    module = module_of(PATH, tuple(lact_drive.DIMS.items()), stage)
    return OracleSession(module, {"B": rows}, {}, strict=stage != "mp")


@pytest.mark.parametrize(("seed", "stage"), [*((seed, "mp") for seed in range(10)), (1, "expanded"), (2, "expanded")])
def test_meaning(seed: int, stage: str) -> None:
    rng = np.random.default_rng(seed)
    rows = 1 + seed % 3
    lact_drive.drive(oracle(rows, stage), lact_drive.draw_case(rng, rows), rng, steps=6)


def test_meaning_of_two_hundred_chunks() -> None:
    rng = np.random.default_rng(20)
    lact_drive.drive(oracle(1), lact_drive.draw_case(rng, 1), rng, steps=200)


def test_the_program_holds_the_published_sizes() -> None:
    sizes = {name: dim.largest for name, dim in OracleSession(module_of(PATH), {"B": 1}, {}).pipeline.dims.items()}
    assert sizes == {"B": 64, "L": 2048, "H": 4, "D": 384, "F": 384}
