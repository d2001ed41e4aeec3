"""examples/dsa compiled and emulated (C simulation and Triton's interpreter) against the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.program import HostProgram, load_program
from tests.examples import dsa_drive
from tests.executors import ProgramSession, all_on, compile_to

PATH = "examples/dsa/dsa.mp"
LENGTHS = ([0], [1], [63, 64, 65], [1000], [0, 1000, 7])


# What an FPGA's memory channels hold bounds the sizes that all stages can be compiled for.
DIMS = {**dsa_drive.DIMS, "B": 4, "T": 4096}


def compiled(out: Path, pins: dict[str, str]) -> HostProgram:
    compile_to(PATH, out, DIMS, pins=pins)
    return load_program(out, "emulation")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    return compiled(tmp_path_factory.mktemp("dsa") / "out", {})


def started(program: HostProgram, case: dsa_drive.Case, capacity: int) -> ProgramSession:
    lengths = [len(sequence.keys) for sequence in case.sequences]
    session = ProgramSession(program, {"B": len(lengths), "T": capacity}, {"T": lengths})
    dsa_drive.load(session, case, capacity)
    return session


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_steps(program: HostProgram, lengths: list[int]) -> None:
    assert set(program.backends) == {"gpu", "fpga"}
    rng = np.random.default_rng([1, *lengths])
    case = dsa_drive.draw_case(rng, lengths)
    dsa_drive.drive(started(program, case, max(lengths) + 2), case, rng, steps=2)


def test_equal_scores_go_to_the_lower_position(program: HostProgram) -> None:
    rng = np.random.default_rng(9)
    case = dsa_drive.draw_case(rng, [100, 33])
    dsa_drive.make_ties(case)
    dsa_drive.drive(started(program, case, 101), case, rng, steps=1)


def test_nan_and_infinite_scores(program: HostProgram) -> None:
    rng = np.random.default_rng(8)
    case = dsa_drive.draw_case(rng, [90, 12])
    dsa_drive.plant(case)
    dsa_drive.drive(started(program, case, 91), case, rng, steps=1)


@pytest.mark.parametrize("lengths", [[0], pytest.param([0, 0, 30], marks=pytest.mark.full)], ids=str)
def test_a_hundred_steps(program: HostProgram, lengths: list[int]) -> None:
    rng = np.random.default_rng(len(lengths))
    case = dsa_drive.draw_case(rng, lengths)
    capacity = max(lengths) + 100
    dsa_drive.drive(started(program, case, capacity), case, rng, steps=100)


@pytest.mark.parametrize("kind", ["gpu", "fpga", "cpu"])
def test_on_one_kind_of_device(tmp_path: Path, kind: str) -> None:
    program = compiled(tmp_path / "out", all_on(kind, PATH))
    assert set(program.backends) == {kind}
    rng = np.random.default_rng(3)
    case = dsa_drive.draw_case(rng, [0, 70])
    dsa_drive.drive(started(program, case, 73), case, rng, steps=3)
