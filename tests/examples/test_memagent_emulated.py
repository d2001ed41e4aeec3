"""examples/memagent compiled and emulated (C simulation and Triton's interpreter) against the reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.errors import CapacityError, InputError, PipelineError, StateError
from hetc.runtime.program import HostProgram
from tests.examples import lact_drive
from tests.examples import memagent_drive as drives
from tests.examples.placements import compiled, random_pins, same_steps
from tests.executors import ProgramSession, all_on

PATH = "examples/memagent/memagent.mp"
DIMS = {**drives.DIMS, "B": 4, "T": 48, "C": 12}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    return compiled(PATH, tmp_path_factory.mktemp("memagent") / "out", DIMS, {})


@pytest.fixture(scope="module")
def on_gpu(tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    return compiled(PATH, tmp_path_factory.mktemp("gpu") / "out", DIMS, all_on("gpu", PATH))


def session_of(program: HostProgram, rows: int, capacity: int = 48) -> ProgramSession:
    return ProgramSession(program, {"B": rows, "T": capacity}, {"T": [0] * rows})


@pytest.mark.parametrize("seed", [2, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(10) if seed != 2)])
def test_chunks(program: HostProgram, seed: int) -> None:
    """Prompts of any lengths, in pieces; sequences that end; two chunks. At small sizes the weights fit the FPGA."""
    assert set(program.backends) == {"gpu", "fpga"}
    rng = np.random.default_rng(seed)
    rows = 1 + seed % 4
    drives.drive(session_of(program, rows), drives.draw_case(rng, rows), rng, steps=2)


def test_whole_numbers(on_gpu: HostProgram) -> None:
    """Scores are equal, without a tolerance."""
    rng = np.random.default_rng(5)
    drives.drive(session_of(on_gpu, 3), drives.draw_case(rng, 3, whole=True), rng, steps=2, tolerance=0)


@pytest.mark.full
def test_whole_numbers_as_placed(program: HostProgram) -> None:
    rng = np.random.default_rng(5)
    drives.drive(session_of(program, 3), drives.draw_case(rng, 3, whole=True), rng, steps=2, tolerance=0)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["gpu", "fpga", "cpu"])
def test_on_one_kind_of_device(tmp_path: Path, kind: str) -> None:
    program = compiled(PATH, tmp_path / "out", DIMS, all_on(kind, PATH))
    assert set(program.backends) == {kind}
    rng = np.random.default_rng(3)
    drives.drive(session_of(program, 3), drives.draw_case(rng, 3), rng, steps=4)


@pytest.mark.full
@pytest.mark.parametrize("placement", ["as placed", "gpu"])
def test_two_hundred_steps(tmp_path: Path, placement: str) -> None:
    """The memory grows past 64 and 128 tokens, the tiles of its scans."""
    pins = {} if placement == "as placed" else all_on("gpu", PATH)
    program = compiled(PATH, tmp_path / "out", {**DIMS, "T": 256}, pins)
    rng = np.random.default_rng(20)
    drives.many_steps(session_of(program, 2, 203), drives.draw_case(rng, 2), rng, 200, drives.ROUNDED)


@pytest.mark.full
def test_the_agent_reads_as_the_plain_loop_does(program: HostProgram) -> None:
    rng = np.random.default_rng(46)
    drives.agent_and_reference(program, drives.draw_case(rng, 3), rng)


def calls(rng: np.random.Generator, case: drives.Case, count: int) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Prompts and steps of all sequences, a few of each."""
    for call in range(count):
        if call % 10 < 2:
            shape = (len(case.texts), int(rng.integers(1, 4)))
            yield "prefill", {"prompt": rng.integers(0, case.dims["V"], shape), **case.weights}
        else:
            yield "decode", {"token": rng.integers(0, case.dims["V"], (len(case.texts), 1)), **case.weights}


