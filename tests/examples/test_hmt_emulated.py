"""examples/hmt compiled and emulated (C simulation and Triton's interpreter) against the reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.program import HostProgram
from tests.examples import hmt_drive
from tests.examples.placements import compiled, random_pins, same_steps
from tests.executors import ProgramSession, all_on, rounded

PATH = "examples/hmt/hmt.mp"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    return compiled(PATH, tmp_path_factory.mktemp("hmt") / "out", hmt_drive.DIMS, {})


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(1, 10))])
def test_segments(program: HostProgram, seed: int) -> None:
    """From an empty bank until it has gone round twice."""
    assert set(program.backends) == {"gpu", "fpga"}
    rng = np.random.default_rng(seed)
    rows = 1 + seed % 4
    session = ProgramSession(program, {"B": rows}, {})
    hmt_drive.drive(session, hmt_drive.draw_case(rng, rows), rng, steps=12)


def test_integers(program: HostProgram) -> None:
    rng = np.random.default_rng(21)
    case = hmt_drive.draw_case(rng, 2)
    case.weights = {name: rng.integers(-2, 3, value.shape).astype(float) for name, value in case.weights.items()}
    hmt_drive.drive(ProgramSession(program, {"B": 2}, {}), case, rng, steps=9, exact=True)


@pytest.mark.full
def test_two_hundred_segments(program: HostProgram) -> None:
    rng = np.random.default_rng(20)
    hmt_drive.drive(ProgramSession(program, {"B": 2}, {}), hmt_drive.draw_case(rng, 2), rng, steps=200)


@pytest.mark.parametrize("kind", ["gpu", "fpga", "cpu"])
def test_on_one_kind_of_device(tmp_path: Path, kind: str) -> None:
    program = compiled(PATH, tmp_path / "out", hmt_drive.DIMS, all_on(kind, PATH))
    assert set(program.backends) == {kind}
    rng = np.random.default_rng(3)
    hmt_drive.drive(ProgramSession(program, {"B": 3}, {}), hmt_drive.draw_case(rng, 3), rng, steps=7)


def calls(rng: np.random.Generator, rows: int, count: int) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    weights = hmt_drive.draw_case(rng, rows).weights
    width = hmt_drive.DIMS["E"]
    for call in range(count):
        if call % 2:
            yield "push", {"m": rounded(rng.normal(size=(rows, width)), "bf16"), "Wk": weights["Wk"]}
            continue
        length = int(rng.integers(1, hmt_drive.DIMS["L"] + 1))
        segment = rounded(rng.normal(size=(rows, length, width)), "bf16")
        summary = rounded(rng.normal(size=(rows, width)), "bf16")
        yield "recall", {"q": summary, "segment": segment, "Wq": weights["Wq"]}


def agrees(name: str, actual: np.ndarray, expected: np.ndarray) -> None:
    """Copies and counts are equal; what is computed may fall to the other side of a tie of bf16."""
    if name in ("prompt", "keys"):
        np.testing.assert_allclose(actual, expected, rtol=2 * hmt_drive.BF16, atol=1e-5)
    else:
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.full
def test_random_placements_give_what_one_device_gives(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    alone = compiled(PATH, tmp_path / "alone", hmt_drive.DIMS, all_on("gpu", PATH))
    total = 0
    for number in range(5):
        placed = compiled(PATH, tmp_path / str(number), hmt_drive.DIMS, random_pins(PATH, rng))
        one, other = (ProgramSession(each, {"B": 2}, {}) for each in (alone, placed))
        total += same_steps(one, other, calls(rng, 2, 10), agrees)
    assert total == 50
