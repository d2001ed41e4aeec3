"""Runs a random program compiled, under emulation, and compares every call's outputs with the twin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.runtime.program import HostProgram, load_program
from hetc.source import SourceFile
from random_programs.judge import Data, Mismatch, compare, draw_data, twin_outputs
from random_programs.spell import spell
from random_programs.tree import Program


def judge_on_devices(
    program: Program, seed: int, pins: Mapping[str, str], directory: Path, platform: str = "mi210+u55c"
) -> Mismatch | None:
    """Compile with these stages pinned, run every call on one state; the first difference from the twin.

    Raises DiagnosticError where the compiler refuses the program on these devices.
    """
    stages = {statement.stage for statement in program.statements}
    options = Options(platform, pins={stage: kind for stage, kind in pins.items() if stage in stages})
    compilation = compile_source_file(SourceFile(f"random_{seed}.mp", spell(program)), options)
    write_directory(compilation, directory)
    data = draw_data(program, seed)
    expected = twin_outputs(program, data)
    compiled = load_program(directory, mode="emulation")
    state = _state(compiled, program, data)
    step = compiled.step(f"random_{program.seed}")
    weights = {name: _stored(array) for name, array in data.weights.items()}
    for call, inputs in enumerate(data.calls):
        results = step(state, **weights, **{name: _stored(array) for name, array in inputs.items()})
        extents = data.extents(program, call)
        for name in program.outputs:
            found = compare(program, call, name, expected[call][name], results[name].numpy(), extents)
            if found is not None:
                return found
    return None


def _state(compiled: HostProgram, program: Program, data: Data) -> object:
    state = compiled.new_state(B=data.batch, T=data.capacity)
    lengths = np.array(data.lengths, np.int32)
    for name, array in data.memories.items():
        at = program.tensors[name].dims.index("T")
        state.load(name, _stored(np.take(array, range(max(data.lengths)), axis=at)), lengths)
    if not data.memories:
        state.set_lengths(T=lengths)
    return state


def _stored(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
