"""Every placement of every stage: values and predicates cross devices in all directions."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.program import HostProgram, load_program
from tests.examples import (
    bm25_drive,
    dsa_drive,
    hmt_drive,
    lact_drive,
    lserve_drive,
    memagent_drive,
    rag_drive,
    rag_two_stage_drive,
    seerattention_drive,
    titans_drive,
)
from tests.executors import ProgramSession, all_on, compile_to
from tests.pipelines import drives

LENGTHS = [0, 9, 57]
CAPACITY = max(LENGTHS) + drives.STEPS


def pages(program: HostProgram) -> None:
    session = ProgramSession(program, {"B": 3, "T": CAPACITY}, {"T": LENGTHS})
    drives.drive_pages(session, np.random.default_rng(1), LENGTHS, False, CAPACITY)


def decay(program: HostProgram) -> None:
    session = ProgramSession(program, {"B": 3, "T": CAPACITY}, {"T": LENGTHS})
    drives.drive_decay(session, np.random.default_rng(1), LENGTHS, CAPACITY)


def codebook(program: HostProgram) -> None:
    session = ProgramSession(program, {"N": 109}, {"N": 100})
    drives.drive_codebook(session, np.random.default_rng(1), 100, 3, 2.0, False)


def bm25(program: HostProgram) -> None:
    bm25_drive.drive(ProgramSession(program, {"N": 100}, {"N": 0}), np.random.default_rng(2), [50, 0, 3], 2)


def dsa(program: HostProgram) -> None:
    rng = np.random.default_rng(5)
    case = dsa_drive.draw_case(rng, LENGTHS)
    session = ProgramSession(program, {"B": 3, "T": CAPACITY}, {"T": LENGTHS})
    dsa_drive.load(session, case, CAPACITY)
    dsa_drive.drive(session, case, rng, steps=drives.STEPS)


def seerattention(program: HostProgram) -> None:
    rng = np.random.default_rng(5)
    case = seerattention_drive.draw_case(rng, program.PIPELINE.name, LENGTHS)
    session = ProgramSession(program, {"B": 3, "T": CAPACITY}, {"T": LENGTHS})
    seerattention_drive.load(session, case, CAPACITY)
    seerattention_drive.drive(session, case, rng, steps=drives.STEPS)


def lserve(program: HostProgram) -> None:
    rng = np.random.default_rng(5)
    case = lserve_drive.draw_case(rng, LENGTHS)
    session = ProgramSession(program, {"B": 3, "T": CAPACITY}, {"T": LENGTHS})
    lserve_drive.load(session, case, CAPACITY)
    lserve_drive.drive(session, case, rng, steps=drives.STEPS)


def hmt(program: HostProgram) -> None:
    rng = np.random.default_rng(6)
    hmt_drive.drive(ProgramSession(program, {"B": 3}, {}), hmt_drive.draw_case(rng, 3), rng, steps=7)


def titans(program: HostProgram) -> None:
    rng = np.random.default_rng(7)
    titans_drive.drive(ProgramSession(program, {"B": 3}, {}), titans_drive.draw_case(rng, 3), rng, steps=6)


def lact(program: HostProgram) -> None:
    rng = np.random.default_rng(8)
    lact_drive.drive(ProgramSession(program, {"B": 3}, {}), lact_drive.draw_case(rng, 3), rng, steps=6)


def memagent(program: HostProgram) -> None:
    rng = np.random.default_rng(9)
    session = ProgramSession(program, {"B": 3, "T": 48}, {"T": 0})
    memagent_drive.drive(session, memagent_drive.draw_case(rng, 3), rng, steps=2)


def rag(program: HostProgram) -> None:
    rng = np.random.default_rng(9)
    case = rag_drive.draw_case(rng, program.PIPELINE.name)
    rag_drive.drive(ProgramSession(program, {"N": 40}, {"N": 0}), case, rng, [30, 0, 3], rows=3)


def rag_two_stage(program: HostProgram) -> None:
    session, case = ProgramSession(program, {"N": 20}, {"N": 0}), rag_two_stage_drive.draw_case(10)
    rag_two_stage_drive.drive(session, case, np.random.default_rng(10), [0, 9], queries=2)


CASES = {
    "tests/pipelines/pages.mp": (pages, {}),
    "tests/pipelines/decay.mp": (decay, {}),
    "tests/pipelines/codebook.mp": (codebook, {}),
    "examples/bm25/bm25.mp": (bm25, bm25_drive.DIMS),
    "examples/dsa/dsa.mp": (dsa, {**dsa_drive.DIMS, "B": 4, "T": 4096}),
    "examples/lserve/lserve.mp": (lserve, {**lserve_drive.DIMS, "B": 4, "T": 512}),
    **{
        f"examples/{name}/{name}.mp": (seerattention, {**dims, "B": 4, "T": 512})
        for name, dims in seerattention_drive.DIMS.items()
    },
    **{f"examples/{name}/{name}.mp": (rag, rag_drive.DIMS) for name in rag_drive.NAMES},
    "examples/rag_two_stage/rag_two_stage.mp": (rag_two_stage, rag_two_stage_drive.DIMS),
    "examples/hmt/hmt.mp": (hmt, hmt_drive.DIMS),
    "examples/titans/titans.mp": (titans, titans_drive.DIMS),
    "examples/lact/lact.mp": (lact, lact_drive.DIMS),
    "examples/memagent/memagent.mp": (memagent, {**memagent_drive.DIMS, "B": 4, "T": 48, "C": 12}),
}


@pytest.mark.full
@pytest.mark.parametrize("path", CASES)
def test_every_placement(path: str, tmp_path: Path) -> None:
    drive, dims = CASES[path]
    stages = sorted(all_on("gpu", path))
    mixes = list(itertools.product(("gpu", "fpga", "cpu"), repeat=len(stages)))
    with_cpu = [kinds for kinds in mixes if "cpu" in kinds]
    drawn = np.random.default_rng(len(path)).permutation(len(with_cpu))[:8]
    chosen = [kinds for kinds in mixes if "cpu" not in kinds] + [with_cpu[number] for number in drawn]
    for number, kinds in enumerate(chosen):
        out = tmp_path / str(number)
        compile_to(path, out, dims, pins=dict(zip(stages, kinds, strict=True)))
        program = load_program(out, "emulation")
        assert set(program.backends) <= set(kinds)  # a stage that only appends needs no kernel
        drive(program)
