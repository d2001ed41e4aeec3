"""The front end and the oracle against the twins: what each pipeline means."""

from __future__ import annotations

import numpy as np
import pytest

from tests.executors import Dims, OracleSession, module_of
from tests.pipelines import drives

STAGES = ("mp", "expanded")
LENGTHS = ([0], [1, 0, 40], [7, 8, 9], [63, 64, 65, 200])


def oracle(name: str, stage: str, capacities: Dims, lengths: dict[str, list[int]]) -> OracleSession:
    return OracleSession(
        module_of(f"tests/pipelines/{name}.mp", stage=stage), capacities, lengths, strict=stage != "mp"
    )


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("exact", [False, True])
def test_pages(lengths: list[int], exact: bool, stage: str) -> None:
    capacity = max(lengths) + drives.STEPS
    session = oracle("pages", stage, {"B": len(lengths), "T": capacity}, {"T": lengths})
    drives.drive_pages(session, np.random.default_rng(sum(lengths)), lengths, exact, capacity)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_decay(lengths: list[int], stage: str) -> None:
    capacity = max(lengths) + drives.STEPS
    session = oracle("decay", stage, {"B": len(lengths), "T": capacity}, {"T": lengths})
    drives.drive_decay(session, np.random.default_rng(sum(lengths)), lengths, capacity)


@pytest.mark.parametrize(("live", "added", "tau"), [(0, 1, -9.0), (0, 64, 0.0), (100, 3, 2.0), (300, 5, 1e9)])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("stage", STAGES)
def test_codebook(live: int, added: int, tau: float, exact: bool, stage: str) -> None:
    session = oracle("codebook", stage, {"N": live + drives.STEPS * added}, {"N": [live]})
    drives.drive_codebook(session, np.random.default_rng(live + added), live, added, tau, exact)
