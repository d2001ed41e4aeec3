"""examples/seerattention_topk and seerattention_threshold compiled and emulated (C simulation and Triton's interpreter)
against the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.program import HostProgram, load_program
from tests.examples import seerattention_drive as drives
from tests.executors import ProgramSession, all_on, compile_to

NAMES = ("seerattention_topk", "seerattention_threshold")
LENGTHS = ([0], [6], [7], [63, 64, 65], [0, 1, 200], [14, 15, 16])


def compiled(name: str, out: Path, pins: dict[str, str], dims: dict[str, int] | None = None) -> HostProgram:
    path = f"examples/{name}/{name}.mp"
    compile_to(path, out, {**drives.DIMS[name], "B": 4, "T": 512, **(dims or {})}, pins=pins)
    return load_program(out, "emulation")


@pytest.fixture(scope="module", params=NAMES)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    return compiled(request.param, tmp_path_factory.mktemp(request.param) / "out", {})


def started(program: HostProgram, case: drives.Case, capacity: int) -> ProgramSession:
    lengths = [len(memory) for memory in case.sequences]
    session = ProgramSession(program, {"B": len(lengths), "T": capacity}, {"T": lengths})
    drives.load(session, case, capacity)
    return session


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_steps(program: HostProgram, lengths: list[int]) -> None:
    assert set(program.backends) == {"gpu", "fpga"}
    rng = np.random.default_rng([1, *lengths])
    case = drives.draw_case(rng, program.PIPELINE.name, lengths)
    drives.drive(started(program, case, max(lengths) + 3), case, rng, steps=3)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10))
def test_seeds(program: HostProgram, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 120, rng.integers(1, 5)).tolist()
    case = drives.draw_case(rng, program.PIPELINE.name, lengths)
    drives.drive(started(program, case, max(lengths) + 10), case, rng, steps=10)


def test_equal_scores_go_to_the_lower_block(program: HostProgram) -> None:
    rng = np.random.default_rng(9)
    case = drives.draw_case(rng, program.PIPELINE.name, [100, 37])
    drives.make_ties(case)
    drives.drive(started(program, case, 102), case, rng, steps=2)


@pytest.mark.full
def test_two_hundred_steps_from_below_a_boundary(program: HostProgram) -> None:
    rng = np.random.default_rng(7)
    case = drives.draw_case(rng, program.PIPELINE.name, [7, 62])
    drives.drive(started(program, case, 262), case, rng, steps=200)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["gpu", "fpga", "cpu"])
def test_on_one_kind_of_device(tmp_path: Path, name: str, kind: str) -> None:
    program = compiled(name, tmp_path / "out", all_on(kind, f"examples/{name}/{name}.mp"))
    assert set(program.backends) == {kind}
    rng = np.random.default_rng(3)
    case = drives.draw_case(rng, name, [5, 70])
    drives.drive(started(program, case, 74), case, rng, steps=4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "kind", ["", pytest.param("gpu", marks=pytest.mark.full), pytest.param("fpga", marks=pytest.mark.full)]
)
def test_integers_are_exact(tmp_path: Path, name: str, kind: str) -> None:
    pins = all_on(kind, f"examples/{name}/{name}.mp") if kind else {}
    program = compiled(name, tmp_path / "out", pins, drives.INTEGER_DIMS)
    case = drives.integer_case(name, 134)
    assert drives.drive_integers(started(program, case, 138), case, 4) > 0
