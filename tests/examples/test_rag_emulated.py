"""examples/rag_dragin, rag_flare and rag_fs compiled and emulated (C simulation and Triton's interpreter) against the
reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.errors import CapacityError, InputError
from hetc.runtime.program import HostProgram
from tests.examples import rag_drive
from tests.examples.placements import compiled, random_pins, same_steps
from tests.executors import ProgramSession, all_on

FULL = pytest.mark.full
KINDS = ("gpu", "fpga", "cpu")
METHODS = pytest.mark.parametrize("name", rag_drive.NAMES)


def path_of(name: str) -> str:
    return f"examples/{name}/{name}.mp"


@pytest.fixture(scope="module", params=rag_drive.NAMES)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    return compiled(path_of(request.param), tmp_path_factory.mktemp(request.param) / "out", rag_drive.DIMS, {})


def drive(program: HostProgram, seed: int, calls: list[int], rows: int) -> rag_drive.Case:
    rng = np.random.default_rng([seed, 1])
    case = rag_drive.draw_case(rng, program.PIPELINE.name)
    session = ProgramSession(program, {"N": max(sum(calls), 1)}, {"N": 0})
    rag_drive.drive(session, case, rng, calls, rows)
    return case


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=FULL) for seed in range(1, 10))])
def test_calls(program: HostProgram, seed: int) -> None:
    """Collections that are empty, grow and stay; one to five texts."""
    assert set(program.backends) == {"gpu", "fpga"}
    drive(program, seed, [0, 1, 0, 60, 7], rows=5 - seed % 5)


@FULL
def test_two_hundred_calls(program: HostProgram) -> None:
    case = drive(program, 30, [1] * 200, rows=3)
    assert 100 < sum(case.asked) < 600


@pytest.mark.parametrize(
    ("name", "kind"),
    [pytest.param(n, k, marks=FULL if k == "fpga" and n != "rag_fs" else ()) for n in rag_drive.NAMES for k in KINDS],
)
def test_on_one_kind_of_device(tmp_path: Path, name: str, kind: str) -> None:
    program = compiled(path_of(name), tmp_path / "out", rag_drive.DIMS, all_on(kind, path_of(name)))
    assert set(program.backends) == {kind}
    drive(program, 3, [40, 0, 5], rows=3)


def agrees(name: str, actual: np.ndarray, expected: np.ndarray) -> None:
    if name == "best":
        np.testing.assert_allclose(actual, expected, rtol=2e-5)
    else:
        np.testing.assert_array_equal(actual, expected)


@FULL
@METHODS
def test_random_placements_give_what_one_device_gives(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    case = rag_drive.draw_case(rng, name)
    alone = compiled(path_of(name), tmp_path / "alone", rag_drive.DIMS, all_on("gpu", path_of(name)))
    total = 0
    for number in range(5):
        placed = compiled(path_of(name), tmp_path / str(number), rag_drive.DIMS, random_pins(path_of(name), rng))
        one, other = (ProgramSession(each, {"N": 40}, {"N": 0}) for each in (alone, placed))
        total += same_steps(one, other, rag_drive.inputs(case, rng, 10, rows=3), agrees)
    assert total == 50


def test_too_many_passages_are_refused_and_change_nothing(program: HostProgram) -> None:
    rng = np.random.default_rng(5)
    case = rag_drive.draw_case(rng, program.PIPELINE.name)
    session = ProgramSession(program, {"N": 3}, {"N": 0})
    assert rag_drive.drive(session, case, rng, [2], rows=2) == 0
    before = session.memory("passages").copy()
    with pytest.raises(CapacityError, match=r"dim N would be 4 long, past the state's capacity 3 \(memory .*passages"):
        session.call(**rag_drive.tensors(case, rag_drive.draw_call(rng, 2, 2)))
    np.testing.assert_array_equal(session.memory("passages"), before)
    assert rag_drive.drive(session, case, rng, [1], rows=2) == 0


def test_a_draft_of_another_length_is_refused_by_name(program: HostProgram) -> None:
    rng = np.random.default_rng(6)
    case = rag_drive.draw_case(rng, program.PIPELINE.name)
    given = rag_drive.tensors(case, rag_drive.draw_call(rng, 2, 1))
    session = ProgramSession(program, {"N": 3}, {"N": 0})
    with pytest.raises(InputError, match=r"tensor 'draft': expected \[B, 18\], got \[2, 17\]"):
        session.call(**{**given, "draft": given["draft"][:, 1:]})
    assert session.lengths["N"].tolist() == [0]