def agrees(name: str, actual: np.ndarray, expected: np.ndarray) -> None:
    """A value may fall to the other side of a tie of bf16; the likeliest token may then be another of nearly its score,
    so that tokens are not compared: each is the likeliest of the scores that are."""
    if name != "next":
        scale = np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=0, atol=drives.ROUNDED * scale)


@pytest.mark.full
def test_random_placements_give_what_one_device_gives(tmp_path: Path, on_gpu: HostProgram) -> None:
    rng = np.random.default_rng(4)
    case = drives.draw_case(rng, 2)
    total = 0
    for number in range(5):
        placed = compiled(PATH, tmp_path / str(number), DIMS, random_pins(PATH, rng))
        one, other = (session_of(each, 2) for each in (on_gpu, placed))
        total += same_steps(one, other, calls(rng, case, 10), agrees)
    assert total == 50


def test_what_is_refused_changes_nothing(on_gpu: HostProgram, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    case = drives.draw_case(rng, 2)
    session = session_of(on_gpu, 2, 10)
    drives.prefill(session, case, [[1, 2, 3], [4] * 9])
    state, weights = session.state, case.weights
    before = state.read("keys"), state.read("values"), dict(state.calls)
    one, none = np.array([[5], [6]], np.int32), {"A": np.array([1, 1], np.int32)}

    def refused(
        error: type[PipelineError], words: str, step: str, lengths: dict[str, np.ndarray], **given: object
    ) -> None:
        with pytest.raises(error, match=words):
            on_gpu.step(step)(state, lengths, **{**weights, **given})
        assert state.lengths["T"].tolist() == [3, 9]
        np.testing.assert_array_equal(state.read("keys"), before[0])
        np.testing.assert_array_equal(state.read("values"), before[1])
        assert state.calls == before[2]

    refused(
        InputError, "tensor 'token': expected i32 integers, got float32", "decode", none, token=one.astype(np.float32)
    )
    refused(InputError, "tensor 'wq': expected i8 integers, got float32", "decode", none, token=one,
            wq=weights["wq"].astype(np.float32))  # fmt: skip
    refused(InputError, r"tensor 'wq_scale': expected f32, got float64", "decode", none, token=one,
            wq_scale=weights["wq_scale"].astype(np.float64))  # fmt: skip
    refused(InputError, "tensor 'token' is missing", "decode", none)
    refused(InputError, "tensor 'token': expected 2 dims .B, A., got 1 .2.", "decode", none, token=one[:, 0])
    refused(
        CapacityError, "dim A .tensor 'token'.: 2 exceeds its bound 1", "decode", {}, token=np.zeros((2, 2), np.int32)
    )
    long = np.zeros((2, 13), np.int32)
    refused(CapacityError, "dim C .tensor 'prompt'.: 13 exceeds its bound 12", "prefill", {}, prompt=long)
    refused(CapacityError, "dim T of row 1 would be 11 long, past the state's capacity 10 .memory keys, values",
            "prefill", {"C": np.array([4, 2])}, prompt=long[:, :4])  # fmt: skip
    drives.decode(session, case, np.array([5, 6]))
    before = state.read("keys"), state.read("values"), dict(state.calls)
    with pytest.raises(CapacityError, match="dim T of row 1 would be 11 long"):
        on_gpu.step("decode")(state, none, token=one, **weights)
    assert state.lengths["T"].tolist() == [4, 10]
    other = "examples/lact/lact.mp"
    foreign = compiled(other, tmp_path / "out", lact_drive.DIMS, all_on("gpu", other)).new_state(B=2)
    with pytest.raises(StateError, match="the state belongs to pipeline 'lact'"):
        on_gpu.step("decode")(foreign, none, token=one, **weights)


def test_an_empty_memory_can_be_decoded_from(on_gpu: HostProgram) -> None:
    """Without a prompt the first token attends to itself alone: no step needs another before it."""
    rng = np.random.default_rng(8)
    case = drives.draw_case(rng, 2)
    drives.decode(session_of(on_gpu, 2), case, np.array([5, 6]))
