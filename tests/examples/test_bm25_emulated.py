"""examples/bm25 compiled and emulated (C simulation and Triton's interpreter) against the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.program import HostProgram, load_program
from tests.examples import bm25_drive
from tests.executors import ProgramSession, all_on, compile_to

PATH = "examples/bm25/bm25.mp"


def compiled(out: Path, pins: dict[str, str]) -> HostProgram:
    compile_to(PATH, out, bm25_drive.DIMS, pins=pins)
    return load_program(out, "emulation")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    return compiled(tmp_path_factory.mktemp("bm25") / "out", {})


@pytest.mark.parametrize("calls", [[0], [1], [0, 3, 0], [64, 1, 65], [1000, 2]], ids=str)
@pytest.mark.parametrize("rows", [1, 3])
def test_calls(program: HostProgram, calls: list[int], rows: int) -> None:
    assert set(program.backends) == {"gpu", "fpga"}
    session = ProgramSession(program, {"N": max(sum(calls), 1)}, {"N": 0})
    bm25_drive.drive(session, np.random.default_rng([rows, *calls]), calls, rows)


def test_equal_documents_go_by_number(program: HostProgram) -> None:
    session = ProgramSession(program, {"N": 40}, {"N": 0})
    documents = np.array([[n % 3, 7] for n in range(40)])
    documents = np.pad(documents, ((0, 0), (0, 18)), constant_values=-1)
    outputs = session.call(docs=documents, query=np.array([[1, -1, -1, -1, -1, -1]]))
    assert outputs["picked"].tolist() == [[1, 4, 7, 10, 13]]


def test_a_hundred_calls(program: HostProgram) -> None:
    session = ProgramSession(program, {"N": 200}, {"N": 0})
    bm25_drive.drive(session, np.random.default_rng(3), [2] * 100, rows=2)


@pytest.mark.parametrize("kind", ["gpu", "fpga", "cpu"])
def test_on_one_kind_of_device(tmp_path: Path, kind: str) -> None:
    program = compiled(tmp_path / "out", all_on(kind, PATH))
    session = ProgramSession(program, {"N": 80}, {"N": 0})
    bm25_drive.drive(session, np.random.default_rng(4), [70, 0, 10], rows=2)
