"""examples/titans: the front end and the oracle against the reference, at small sizes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.examples import titans_drive
from tests.examples import titans_reference as reference
from tests.executors import OracleSession, module_of

PATH = "examples/titans/titans.mp"


def oracle(rows: int, stage: str = "mp") -> OracleSession:
    module = module_of(PATH, tuple(titans_drive.DIMS.items()), stage)
    return OracleSession(module, {"B": rows}, {}, strict=stage != "mp")


@pytest.mark.parametrize(("seed", "stage"), [*((seed, "mp") for seed in range(10)), (1, "expanded"), (2, "expanded")])
def test_meaning(seed: int, stage: str) -> None:
    rng = np.random.default_rng(seed)
    rows = 1 + seed % 3
    titans_drive.drive(oracle(rows, stage), titans_drive.draw_case(rng, rows), rng, steps=6)


def test_meaning_of_two_hundred_segments() -> None:
    rng = np.random.default_rng(20)
    case = titans_drive.draw_case(rng, 1)
    titans_drive.drive(oracle(1), case, rng, steps=200)
    assert all(0.1 < memory.first.abs().max() < 5 for memory in case.memories)  # it neither ran away nor faded


def test_momentum_and_forgetting_are_seen() -> None:
    """Each takes part in the drawn cases: without it the memory would differ by more than what is allowed."""
    rng = np.random.default_rng(0)
    case = titans_drive.draw_case(rng, 1)
    x = torch.from_numpy(rng.normal(size=(9, titans_drive.DIMS["E"])))
    memory, _ = reference.step(case.layer, case.memories[0], x)
    after, _ = reference.step(case.layer, memory, x)
    for n in range(3):
        bias = case.layer.bias.clone()
        bias[n] = -100
        other, _ = reference.step(dataclasses.replace(case.layer, bias=bias), memory, x)
        assert (other.first - after.first).abs().max() > 1e-3


def test_the_program_holds_its_sizes() -> None:
    sizes = {name: dim.largest for name, dim in OracleSession(module_of(PATH), {"B": 1}, {}).pipeline.dims.items()}
    assert sizes == {"B": 64, "L": 128, "T": 129, "P": 16, "C": 272, "E": 1024, "F": 4096, "H": 16, "D": 64}
