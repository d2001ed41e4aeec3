"""examples/lact compiled and emulated (C simulation and Triton's interpreter) against the reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.program import HostProgram
from tests.examples import lact_drive
from tests.examples.placements import compiled, random_pins, same_steps
from tests.executors import ProgramSession, all_on

PATH = "examples/lact/lact.mp"
DIMS = lact_drive.DIMS


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    """As placed, which is on the GPU."""
    return compiled(PATH, tmp_path_factory.mktemp("lact") / "out", DIMS, {})


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(1, 10))])
def test_chunks(program: HostProgram, seed: int) -> None:
    assert set(program.backends) == {"gpu"}
    rng = np.random.default_rng(seed)
    rows = 1 + seed % 4
    session = ProgramSession(program, {"B": rows}, {})
    lact_drive.drive(session, lact_drive.draw_case(rng, rows), rng, steps=6)


@pytest.mark.full
def test_two_hundred_chunks(program: HostProgram) -> None:
    rng = np.random.default_rng(20)
    lact_drive.drive(ProgramSession(program, {"B": 1}, {}), lact_drive.draw_case(rng, 1), rng, steps=200)


def test_on_the_fpga(tmp_path: Path) -> None:
    program = compiled(PATH, tmp_path / "out", DIMS, all_on("fpga", PATH))
    assert set(program.backends) == {"fpga"}
    rng = np.random.default_rng(3)
    lact_drive.drive(ProgramSession(program, {"B": 3}, {}), lact_drive.draw_case(rng, 3), rng, steps=6)


def calls(rng: np.random.Generator, rows: int, count: int) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    starts = lact_drive.draw_case(rng, rows).starts
    yield "begin", {"fresh": np.ones(rows, bool), **starts}
    for _ in range(count - 1):
        length = int(rng.integers(1, DIMS["L"] + 1))
        yield "chunk", {**lact_drive.draw_inputs(rng, rows, length), **starts}


def agrees(name: str, actual: np.ndarray, expected: np.ndarray) -> None:
    """f32 sums in another order, as far as lact_drive.chunk allows it; the output also to the other side of a tie."""
    rtol, factor = {"o": (2 * lact_drive.BF16, 2e-5), "M": (0, 2e-5), "W": (0, 485 * 2.0**-22)}[name[0]]
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=factor * np.abs(expected).max(), err_msg=name)


@pytest.mark.full
def test_random_placements_give_what_one_device_gives(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    alone = compiled(PATH, tmp_path / "alone", DIMS, all_on("gpu", PATH))
    total = 0
    for number in range(5):
        placed = compiled(PATH, tmp_path / str(number), DIMS, random_pins(PATH, rng))
        one, other = (ProgramSession(each, {"B": 2}, {}) for each in (alone, placed))
        total += same_steps(one, other, calls(rng, 2, 10), agrees)
    assert total == 50
