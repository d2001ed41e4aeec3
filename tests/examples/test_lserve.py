"""examples/lserve: the front end and the oracle against the reference, at small sizes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples import lserve_drive as drives
from tests.executors import Dims, OracleSession, module_of

PATH = "examples/lserve/lserve.mp"
LENGTHS = ([0], [6], [7], [8], [0, 1, 200], [63, 64, 65], [22, 23, 24, 25], [400])


def started(case: drives.Case, capacity: int, stage: str = "mp", dims: Dims | None = None) -> OracleSession:
    lengths = [len(memory) for memory in case.sequences]
    module = module_of(PATH, tuple({**drives.DIMS, **(dims or {})}.items()), stage)
    session = OracleSession(module, {"B": len(lengths), "T": capacity}, {"T": lengths}, strict=stage != "mp")
    drives.load(session, case, capacity)
    return session


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize(("seed", "stage"), [(0, "mp"), (1, "expanded")])
def test_meaning(lengths: list[int], seed: int, stage: str) -> None:
    rng = np.random.default_rng([seed, *lengths])
    case = drives.draw_case(rng, lengths)
    session = started(case, max(lengths) + 6, stage)
    tally = drives.drive(session, case, rng, steps=6)
    assert tally.near_ties == 0  # both compute in float64
    # Expanded, a scale is rounded to f32 only where it is stored: codes of values halfway between two may differ.
    assert tally.stored == 0 or stage == "expanded"


def test_meaning_of_two_hundred_steps_from_below_a_boundary() -> None:
    rng = np.random.default_rng(7)
    case = drives.draw_case(rng, [7, 62])
    assert drives.drive(started(case, 262), case, rng, steps=200) == drives.Tally()


def test_meaning_of_equal_scores() -> None:
    """Pages with equal bounds score equally: of these the lowest are taken."""
    rng = np.random.default_rng(9)
    case = drives.draw_case(rng, [100, 37])
    drives.make_ties(case)
    drives.drive(started(case, 102), case, rng, steps=2)


def test_meaning_of_integers() -> None:
    case = drives.integer_case(130)
    drives.drive_integers(started(case, 150), case, 20)


def test_a_choice_is_kept_for_four_steps_and_pages_opened_since_are_added() -> None:
    rng = np.random.default_rng(12)
    case = drives.draw_case(rng, [61])  # pages of 8: the fourth step opens one
    session = started(case, 67)
    choices, pages = [], []
    for _ in range(5):
        outputs = drives.step(session, case, drives.draw_inputs(rng, case), drives.Tally())
        choices.append(session.memory("chosen")[0, 0, 0].tolist())
        pages.append(outputs["kept"][0, 0, 0, -2:].tolist())
    assert choices[0] == choices[1] == choices[2] == choices[3]
    assert pages == [[7, -1], [7, -1], [7, -1], [7, 8], [8, -1]]
    assert max(choices[0]) < 7


def test_meaning_of_the_published_sizes() -> None:
    """Real heads, pages, budget and windows; fewer tokens than a streaming head sees, then more."""
    sizes = {"H": 4, "G": 4, "D": 128, "L": 16, "M": 4, "K": 64, "SINK": 128, "LOCAL": 256}
    for length in (190, 447):
        rng = np.random.default_rng(10)
        case = drives.draw_case(rng, [length], sizes)
        tally = drives.drive(started(case, length + 2, dims=sizes), case, rng, steps=2)
        assert tally == drives.Tally()


def test_the_program_holds_the_published_sizes() -> None:
    pipeline = OracleSession(module_of(PATH), {"B": 1, "T": 1}, {"T": [0]}).pipeline
    sizes = {name: dim.largest for name, dim in pipeline.dims.items()}
    published = {"H": 4, "G": 4, "D": 128, "L": 16, "P": 64, "K": 64, "U": 4, "SINK": 128, "LOCAL": 256}
    assert {name: sizes[name] for name in published} == published
