"""Block-sparse attention with its stages on any devices: fifty steps give what one device gives alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.program import HostProgram, load_program
from tests.examples import lserve_drive, seerattention_drive
from tests.executors import ProgramSession, all_on, compile_to

STEPS = 50
LENGTHS = [5, 61, 0]
CAPACITY = max(LENGTHS) + STEPS
SEERATTENTION = ("seerattention_topk", "seerattention_threshold")
NAMES = (*SEERATTENTION, "lserve")


def compiled(name: str, out: Path, pins: dict[str, str]) -> HostProgram:
    dims = lserve_drive.DIMS if name == "lserve" else seerattention_drive.DIMS[name]
    compile_to(f"examples/{name}/{name}.mp", out, {**dims, "B": 4, "T": 512}, pins=pins)
    return load_program(out, "emulation")


def outputs(name: str, program: HostProgram) -> list[dict[str, np.ndarray]]:
    """What each step of one fixed run gives."""
    rng = np.random.default_rng(21)
    session = ProgramSession(program, {"B": len(LENGTHS), "T": CAPACITY}, {"T": LENGTHS})
    if name == "lserve":
        pages = lserve_drive.draw_case(rng, LENGTHS)
        lserve_drive.load(session, pages, CAPACITY)
        call, draw = session.call, partial(lserve_drive.draw_inputs, rng, pages)
    else:
        blocks = seerattention_drive.draw_case(rng, name, LENGTHS)
        seerattention_drive.load(session, blocks, CAPACITY)
        call = partial(session.call, **blocks.weights)
        draw = partial(seerattention_drive.draw_inputs, rng, blocks)
    return [call(**draw()) for _ in range(STEPS)]


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_random_placements_give_what_one_device_gives(name: str, tmp_path: Path) -> None:
    stages = sorted(all_on("gpu", f"examples/{name}/{name}.mp"))
    expected = outputs(name, compiled(name, tmp_path / "alone", dict.fromkeys(stages, "gpu")))
    rng = np.random.default_rng(22)
    for trial in range(3):
        kinds = rng.choice(["gpu", "fpga"], len(stages)).tolist()
        pins = dict(zip(stages, kinds, strict=True))
        found = outputs(name, compiled(name, tmp_path / str(trial), pins))
        for step, (one, other) in enumerate(zip(expected, found, strict=True)):
            for key, value in one.items():
                label = f"{key} of step {step} under {pins}"
                if key == "kept":
                    np.testing.assert_array_equal(np.sort(other[key]), np.sort(value), err_msg=label)
                else:
                    atol = 2.0**-8 * np.abs(value).max()
                    np.testing.assert_allclose(other[key], value, rtol=2.0**-7, atol=atol, err_msg=label)
