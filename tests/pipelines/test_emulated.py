"""The compiled pipelines, emulated, against the twins: placed by the compiler, all on the GPU, all on the FPGA."""

from __future__ import annotations

import numpy as np
import pytest

from hetc.runtime.program import HostProgram, load_program
from tests.executors import ProgramSession, all_on, compile_to
from tests.pipelines import drives

PLACEMENTS = ("by policy", "gpu", "fpga", "cpu")
Programs = dict[tuple[str, str], HostProgram]


@pytest.fixture(scope="module")
def programs() -> Programs:
    return {}


@pytest.fixture(params=PLACEMENTS)
def placement(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def program_of(name: str, placement: str, programs: Programs, factory: pytest.TempPathFactory) -> HostProgram:
    """Compiled once for each placement."""
    if (name, placement) not in programs:
        path = f"tests/pipelines/{name}.mp"
        out = factory.mktemp(name) / "out"
        compile_to(path, out, pins={} if placement == "by policy" else all_on(placement, path))
        programs[name, placement] = load_program(out, "emulation")
        if placement != "by policy":
            assert set(programs[name, placement].backends) == {placement}
    return programs[name, placement]


@pytest.mark.parametrize("lengths", [[0], [7, 8, 9], [63, 0, 200]], ids=str)
@pytest.mark.parametrize("exact", [False, True])
def test_pages(
    lengths: list[int], exact: bool, placement: str, programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = program_of("pages", placement, programs, tmp_path_factory)
    capacity = max(lengths) + drives.STEPS
    session = ProgramSession(program, {"B": len(lengths), "T": capacity}, {"T": lengths})
    drives.drive_pages(session, np.random.default_rng(sum(lengths)), lengths, exact, capacity)


@pytest.mark.parametrize("lengths", [[0], [1, 0, 40]], ids=str)
def test_decay(
    lengths: list[int], placement: str, programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = program_of("decay", placement, programs, tmp_path_factory)
    capacity = max(lengths) + drives.STEPS
    session = ProgramSession(program, {"B": len(lengths), "T": capacity}, {"T": lengths})
    drives.drive_decay(session, np.random.default_rng(sum(lengths)), lengths, capacity)


@pytest.mark.parametrize(("live", "added", "tau"), [(0, 1, -9.0), (100, 3, 2.0), (300, 5, 1e9)])
@pytest.mark.parametrize("exact", [False, True])
def test_codebook(
    live: int,
    added: int,
    tau: float,
    exact: bool,
    placement: str,
    programs: Programs,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    program = program_of("codebook", placement, programs, tmp_path_factory)
    session = ProgramSession(program, {"N": live + drives.STEPS * added}, {"N": live})
    drives.drive_codebook(session, np.random.default_rng(live + added), live, added, tau, exact)
