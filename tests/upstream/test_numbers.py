"""Steps that upstream compiled and executes, against each pipeline's own reference.

Every run also checks what upstream leaves undefined: no access outside of a tensor, no operands that disagree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_programs.generate import generate
from random_programs.oracle import judge_calls
from random_programs.spell import spell

from hetc.source import SourceFile
from tests.examples import bm25_drive, dsa_drive
from tests.executors import Session, module_of
from tests.language import test_ragged_growth
from tests.pipelines import drives
from tests.pipelines.test_short import PROGRAMS, SHORT
from tests.upstream.executing import UpstreamProgram, UpstreamSession, expanded

MANY_SEEDS = range(100)


def open_upstream(path: Path | str, dims: tuple[tuple[str, int], ...] = ()) -> Any:
    """A function that opens a session on the file, given capacities and lengths."""
    return lambda capacities, lengths: UpstreamSession(module_of(path, dims, "expanded"), capacities, lengths)


@pytest.mark.parametrize("name", PROGRAMS)
def test_short_programs(name: str) -> None:
    def open_session(program: str, capacities: dict[str, int], live: dict[str, object]) -> Session:
        return open_upstream(SHORT / f"{program}.mp")(capacities, live)

    PROGRAMS[name](open_session, np.random.default_rng(7))


@pytest.mark.parametrize("lengths", [[0], [1, 0, 40], [63, 64, 65, 200]], ids=str)
@pytest.mark.parametrize("exact", [False, True])
def test_pages(lengths: list[int], exact: bool) -> None:
    capacity = max(lengths) + drives.STEPS
    session = open_upstream("tests/pipelines/pages.mp")({"B": len(lengths), "T": capacity}, {"T": lengths})
    drives.drive_pages(session, np.random.default_rng(sum(lengths)), lengths, exact, capacity)


@pytest.mark.parametrize("lengths", [[0], [1, 0, 40]], ids=str)
def test_decay(lengths: list[int]) -> None:
    capacity = max(lengths) + drives.STEPS
    session = open_upstream("tests/pipelines/decay.mp")({"B": len(lengths), "T": capacity}, {"T": lengths})
    drives.drive_decay(session, np.random.default_rng(sum(lengths)), lengths, capacity)


@pytest.mark.parametrize(("live", "added", "tau"), [(0, 64, 0.0), (100, 3, 2.0), (300, 5, 1e9)])
def test_codebook(live: int, added: int, tau: float) -> None:
    session = open_upstream("tests/pipelines/codebook.mp")({"N": live + drives.STEPS * added}, {"N": [live]})
    drives.drive_codebook(session, np.random.default_rng(live + added), live, added, tau, exact=False)


@pytest.mark.parametrize("lengths", [[0], [63, 65, 31], [0, 1, 200]], ids=str)
def test_sparse_attention(lengths: list[int]) -> None:
    rng = np.random.default_rng([2, *lengths])
    case, capacity = dsa_drive.draw_case(rng, lengths), max(lengths) + 2
    open_session = open_upstream("examples/dsa/dsa.mp", tuple(dsa_drive.DIMS.items()))
    session = open_session({"B": len(lengths), "T": capacity}, {"T": lengths})
    dsa_drive.load(session, case, capacity)
    tally = dsa_drive.drive(session, case, rng, steps=2)
    assert tally.near_ties <= 2 and tally.key_steps <= 2


@pytest.mark.parametrize("calls", [[0], [64, 1, 65]], ids=str)
def test_what_is_left_of_retrieval_without_its_sparse_memory(calls: list[int]) -> None:
    open_session = open_upstream("examples/bm25/bm25.mp", tuple(bm25_drive.DIMS.items()))
    session = open_session({"N": max(sum(calls), 1)}, {"N": 0})
    assert len(session.program.omitted) == 5
    bm25_drive.drive(session, np.random.default_rng([3, *calls]), calls, rows=3)


def test_rows_that_grow_by_their_own_lengths() -> None:
    source = SourceFile("texts.mp", test_ragged_growth.TEXT)
    test_ragged_growth.drive(lambda capacities, lengths: UpstreamSession(expanded(source), capacities, lengths))


def random_program(seed: int) -> None:
    """Every call of a random program, with its twin, which is printed from the program's tree and not from our IR."""
    program = generate(seed)
    module = expanded(SourceFile(f"random_{seed}.mp", spell(program)))
    upstream = UpstreamProgram(module)
    assert (
        judge_calls(
            program,
            module,
            lambda step, given, memories, dims: upstream.call(step, {**memories, **given}, dims),
        )
        is None
    )


@pytest.mark.parametrize("seed", range(10))
def test_random_programs(seed: int) -> None:
    random_program(seed)


@pytest.mark.full
def test_many_random_programs() -> None:
    for seed in MANY_SEEDS:
        random_program(seed)
