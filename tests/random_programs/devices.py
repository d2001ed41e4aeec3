"""Runs a random program compiled, under emulation, and compares every call with the twin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from hetc.compiler.driver import compile_source_file, write_directory
from hetc.runtime.program import HostProgram, load_program
from hetc.runtime.state import State
from hetc.source import SourceFile
from random_programs.data import Data
from random_programs.judge import Mismatch, compare_call, expectations
from random_programs.options import options_of
from random_programs.program import Program
from random_programs.spell import spell


def judge_on_devices(
    program: Program,
    pins: Mapping[str, str],
    directory: Path,
    platform: str = "mi210+u55c",
    calls: int | None = None,
) -> Mismatch | None:
    """Compile with these stages pinned, run every call on one state; the first difference from the twin.

    Raises DiagnosticError where the compiler refuses the program on these devices.
    """
    options = options_of(program, pins, platform)
    compilation = compile_source_file(SourceFile(f"random_{program.seed}.mp", spell(program)), options)
    write_directory(compilation, directory)
    data, expected = expectations(program, calls)
    compiled = load_program(directory, mode="emulation")
    state = _state(compiled, program, data)
    weights = {name: _stored(array) for name, array in data.weights.items()}
    for number, (call, twin) in enumerate(zip(data.calls, expected, strict=True)):
        given = {name: _stored(array) for name, array in call.inputs.items()}
        sizes = {name: size for name, size in call.sizes.items() if name in compiled.PIPELINE.dims}
        results = compiled.step(call.step.name)(state, sizes, **weights, **given)
        outputs = {name: _plain(results[name]) for name in call.step.outputs}
        memories = {
            tensor.name: np.asarray(state.read(tensor.name))
            for tensor in program.memories
            if not tensor.dtype.startswith("sparse")
        }
        found = compare_call(program, number, twin, outputs, memories, state.lengths)
        if found is not None:
            return found
    return None


def _state(compiled: HostProgram, program: Program, data: Data) -> State:
    known = compiled.PIPELINE.state_dims
    state = compiled.new_state(
        **{dim: size for dim, size in {"B": data.batch, **data.capacity}.items() if dim in known}
    )
    for name, array in data.memories.items():
        dims = program.tensors[name].dims
        along = next((dim for dim in dims if dim in data.lengths), None)
        if along is None:
            state.load(name, _stored(array))
            continue
        lengths = np.array(data.lengths[along], np.int32)
        rows = np.take(array, range(int(lengths.max())), axis=dims.index(along))
        state.load(name, _stored(rows), lengths)
    state.set_lengths(**{dim: np.array(length, np.int32) for dim, length in data.lengths.items()})
    return state


def _plain(result: torch.Tensor) -> np.ndarray:
    """numpy has no narrow floats: f32 holds them all."""
    return (result.float() if result.is_floating_point() else result).numpy()


def _stored(array: np.ndarray) -> np.ndarray:
    """As a caller would hand it over: f32, bool, i64 where the values need it, else i32."""
    if array.dtype.kind == "b":
        return array
    limits = np.iinfo(np.int32)
    wide = array.dtype.kind == "i" and array.size > 0 and (array.min() < limits.min or array.max() > limits.max)
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int64 if wide else np.int32)
