"""One pipeline under several placements, step by step on the same state: what the device changes is rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from hetc.runtime.program import HostProgram, load_program
from tests.executors import Dims, ProgramSession, compile_to, stages_of


def compiled(path: str, out: Path, dims: Dims, pins: Mapping[str, str]) -> HostProgram:
    """The pipeline's program, its devices emulated."""
    compile_to(path, out, dims, pins=pins)
    return load_program(out, "emulation")


def random_pins(path: str, rng: np.random.Generator) -> dict[str, str]:
    """A kind of device for each stage, not the same for all."""
    stages = stages_of(path)
    while True:
        kinds = rng.choice(["gpu", "fpga"], len(stages)).tolist()
        if len(set(kinds)) > 1:
            return dict(zip(stages, kinds, strict=True))


def same_steps(
    one: ProgramSession,
    other: ProgramSession,
    calls: Iterator[tuple[str, dict[str, np.ndarray]]],
    compare: Callable[[str, np.ndarray, np.ndarray], None],
) -> int:
    """Every call (a step's name and its tensors) on both sessions: outputs and memories agree. The other then goes on
    from the first's memories, so that what was rounded otherwise is judged once. Gives the number of calls."""
    memories = list(one.specification.memories)
    count = 0
    for step, tensors in calls:
        one.step = other.step = step
        first, second = one.call(**tensors), other.call(**tensors)
        assert first.keys() == second.keys()
        for name, value in first.items():
            compare(name, second[name], value)
        for name in memories:
            value = one.memory(name)
            compare(name, other.memory(name), value)
            other.load(name, value)
        count += 1
    return count
