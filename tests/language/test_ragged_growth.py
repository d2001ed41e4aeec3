"""Rows of a batch that grow each by a length of their own, none included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.compiler.verify import run
from hetc.runtime.errors import CapacityError, InputError
from hetc.runtime.program import load_program
from hetc.source import SourceFile
from tests.executors import THREE_KINDS, ProgramSession, Session
from tests.language.running import WAYS, session_of

TEXT = """
pipeline texts:
    dim L = 2
    dim B <= 4
    dim T <= 16 per B
    dim C <= 8 per B
    dim D = 3
    input x: f32[B, C, D]
    input one: f32[B, D]
    memory rows: f32[B, T, D]
    memory deep: bf16[L, B, T, D]
    memory places: i32[B, T]

    step read(x) grows T by C:
        prepare:
            append(rows, x)
            place[b, c < C] = i32(T[b] - C[b] + c)
            append(places, place)
            for l in L:
                y[b, c, d] = x[b, c, d] * (1 + l)
                append(deep[l], y)
            total[b, d] = sum[t](rows[b, t, d])
            last[b, d] = x[b, C[b] - 1, d]
        output total, last
    step write(one) grows T by 1:
        prepare:
            append(rows, one)
            place[b] = i32(T[b] - 1)
            append(places, place)
            for l in L:
                append(deep[l], one)
        output places
"""


def drive(open_session: Callable[[dict[str, int], dict[str, Any]], Session]) -> None:
    """Calls of both steps, each row against a list of what was appended to it."""
    rng = np.random.default_rng(5)
    held: list[list[np.ndarray]] = [[], [], []]
    deep: list[list[np.ndarray]] = [[], [], []]
    session = open_session({"B": 3, "T": 16}, {"T": [0, 0, 0]})
    for lengths in ([4, 0, 2], None, [0, 5, 1], [0, 0, 0], [3, 3, 3]):
        if lengths is None:
            session.step = "write"
            one = rng.integers(-4, 5, (3, 3)).astype(np.float32)
            session.call(one=one)
            for row in range(3):
                held[row].append(one[row])
                deep[row].append(np.stack([one[row], one[row]]))
        else:
            session.step, session.extents = "read", {"C": np.array(lengths)}
            x = rng.integers(-4, 5, (3, max(lengths), 3)).astype(np.float32)
            outputs = session.call(x=x)
            for row, count in enumerate(lengths):
                held[row] += list(x[row, :count])
                deep[row] += [np.stack([token, 2 * token]) for token in x[row, :count]]
                np.testing.assert_array_equal(outputs["total"][row], np.array(held[row]).reshape(-1, 3).sum(0))
                np.testing.assert_array_equal(outputs["last"][row], x[row, count - 1] if count else np.zeros(3))
        counts = [len(row) for row in held]
        assert session.lengths["T"].tolist() == counts
        for row, count in enumerate(counts):
            np.testing.assert_array_equal(session.memory("rows")[row, :count], np.array(held[row]).reshape(-1, 3))
            np.testing.assert_array_equal(session.memory("places")[row, :count], np.arange(count))
            expected = np.array(deep[row]).reshape(-1, 2, 3).swapaxes(0, 1)
            np.testing.assert_array_equal(session.memory("deep")[:, row, :count], expected)


@pytest.mark.parametrize("way", WAYS)
def test_each_row_grows_by_its_own_length(way: str, tmp_path: Path) -> None:
    drive(lambda capacities, lengths: session_of(TEXT, way, capacities, lengths, tmp_path))


@pytest.mark.parametrize("layout", ["paged(2)", "striped(2)"])
@pytest.mark.parametrize("kind", ["gpu", "fpga", "cpu"])
def test_however_rows_lie(kind: str, layout: str, tmp_path: Path) -> None:
    options = Options(THREE_KINDS, pins={"prepare": kind}, layouts={"rows": layout})
    write_directory(compile_source_file(SourceFile("texts.mp", TEXT), options), tmp_path / "out")
    program = load_program(tmp_path / "out", "emulation")
    drive(lambda capacities, lengths: ProgramSession(program, capacities, lengths))


@pytest.mark.parametrize("seed", range(3))
def test_the_checks_draw_such_lengths(seed: int) -> None:
    compilation = compile_source_file(SourceFile("texts.mp", TEXT), Options(pins={"prepare": "fpga"}))
    report = run(compilation, seed=seed, calls=1, extents={"C": [3, 0, 2], "B": 3, "T": [0, 4, 1]})
    assert report.ok, report
    assert run(compilation, seed=seed, calls=1).ok


def test_what_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    session = session_of(TEXT, "gpu", {"B": 2, "T": 6}, {"T": [2, 5]}, tmp_path)
    x = np.zeros((2, 2, 3), np.float32)
    for lengths, error, words in (
        (
            [1, 2],
            CapacityError,
            "dim T of row 1 would be 7 long, past the state's capacity 6 .memory rows, deep, places",
        ),
        ([3, 1], InputError, r"tensor 'x': expected \[B, C, 3\] = \[2, 3, 3\], got \[2, 2, 3\]"),
        ([1, 2, 1], InputError, "dim C: expected 2 lengths, got 3"),
    ):
        session.step, session.extents = "read", {"C": np.array(lengths)}
        with pytest.raises(error, match=words):
            session.call(x=x)
        assert session.lengths["T"].tolist() == [2, 5]
