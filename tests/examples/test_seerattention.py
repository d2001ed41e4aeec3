"""examples/seerattention_topk and seerattention_threshold: the front end and the oracle against the reference."""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples import seerattention_drive as drives
from tests.executors import Dims, OracleSession, module_of

NAMES = ("seerattention_topk", "seerattention_threshold")
LENGTHS = ([0], [6], [7], [8], [0, 1, 200], [63, 64, 65], [14, 15, 16, 17], [400])


def oracle(name: str, lengths: list[int], capacity: int, stage: str = "mp", dims: Dims | None = None) -> OracleSession:
    module = module_of(f"examples/{name}/{name}.mp", tuple({**drives.DIMS[name], **(dims or {})}.items()), stage)
    return OracleSession(module, {"B": len(lengths), "T": capacity}, {"T": lengths}, strict=stage != "mp")


def started(name: str, case: drives.Case, capacity: int, stage: str = "mp", dims: Dims | None = None) -> OracleSession:
    session = oracle(name, [len(memory) for memory in case.sequences], capacity, stage, dims)
    drives.load(session, case, capacity)
    return session


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize(("seed", "stage"), [(0, "mp"), (1, "expanded")])
def test_meaning(name: str, lengths: list[int], seed: int, stage: str) -> None:
    rng = np.random.default_rng([seed, *lengths])
    case = drives.draw_case(rng, name, lengths)
    session = started(name, case, max(lengths) + 3, stage)
    assert drives.drive(session, case, rng, steps=3) == drives.Tally()  # both compute in float64


@pytest.mark.parametrize("name", NAMES)
def test_meaning_of_two_hundred_steps_from_below_a_boundary(name: str) -> None:
    rng = np.random.default_rng(7)
    case = drives.draw_case(rng, name, [7, 62])
    assert drives.drive(started(name, case, 262), case, rng, steps=200) == drives.Tally()
    assert [len(memory.gate) for memory in case.sequences] == [207 // 8, 262 // 8]


@pytest.mark.parametrize("name", NAMES)
def test_meaning_of_equal_scores(name: str) -> None:
    """Equal keys score equally: of these the lowest blocks are taken."""
    rng = np.random.default_rng(9)
    case = drives.draw_case(rng, name, [100, 37])
    drives.make_ties(case)
    drives.drive(started(name, case, 102), case, rng, steps=2)


@pytest.mark.parametrize("name", NAMES)
def test_meaning_of_integers(name: str) -> None:
    case = drives.integer_case(name, 130)
    session = started(name, case, 150, dims=drives.INTEGER_DIMS)
    assert drives.drive_integers(session, case, 20) > 0


@pytest.mark.parametrize("name", NAMES)
def test_meaning_of_the_published_sizes(name: str) -> None:
    """Real heads, blocks and budget, few tokens; the step completes the third block."""
    sizes = {"H": 8, "G": 4, "D": 128, "C": 128, "S": 64}
    sizes |= {"K": 64} if name == "seerattention_topk" else {"M": 50}
    rng = np.random.default_rng(10)
    case = drives.draw_case(rng, name, [191], sizes)
    assert drives.drive(started(name, case, 192, dims=sizes), case, rng, steps=1) == drives.Tally()
    assert len(case.sequences[0].gate) == 3


@pytest.mark.parametrize("name", NAMES)
def test_the_programs_hold_the_published_sizes(name: str) -> None:
    pipeline = OracleSession(module_of(f"examples/{name}/{name}.mp"), {"B": 1, "T": 1}, {"T": [0]}).pipeline
    sizes = {key: dim.largest for key, dim in pipeline.dims.items()}
    own = {"K": 64} if name == "seerattention_topk" else {"M": 2000}
    published = {"H": 8, "G": 4, "D": 128, "C": 128, "S": 64, **own}
    assert {key: sizes[key] for key in published} == published
