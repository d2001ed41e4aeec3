"""examples/rag_two_stage compiled and emulated (C simulation and Triton's interpreter) against the transformers
library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.errors import CapacityError, InputError
from hetc.runtime.program import HostProgram
from tests.examples import rag_two_stage_drive as driver
from tests.examples.placements import compiled, random_pins, same_steps
from tests.executors import ProgramSession, all_on

PATH = "examples/rag_two_stage/rag_two_stage.mp"
FULL = pytest.mark.full


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    return compiled(PATH, tmp_path_factory.mktemp("rag_two_stage") / "out", driver.DIMS, {})


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=FULL) for seed in range(1, 10))])
def test_steps(program: HostProgram, seed: int) -> None:
    """No passages, fewer than candidates, more of them; one to three queries."""
    assert set(program.backends) == {"gpu", "fpga"}
    session = ProgramSession(program, {"N": 40}, {"N": 0})
    driver.drive(session, driver.draw_case(seed), np.random.default_rng(seed), [0, 2, 9], queries=1 + seed % 3)


def test_candidates_that_tie(program: HostProgram) -> None:
    session = ProgramSession(program, {"N": 60}, {"N": 0})
    driver.drive_exact(session, driver.draw_case(21), np.random.default_rng(21), [5, 20])


@FULL
def test_two_hundred_steps(program: HostProgram) -> None:
    session = ProgramSession(program, {"N": 50}, {"N": 0})
    driver.drive(session, driver.draw_case(20), np.random.default_rng(20), [1] * 50, queries=1)  # four steps each


@pytest.mark.parametrize("kind", ["gpu", pytest.param("fpga", marks=FULL)])
def test_on_one_kind_of_device(tmp_path: Path, kind: str) -> None:
    program = compiled(PATH, tmp_path / "out", driver.DIMS, all_on(kind, PATH))
    assert set(program.backends) == {kind}
    session = ProgramSession(program, {"N": 40}, {"N": 0})
    driver.drive(session, driver.draw_case(3), np.random.default_rng(3), [0, 9], queries=2)


def calls(case: driver.Case, rng: np.random.Generator, count: int) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Small whole numbers as embeddings: which passages are near is no matter of rounding."""
    size = driver.DIMS["H"]
    for call in range(count):
        text = driver.rows(driver.draw_texts(rng, 2, driver.DIMS["P"], []), driver.DIMS["P"])
        query = driver.rows(driver.draw_texts(rng, 2, driver.DIMS["Q"], []), driver.DIMS["Q"])
        vectors = rng.integers(-3, 4, (2, size)).astype(float)
        if call % 3 == 0:
            yield "embed", {"text": text, **case.encoder_weights}
        elif call % 3 == 1:
            yield "add", {"text": text, "vectors": vectors}
        else:
            yield "search", {"query": query, "vector": vectors, **case.cross_weights}


def agrees(name: str, actual: np.ndarray, expected: np.ndarray) -> None:
    """Candidates come in any order; what is computed is rounded."""
    if name == "near":
        actual, expected = np.sort(actual), np.sort(expected)
    if name in ("embedding", "best"):
        np.testing.assert_allclose(actual, expected, atol=2e-5)
    else:
        np.testing.assert_array_equal(actual, expected)


@FULL
def test_random_placements_give_what_one_device_gives(tmp_path: Path) -> None:
    rng, case = np.random.default_rng(4), driver.draw_case(4)
    alone = compiled(PATH, tmp_path / "alone", driver.DIMS, all_on("gpu", PATH))
    total = 0
    for number in range(4):
        placed = compiled(PATH, tmp_path / str(number), driver.DIMS, random_pins(PATH, rng))
        one, other = (ProgramSession(each, {"N": 20}, {"N": 0}) for each in (alone, placed))
        total += same_steps(one, other, calls(case, rng, 15), agrees)
    assert total == 60


def test_misuse_is_refused_by_name_and_changes_nothing(program: HostProgram) -> None:
    case, session = driver.draw_case(5), ProgramSession(program, {"N": 3}, {"N": 0})
    vectors = np.ones((2, driver.DIMS["H"]))
    driver.add(session, case, [[7], [8]], vectors)
    with pytest.raises(CapacityError, match=r"dim N would be 4 long, past the state's capacity 3 \(memory .*passages"):
        session.call(text=driver.rows([[9], [9]], driver.DIMS["P"]), vectors=vectors)
    with pytest.raises(InputError, match="dim M is 1 in tensor 'text' and 2 in tensor 'vectors'"):
        session.call(text=driver.rows([[9]], driver.DIMS["P"]), vectors=vectors)
    driver.add(session, case, [[9]], vectors[:1])
