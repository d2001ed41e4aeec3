"""examples/lserve compiled and emulated (C simulation and Triton's interpreter) against the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.program import HostProgram, load_program
from tests.examples import lserve_drive as drives
from tests.executors import ProgramSession, all_on, compile_to

PATH = "examples/lserve/lserve.mp"
LENGTHS = ([0], [6], [7], [63, 64, 65], [0, 1, 200], [22, 23, 24])


def compiled(out: Path, pins: dict[str, str]) -> HostProgram:
    compile_to(PATH, out, {**drives.DIMS, "B": 4, "T": 512}, pins=pins)
    return load_program(out, "emulation")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    return compiled(tmp_path_factory.mktemp("lserve") / "out", {})


def started(program: HostProgram, case: drives.Case, capacity: int) -> ProgramSession:
    lengths = [len(memory) for memory in case.sequences]
    session = ProgramSession(program, {"B": len(lengths), "T": capacity}, {"T": lengths})
    drives.load(session, case, capacity)
    return session


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_steps(program: HostProgram, lengths: list[int]) -> None:
    assert set(program.backends) == {"gpu", "fpga"}
    rng = np.random.default_rng([1, *lengths])
    case = drives.draw_case(rng, lengths)
    drives.drive(started(program, case, max(lengths) + 6), case, rng, steps=6)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10))
def test_seeds(program: HostProgram, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 120, rng.integers(1, 5)).tolist()
    case = drives.draw_case(rng, lengths)
    drives.drive(started(program, case, max(lengths) + 10), case, rng, steps=10)


def test_equal_scores_go_to_the_lower_page(program: HostProgram) -> None:
    rng = np.random.default_rng(9)
    case = drives.draw_case(rng, [100, 37])
    drives.make_ties(case)
    drives.drive(started(program, case, 102), case, rng, steps=2)


@pytest.mark.full
def test_two_hundred_steps_from_below_a_boundary(program: HostProgram) -> None:
    rng = np.random.default_rng(7)
    case = drives.draw_case(rng, [7, 62])
    drives.drive(started(program, case, 262), case, rng, steps=200)


def test_integers_are_exact(program: HostProgram) -> None:
    case = drives.integer_case(134)
    drives.drive_integers(started(program, case, 138), case, 4)


@pytest.mark.parametrize("kind", ["gpu", "fpga", "cpu"])
def test_on_one_kind_of_device(tmp_path: Path, kind: str) -> None:
    program = compiled(tmp_path / "out", all_on(kind, PATH))
    assert set(program.backends) == {kind}
    rng = np.random.default_rng(3)
    case = drives.draw_case(rng, [5, 70])
    drives.drive(started(program, case, 75), case, rng, steps=5)
    exact = drives.integer_case(134)
    drives.drive_integers(started(program, exact, 138), exact, 4)
